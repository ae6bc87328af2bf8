-- What each lot granted, and has left by state, equals the sum of its entries.
SELECT l.id AS lot, l.member_id AS member, l.granted, e.granted AS granted_by_entries,
       l.pending, e.pending AS pending_by_entries, l.available, e.available AS available_by_entries,
       l.locked, e.locked AS locked_by_entries
FROM ledger_lot l
LEFT JOIN (
    SELECT lot_id,
           sum(points) FILTER (WHERE source = 1 OR (source = 9 AND target IN (2, 3, 4))) AS granted,
           sum(CASE WHEN target = 2 THEN points WHEN source = 2 THEN -points ELSE 0 END) AS pending,
           sum(CASE WHEN target = 3 THEN points WHEN source = 3 THEN -points ELSE 0 END) AS available,
           sum(CASE WHEN target = 4 THEN points WHEN source = 4 THEN -points ELSE 0 END) AS locked
    FROM ledger_entry WHERE lot_id IS NOT NULL GROUP BY lot_id
) e ON e.lot_id = l.id
WHERE (l.granted, l.pending, l.available, l.locked)
   IS DISTINCT FROM (e.granted, e.pending, e.available, e.locked)
