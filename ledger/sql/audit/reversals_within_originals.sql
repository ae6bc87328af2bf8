-- No lot gives back more than it granted, and no redemption gets back more than it took of a lot.
-- The lots that go on with another's points after a merge are counted with it.
WITH RECURSIVE family (root, id) AS (
    SELECT id, id FROM ledger_lot WHERE moved_from IS NULL
    UNION ALL
    SELECT f.root, l.id FROM family f JOIN ledger_lot l ON l.moved_from = f.id
)
SELECT l.id AS lot, NULL::uuid AS redemption, l.granted AS granted,
       sum(CASE WHEN e.target = 7 THEN e.points ELSE -e.points END) AS reversed
FROM ledger_entry e JOIN family f ON f.id = e.lot_id JOIN ledger_lot l ON l.id = f.root
WHERE 7 IN (e.source, e.target)
GROUP BY l.id
HAVING sum(CASE WHEN e.target = 7 THEN e.points ELSE -e.points END) NOT BETWEEN 0 AND l.granted
UNION ALL
SELECT lot_id, redemption, NULL, sum(points)
FROM (
    SELECT CASE WHEN e.source = 5 AND l.transaction_id = e.transaction_id THEN l.moved_from
                ELSE e.lot_id END AS lot_id,
           coalesce(t.original, t.id) AS redemption,
           CASE WHEN e.target = 5 THEN e.points ELSE -e.points END AS points
    FROM ledger_entry e
    JOIN ledger_transaction t ON t.id = e.transaction_id
    LEFT JOIN ledger_lot l ON l.id = e.lot_id
    WHERE t.kind IN ('REDEMPTION', 'REDEMPTION_REVERSAL') AND (e.source = 5 OR e.target = 5)
) r
GROUP BY lot_id, redemption HAVING sum(points) < 0
UNION ALL
SELECT NULL, original, NULL, count(*)
FROM ledger_transaction WHERE kind = 'EARN_REVERSAL' GROUP BY original HAVING count(*) > 1
