-- A book's transactions were posted in the order of their versions.
SELECT id AS transaction, member_id AS member, version, posted_at, before
FROM (
    SELECT id, member_id, version, posted_at,
           lag(posted_at) OVER (PARTITION BY member_id ORDER BY version) AS before
    FROM ledger_transaction
) t
WHERE posted_at < before
