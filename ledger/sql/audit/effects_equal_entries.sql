-- The effects a transaction states equal what its entries did, type by type.
SELECT t.id AS transaction, coalesce(f.type, e.type) AS type, f.points, e.points AS by_entries
FROM (
    SELECT transaction_id, point_type_id AS type,
           sum(CASE WHEN target IN (2, 3, 4, 8) THEN points ELSE 0 END
               - CASE WHEN source IN (2, 3, 4, 8) THEN points ELSE 0 END) AS points
    FROM ledger_entry GROUP BY transaction_id, point_type_id
) e
FULL JOIN (
    SELECT t.id AS transaction_id, (f ->> 'type')::bigint AS type, (f ->> 'points')::bigint AS points
    FROM ledger_transaction t, jsonb_array_elements(t.effects) f
) f ON f.transaction_id = e.transaction_id AND f.type = e.type
LEFT JOIN ledger_transaction t ON t.id = coalesce(f.transaction_id, e.transaction_id)
WHERE f.points IS DISTINCT FROM e.points
