-- No lot without its transaction, no entry without its lot, no row of another member's. What is
-- owed for points that a merged member spent names the lot they came from: it stays as it is.
SELECT 'lot' AS what, l.id::text AS id
FROM ledger_lot l LEFT JOIN ledger_transaction t ON t.id = l.transaction_id
WHERE t.id IS NULL OR t.member_id <> l.member_id OR t.version <> l.version
UNION ALL
SELECT 'entry', e.id::text
FROM ledger_entry e
LEFT JOIN ledger_transaction t ON t.id = e.transaction_id
LEFT JOIN ledger_lot l ON l.id = e.lot_id
WHERE t.id IS NULL OR t.member_id <> e.member_id OR t.version <> e.version
   OR (e.lot_id IS NOT NULL
       AND (l.id IS NULL OR l.point_type_id <> e.point_type_id
            OR (l.member_id <> e.member_id
                AND NOT ((e.source, e.target) IN ((8, 7), (7, 8))
                         AND l.member_id = ANY (ledger_merged(e.member_id))))))
UNION ALL
SELECT 'original', t.id::text
FROM ledger_transaction t
WHERE t.original IS NOT NULL
  AND NOT EXISTS (SELECT 1 FROM ledger_transaction o WHERE o.id = t.original)
