-- Each balance by state equals the sum of its lots.
SELECT coalesce(a.member_id, l.member_id) AS member, coalesce(a.point_type_id, l.point_type_id) AS type,
       a.available, l.available AS in_lots, a.pending, l.pending AS pending_in_lots,
       a.locked, l.locked AS locked_in_lots
FROM ledger_account a
FULL JOIN (
    SELECT member_id, point_type_id, sum(pending) AS pending, sum(available) AS available,
           sum(locked) AS locked
    FROM ledger_lot GROUP BY member_id, point_type_id
) l ON l.member_id = a.member_id AND l.point_type_id = a.point_type_id
WHERE (coalesce(a.available, 0), coalesce(a.pending, 0), coalesce(a.locked, 0))
   <> (coalesce(l.available, 0), coalesce(l.pending, 0), coalesce(l.locked, 0))
