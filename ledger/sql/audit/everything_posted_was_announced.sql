-- Everything posted left an outbox row (delivered rows are kept 30 days).
SELECT t.id AS transaction, t.posted_at
FROM ledger_transaction t
LEFT JOIN loyalty_outboxevent o ON o.object_id = t.id
WHERE o.id IS NULL
  AND t.posted_at > now() - interval '29 days'
  AND t.posted_at > coalesce((SELECT min(created_at) FROM loyalty_outboxevent), '-infinity')
