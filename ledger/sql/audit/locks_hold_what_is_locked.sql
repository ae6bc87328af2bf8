-- What open locks hold of a lot is what the lot has locked; a resolved lock holds nothing.
SELECT coalesce(l.id, h.lot_id) AS lot, l.locked, h.points AS held_by_locks
FROM (SELECT id, locked FROM ledger_lot WHERE locked > 0) l
FULL JOIN (
    SELECT h.lot_id, sum(h.points) AS points
    FROM ledger_lockedlot h JOIN ledger_pointlock k ON k.id = h.lock_id
    WHERE k.open AND h.points > 0 GROUP BY h.lot_id
) h ON h.lot_id = l.id
WHERE l.locked IS DISTINCT FROM h.points
UNION ALL
SELECT h.lot_id, NULL, h.points
FROM ledger_lockedlot h LEFT JOIN ledger_pointlock k ON k.id = h.lock_id
WHERE (k.id IS NULL OR NOT k.open) AND (h.points > 0 OR h.marked)
