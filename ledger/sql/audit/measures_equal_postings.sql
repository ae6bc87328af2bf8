-- What is measured towards tiers is what was posted: each day's points, spend and purchases are
-- those of its sales, less what returns took back. A merged member's count for the survivor.
WITH RECURSIVE survivor AS (
    SELECT id, id AS last, merged_into_id FROM members_member
    UNION ALL
    SELECT s.id, m.id, m.merged_into_id FROM survivor s JOIN members_member m ON m.id = s.merged_into_id
), owner AS (
    SELECT id, last FROM survivor WHERE merged_into_id IS NULL
), counted AS (
    SELECT t.member_id,
           coalesce((t.data #>> '{counted,day}')::date,
                    (t.occurred_at AT TIME ZONE p.time_zone)::date) AS day,
           t.data -> 'counted' AS counted, t.amount, t.effects
    FROM ledger_transaction t CROSS JOIN loyalty_program p
    WHERE t.data ? 'counted' OR (t.kind = 'EARN' AND t.amount IS NOT NULL)
), parts AS (
    SELECT member_id, 'POINTS' AS measure, k.key::bigint AS point_type, day, k.value::bigint AS amount
    FROM counted, jsonb_each_text(counted -> 'points') k WHERE counted IS NOT NULL
    UNION ALL
    SELECT member_id, 'POINTS', (e ->> 'type')::bigint, day, (e ->> 'points')::bigint
    FROM counted, jsonb_array_elements(effects) e WHERE counted IS NULL
    UNION ALL
    SELECT member_id, 'SPEND', 0, day, coalesce((counted ->> 'spend')::bigint, 0)
    FROM counted WHERE counted IS NOT NULL
    UNION ALL
    SELECT member_id, 'SPEND', 0, day, (amount * 100)::bigint FROM counted WHERE counted IS NULL
    UNION ALL
    SELECT member_id, 'VISITS', 0, day, coalesce((counted ->> 'visits')::bigint, 1) FROM counted
), wanted AS (
    SELECT o.last AS member_id, measure, point_type, day, sum(amount) AS amount
    FROM parts JOIN owner o ON o.id = parts.member_id GROUP BY 1, 2, 3, 4
), there AS (
    SELECT o.last AS member_id, measure, point_type, day, sum(amount) AS amount
    FROM members_tiermeasure t JOIN owner o ON o.id = t.member_id GROUP BY 1, 2, 3, 4
)
SELECT coalesce(w.member_id, m.member_id) AS member_id, coalesce(w.measure, m.measure) AS measure,
       coalesce(w.point_type, m.point_type) AS point_type, coalesce(w.day, m.day) AS day,
       w.amount AS posted, m.amount AS measured
FROM wanted w FULL JOIN there m USING (member_id, measure, point_type, day)
WHERE coalesce(w.amount, 0) <> coalesce(m.amount, 0)
