-- A partner's reference names one transaction of a kind, or the numbered parts of one call.
SELECT partner_id AS partner, kind, reference, part, count(*) AS transactions
FROM ledger_transaction WHERE reference IS NOT NULL
GROUP BY partner_id, kind, reference, part HAVING count(*) > 1
