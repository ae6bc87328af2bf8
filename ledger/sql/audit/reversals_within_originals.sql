-- No lot gives back more than it granted, and no redemption gets back more than it took of a lot.
SELECT l.id AS lot, NULL::uuid AS redemption, l.granted AS granted, sum(e.points) AS reversed
FROM ledger_entry e JOIN ledger_lot l ON l.id = e.lot_id
WHERE e.target = 7
GROUP BY l.id HAVING sum(e.points) > l.granted
UNION ALL
SELECT e.lot_id, coalesce(t.original, t.id), NULL,
       sum(CASE WHEN e.target = 5 THEN e.points ELSE -e.points END)
FROM ledger_entry e JOIN ledger_transaction t ON t.id = e.transaction_id
WHERE t.kind IN ('REDEMPTION', 'REDEMPTION_REVERSAL') AND (e.source = 5 OR e.target = 5)
GROUP BY e.lot_id, coalesce(t.original, t.id)
HAVING sum(CASE WHEN e.target = 5 THEN e.points ELSE -e.points END) < 0
UNION ALL
SELECT NULL, original, NULL, count(*)
FROM ledger_transaction WHERE kind = 'EARN_REVERSAL' GROUP BY original HAVING count(*) > 1
