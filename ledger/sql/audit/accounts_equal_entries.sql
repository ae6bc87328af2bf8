-- Each balance, debt and lifetime total equals the sum of the account's entries.
SELECT a.member_id AS member, a.point_type_id AS type, to_jsonb(a) AS account, to_jsonb(e) AS entries
FROM ledger_account a
LEFT JOIN (
    SELECT member_id, point_type_id,
           sum(CASE WHEN target = 3 THEN points WHEN source = 3 THEN -points ELSE 0 END) AS available,
           sum(CASE WHEN target = 2 THEN points WHEN source = 2 THEN -points ELSE 0 END) AS pending,
           sum(CASE WHEN target = 4 THEN points WHEN source = 4 THEN -points ELSE 0 END) AS locked,
           sum(CASE WHEN source = 8 THEN points WHEN target = 8 THEN -points ELSE 0 END) AS debt,
           sum(CASE WHEN source = 1 THEN points ELSE 0 END) AS earned,
           sum(CASE WHEN target = 5 THEN points WHEN source = 5 THEN -points ELSE 0 END) AS redeemed,
           sum(CASE WHEN target = 6 THEN points WHEN source = 6 THEN -points ELSE 0 END) AS expired,
           sum(CASE WHEN target = 7 THEN points WHEN source = 7 THEN -points ELSE 0 END) AS reversed
    FROM ledger_entry GROUP BY member_id, point_type_id
) e ON e.member_id = a.member_id AND e.point_type_id = a.point_type_id
WHERE (a.available, a.pending, a.locked, a.debt, a.earned, a.redeemed, a.expired, a.reversed)
   <> (coalesce(e.available, 0), coalesce(e.pending, 0), coalesce(e.locked, 0), coalesce(e.debt, 0),
       coalesce(e.earned, 0), coalesce(e.redeemed, 0), coalesce(e.expired, 0), coalesce(e.reversed, 0))
