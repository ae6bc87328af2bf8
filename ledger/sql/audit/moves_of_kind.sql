-- Every entry is a move that its transaction's kind may make (the posting table of the design).
SELECT e.id AS entry, t.kind, e.source, e.target
FROM ledger_entry e
LEFT JOIN ledger_transaction t ON t.id = e.transaction_id
WHERE t.id IS NULL OR NOT (
    (e.source = 3 AND e.target = 8)
    OR (t.kind IN ('EARN', 'BONUS', 'ADJUSTMENT', 'RETURN')
        AND e.source = 1 AND e.target IN (2, 3))
    OR (t.kind = 'RELEASE' AND (e.source, e.target) IN ((2, 3), (3, 4)))
    OR (t.kind = 'LOCK' AND (e.source, e.target) = (3, 4))
    OR (t.kind = 'UNLOCK' AND e.source = 4 AND e.target IN (3, 6))
    OR (t.kind = 'REDEMPTION' AND e.source IN (3, 4, 8) AND e.target = 5)
    OR (t.kind = 'REDEMPTION_REVERSAL'
        AND (e.source, e.target) IN ((5, 3), (3, 6), (5, 8), (8, 3)))
    OR (t.kind = 'EXPIRY' AND (e.source, e.target) = (3, 6))
    OR (t.kind = 'ADJUSTMENT' AND (e.source, e.target) = (3, 7))
    OR (t.kind IN ('EARN_REVERSAL', 'RETURN') AND e.source IN (2, 3, 4, 8) AND e.target = 7)
    OR (t.kind = 'RETURN_REVERSAL'
        AND ((e.source = 7 AND e.target IN (2, 3, 8)) OR (e.source IN (2, 3, 4, 8) AND e.target = 7)
             OR (e.source, e.target) IN ((3, 6), (8, 3))))
    OR (t.kind = 'TRANSFER' AND (e.source = 9 OR e.target = 9)))
