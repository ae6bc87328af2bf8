-- Every transfer has its other side: with another member, at the same instant, and by type and
-- state the same points, so that what left the one book entered the other.
WITH moves AS (
    SELECT e.transaction_id, e.point_type_id,
           CASE WHEN e.source = 9 THEN e.target ELSE e.source END AS bucket,
           sum(CASE WHEN e.target = 9 THEN e.points ELSE -e.points END) AS points
    FROM ledger_entry e WHERE e.source = 9 OR e.target = 9
    GROUP BY 1, 2, 3
), pairs AS (
    SELECT o.id AS out_id, i.id AS in_id,
           o.member_id <> i.member_id AND o.posted_at = i.posted_at AS fits
    FROM ledger_transaction o
    LEFT JOIN ledger_transaction i ON i.original = o.id AND i.kind = 'TRANSFER'
    WHERE o.kind = 'TRANSFER' AND o.original IS NULL
)
SELECT out_id AS transaction, in_id AS other, NULL::bigint AS type, NULL::bigint AS points
FROM pairs WHERE fits IS NOT TRUE
UNION ALL
SELECT out_id, NULL, NULL, count(*) FROM pairs GROUP BY out_id HAVING count(*) > 1
UNION ALL
SELECT i.id, i.original, NULL, NULL
FROM ledger_transaction i LEFT JOIN ledger_transaction o ON o.id = i.original
WHERE i.kind = 'TRANSFER' AND i.original IS NOT NULL
  AND (o.id IS NULL OR o.kind <> 'TRANSFER' OR o.original IS NOT NULL)
UNION ALL
SELECT p.out_id, p.in_id, m.point_type_id, sum(m.points)
FROM pairs p JOIN moves m ON m.transaction_id IN (p.out_id, p.in_id)
GROUP BY p.out_id, p.in_id, m.point_type_id, m.bucket HAVING sum(m.points) <> 0
UNION ALL
SELECT e.transaction_id, NULL, e.point_type_id, e.points
FROM ledger_entry e LEFT JOIN ledger_transaction t ON t.id = e.transaction_id
WHERE (e.source = 9 OR e.target = 9) AND t.kind IS DISTINCT FROM 'TRANSFER'
