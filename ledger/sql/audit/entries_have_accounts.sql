-- Every point type a member has entries of has an account, and every member with history a book.
SELECT e.member_id AS member, e.point_type_id AS type
FROM (SELECT DISTINCT member_id, point_type_id FROM ledger_entry) e
LEFT JOIN ledger_account a ON a.member_id = e.member_id AND a.point_type_id = e.point_type_id
LEFT JOIN ledger_book b ON b.member_id = e.member_id
WHERE a.member_id IS NULL OR b.member_id IS NULL
