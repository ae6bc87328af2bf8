-- Where points were spent, no lot that expires sooner had any available left. Lots whose date may
-- have moved since (activity policies, the grace of a reversal) are not judged, spent or not.
WITH spent AS (
    SELECT DISTINCT ON (t.id, e.point_type_id)
           t.id, t.member_id, t.version, t.posted_at, e.point_type_id, l.expires_at,
           l.version AS granted_in, l.seq
    FROM ledger_transaction t
    JOIN ledger_entry e ON e.transaction_id = t.id
    JOIN ledger_lot l ON l.id = e.lot_id
    WHERE t.kind IN ('REDEMPTION', 'ADJUSTMENT') AND e.source = 3 AND e.target IN (5, 7)
      AND l.expiry NOT LIKE '%/ACTIVITY/%'
      AND NOT EXISTS (SELECT FROM ledger_entry b WHERE b.lot_id = l.id AND b.source = 5)
    ORDER BY t.id, e.point_type_id, l.expires_at DESC NULLS FIRST, l.version DESC, l.seq DESC
)
SELECT s.id AS transaction, s.member_id AS member, l.id AS lot, held.available
FROM spent s
JOIN ledger_lot l ON l.member_id = s.member_id AND l.point_type_id = s.point_type_id
    AND l.version < s.version AND l.expiry NOT LIKE '%/ACTIVITY/%'
    AND (coalesce(l.expires_at, 'infinity'), l.version, l.seq)
      < (coalesce(s.expires_at, 'infinity'), s.granted_in, s.seq)
CROSS JOIN LATERAL (
    SELECT sum(CASE WHEN e.target = 3 THEN e.points WHEN e.source = 3 THEN -e.points ELSE 0 END)
               AS available,
           bool_or(e.source = 5) AS restored
    FROM ledger_entry e WHERE e.lot_id = l.id AND e.version <= s.version
) held
WHERE held.available > 0 AND NOT held.restored
