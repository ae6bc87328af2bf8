-- A book's due_at is never later than the first thing due in it.
SELECT b.member_id AS member, b.due_at, d.due
FROM ledger_book b
JOIN (
    SELECT member_id, min(due) AS due FROM (
        SELECT member_id, least(CASE WHEN pending > 0 THEN available_at END,
                                CASE WHEN available > 0 THEN expires_at END) AS due
        FROM ledger_lot WHERE open
        UNION ALL
        SELECT member_id, until FROM ledger_pointlock WHERE open
    ) x GROUP BY member_id
) d ON d.member_id = b.member_id
WHERE d.due IS NOT NULL AND (b.due_at IS NULL OR b.due_at > d.due)
