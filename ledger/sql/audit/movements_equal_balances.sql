-- What is counted to partners, summed over all of them, is what members hold; each movement counts
-- to a partner.
SELECT coalesce(m.point_type_id, a.point_type_id) AS type, m.points AS counted, a.points AS held,
       m.unplaced
FROM (
    SELECT point_type_id, sum(points) AS points,
           count(*) FILTER (WHERE partner_id IS NULL) AS unplaced
    FROM ledger_movement GROUP BY point_type_id
) m
FULL JOIN (
    SELECT point_type_id, sum(available + pending + locked - debt) AS points
    FROM ledger_account GROUP BY point_type_id
) a ON a.point_type_id = m.point_type_id
WHERE coalesce(m.points, 0) <> coalesce(a.points, 0) OR m.unplaced > 0
