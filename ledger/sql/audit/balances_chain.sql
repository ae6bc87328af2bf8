-- The figures after each transaction are those after the one before, plus its entries; and the
-- last are the account's.
WITH effects AS (
    SELECT t.id, t.member_id, t.version, f.*
    FROM ledger_transaction t,
         jsonb_to_recordset(t.effects) AS f (
             type bigint, available bigint, pending bigint, locked bigint, debt bigint)
), moves AS (
    SELECT transaction_id, point_type_id,
           sum(CASE WHEN target = 3 THEN points WHEN source = 3 THEN -points ELSE 0 END) AS available,
           sum(CASE WHEN target = 2 THEN points WHEN source = 2 THEN -points ELSE 0 END) AS pending,
           sum(CASE WHEN target = 4 THEN points WHEN source = 4 THEN -points ELSE 0 END) AS locked,
           sum(CASE WHEN source = 8 THEN points WHEN target = 8 THEN -points ELSE 0 END) AS debt
    FROM ledger_entry GROUP BY transaction_id, point_type_id
), chained AS (
    SELECT e.*, m.available AS d_available, m.pending AS d_pending, m.locked AS d_locked,
           m.debt AS d_debt,
           lag(e.available, 1, 0::bigint) OVER w AS b_available,
           lag(e.pending, 1, 0::bigint) OVER w AS b_pending,
           lag(e.locked, 1, 0::bigint) OVER w AS b_locked,
           lag(e.debt, 1, 0::bigint) OVER w AS b_debt,
           row_number() OVER (PARTITION BY e.member_id, e.type ORDER BY e.version DESC) AS from_last
    FROM effects e
    JOIN moves m ON m.transaction_id = e.id AND m.point_type_id = e.type
    WINDOW w AS (PARTITION BY e.member_id, e.type ORDER BY e.version)
)
SELECT c.id AS transaction, c.member_id AS member, c.type, c.version
FROM chained c
LEFT JOIN ledger_account a ON a.member_id = c.member_id AND a.point_type_id = c.type
WHERE (c.available, c.pending, c.locked, c.debt)
   <> (c.b_available + c.d_available, c.b_pending + c.d_pending, c.b_locked + c.d_locked,
       c.b_debt + c.d_debt)
   OR (c.from_last = 1 AND (c.available, c.pending, c.locked, c.debt)
                        IS DISTINCT FROM (a.available, a.pending, a.locked, a.debt))
