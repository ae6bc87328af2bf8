-- The versions of a book count from 1 without a gap, and the book stands at the last.
SELECT coalesce(b.member_id, t.member_id) AS member, b.version AS book, t.first, t.last, t.transactions
FROM ledger_book b
FULL JOIN (
    SELECT member_id, min(version) AS first, max(version) AS last, count(*) AS transactions
    FROM ledger_transaction GROUP BY member_id
) t ON t.member_id = b.member_id
WHERE (coalesce(b.version, -1), coalesce(t.first, 1), coalesce(t.last, 0))
   <> (coalesce(t.transactions, 0), 1, coalesce(t.transactions, 0))
