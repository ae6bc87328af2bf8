-- What each lot granted, and has left by state, equals the sum of its entries. A lot was granted
-- what was issued to it, what a transfer brought, or what the reversal that made it gave back.
SELECT l.id AS lot, l.member_id AS member, l.granted, e.granted AS granted_by_entries,
       l.pending, e.pending AS pending_by_entries, l.available, e.available AS available_by_entries,
       l.locked, e.locked AS locked_by_entries
FROM ledger_lot l
LEFT JOIN (
    SELECT x.lot_id,
           sum(x.points) FILTER (
               WHERE x.target IN (2, 3, 4)
                 AND (x.source IN (1, 9)
                      OR (x.source IN (5, 7, 8) AND g.moved_from IS NOT NULL
                          AND g.transaction_id = x.transaction_id))) AS granted,
           sum(CASE WHEN x.target = 2 THEN x.points WHEN x.source = 2 THEN -x.points ELSE 0 END) AS pending,
           sum(CASE WHEN x.target = 3 THEN x.points WHEN x.source = 3 THEN -x.points ELSE 0 END) AS available,
           sum(CASE WHEN x.target = 4 THEN x.points WHEN x.source = 4 THEN -x.points ELSE 0 END) AS locked
    FROM ledger_entry x JOIN ledger_lot g ON g.id = x.lot_id GROUP BY x.lot_id
) e ON e.lot_id = l.id
WHERE (l.granted, l.pending, l.available, l.locked)
   IS DISTINCT FROM (e.granted, e.pending, e.available, e.locked)
