-- What the decision about members' tiers needs, read in a later snapshot than the books' locks:
-- VOLATILE, so that each statement in it takes a snapshot of its own.

-- Return the points of a window that are still pending at an instant: those that a ladder which
-- counts available points leaves out. The day is that of the sale, which a moved lot's origin names.
CREATE OR REPLACE FUNCTION ledger_pending_of_days(
    p_member bigint, p_types bigint[], p_first date, p_until date, p_zone text, p_at timestamptz
) RETURNS bigint LANGUAGE sql STABLE AS $$
    SELECT coalesce(sum(l.pending), 0)::bigint
    FROM ledger_lot l
    JOIN ledger_transaction t ON t.id = coalesce(l.origin, l.transaction_id)
    LEFT JOIN ledger_transaction s ON s.id = t.original
    WHERE l.member_id = p_member AND l.open AND l.pending > 0 AND l.available_at > p_at
      AND l.point_type_id = ANY (p_types)
      AND (t.kind = 'RETURN' OR t.data ? 'counted' OR (t.kind = 'EARN' AND t.amount IS NOT NULL))
      AND (coalesce(s.occurred_at, t.occurred_at) AT TIME ZONE p_zone)::date >= p_first
      AND (coalesce(s.occurred_at, t.occurred_at) AT TIME ZONE p_zone)::date < p_until;
$$;

-- Return members' tiers, open overrides and measures, as a JSON array. `p_ask`:
--   measure, types, window, months, available, zone     of the ladder; without one, no `have`
--   ladder  its number, which the answer repeats with the days
--   at      what is pending then does not count where the ladder counts available points
--   days    a window's sum for each; `top` is the tier above which nothing is, summed for nobody
--   ended   with the sum of the window in which the tier's validity ended, if it has by `at`
--   daily   with all days' amounts since `daily`
CREATE OR REPLACE FUNCTION ledger_tier_facts(p_members bigint[], p_ask jsonb)
RETURNS json LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_measure text := p_ask ->> 'measure';
    v_types bigint[] := ARRAY(SELECT jsonb_array_elements_text(p_ask -> 'types')::bigint);
    v_window text := p_ask ->> 'window';
    v_months integer := (p_ask ->> 'months')::integer;
    v_zone text := p_ask ->> 'zone';
    v_at timestamptz := (p_ask ->> 'at')::timestamptz;
    v_available boolean := coalesce((p_ask ->> 'available')::boolean, false);
    v_days date[] := ARRAY(SELECT jsonb_array_elements_text(p_ask -> 'days')::date);
    v_ended boolean := coalesce((p_ask ->> 'ended')::boolean, false);
    v_daily date := (p_ask ->> 'daily')::date;
    v_top text := p_ask ->> 'top';
    v_answer json;
BEGIN
    SELECT json_agg(json_build_object(
        'member_id', m.id, 'stage', m.stage, 'tier', t.code, 'since', m.tier_since,
        'until', m.tier_until, 'joined', j.day, 'ladder', p_ask -> 'ladder',
        'days', p_ask -> 'days', 'first', p_ask -> 'daily',
        'due', EXISTS (SELECT 1 FROM members_tiercheck c
                       WHERE c.member_id = m.id AND c.due_at <= v_at),
        'overrides', (SELECT json_agg(json_build_object(
                          'id', o.id, 'tier', u.code, 'starts_at', o.starts_at,
                          'ends_at', o.ends_at, 'reason', o.reason, 'actor_kind', o.actor_kind,
                          'actor', o.actor, 'applied_at', o.applied_at, 'had_tier', o.had_tier,
                          'had_since', o.had_since, 'had_until', o.had_until)
                          ORDER BY o.starts_at, o.id)
                      FROM members_tieroverride o JOIN members_tier u ON u.id = o.tier_id
                      WHERE o.member_id = m.id AND o.closed_at IS NULL),
        'have', CASE WHEN v_measure IS NOT NULL AND t.code IS DISTINCT FROM v_top THEN (
            SELECT json_agg(members_measured(m.id, v_measure, v_types, w.first, w.until)
                - CASE WHEN v_available THEN ledger_pending_of_days(
                      m.id, v_types, w.first, w.until, v_zone, v_at) ELSE 0 END ORDER BY d.place)
            FROM unnest(v_days) WITH ORDINALITY AS d (day, place),
                 members_window(v_window, v_months, j.day, d.day) AS w) END,
        'ended', CASE WHEN v_ended AND v_measure IS NOT NULL AND m.tier_until <= v_at THEN (
            SELECT members_measured(m.id, v_measure, v_types, w.first, w.until)
                - CASE WHEN v_available THEN ledger_pending_of_days(
                      m.id, v_types, w.first, w.until, v_zone, v_at) ELSE 0 END
            FROM members_window(v_window, v_months, j.day, ((m.tier_until
                 - interval '1 microsecond') AT TIME ZONE v_zone)::date) AS w) END,
        'daily', CASE WHEN v_daily IS NOT NULL AND v_measure IS NOT NULL THEN (
            SELECT json_agg(json_build_array(day, point_type, amount))
            FROM members_tiermeasure
            WHERE member_id = m.id AND measure = v_measure AND point_type = ANY (v_types)
              AND day >= v_daily) END))
    INTO v_answer
    FROM members_member m
    JOIN members_tier t ON t.id = m.tier_id
    CROSS JOIN LATERAL (SELECT (m.joined_at AT TIME ZONE v_zone)::date AS day) j
    WHERE m.id = ANY (p_members);
    RETURN coalesce(v_answer, '[]'::json);
END $$;

-- The same for one member by a reference, beside the lock of the book.
CREATE OR REPLACE FUNCTION ledger_tier_facts_of(p_ask jsonb) RETURNS json LANGUAGE plpgsql VOLATILE
AS $$
BEGIN
    RETURN ledger_tier_facts(ARRAY[ledger_resolve(p_ask -> 'member')], p_ask);
END $$;
