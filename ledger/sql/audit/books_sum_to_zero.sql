-- All buckets of a point type sum to zero, and what was transferred out came in elsewhere.
SELECT point_type_id AS type, sum(balance) AS total,
       sum(balance) FILTER (WHERE bucket = 9) AS in_transfer
FROM (
    SELECT point_type_id, target AS bucket, points AS balance FROM ledger_entry
    UNION ALL
    SELECT point_type_id, source, -points FROM ledger_entry
) b
GROUP BY point_type_id
HAVING sum(balance) <> 0 OR coalesce(sum(balance) FILTER (WHERE bucket = 9), 0) <> 0
