-- No figure is negative, and debt or available is zero, now and after every transaction.
SELECT t.id AS transaction, t.member_id AS member, f.*
FROM ledger_transaction t,
     jsonb_to_recordset(t.effects) AS f (
         type bigint, available bigint, pending bigint, locked bigint, debt bigint)
WHERE least(f.available, f.pending, f.locked, f.debt) < 0 OR least(f.available, f.debt) > 0
UNION ALL
SELECT NULL, member_id, point_type_id, available, pending, locked, debt
FROM ledger_account
WHERE least(available, pending, locked, debt, earned) < 0 OR least(available, debt) > 0
