-- What the ladder counts, and what it writes. Replaces an ORM query per row on the way of every
-- earn: both are called in the statement that writes the books.

-- Return the days that are summed for a day; `members.ladder.window_of` is the same in Python.
CREATE OR REPLACE FUNCTION members_window(
    p_window text, p_months integer, p_joined date, p_day date, OUT first date, OUT until date
) LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
    v_years integer;
BEGIN
    IF p_window = 'CALENDAR_YEAR' THEN
        first := date_trunc('year', p_day)::date;
        until := (first + interval '1 year')::date;
    ELSIF p_window = 'ROLLING_MONTHS' THEN
        until := p_day + 1;
        first := (until - make_interval(months => p_months))::date;
    ELSE
        v_years := extract(year FROM p_day)::integer - extract(year FROM p_joined)::integer;
        IF (p_joined + make_interval(years => v_years))::date > p_day THEN
            v_years := v_years - 1;
        END IF;
        first := (p_joined + make_interval(years => v_years))::date;
        until := (p_joined + make_interval(years => v_years + 1))::date;
    END IF;
END $$;

-- Return what a member has in a window. A visit is a day with a purchase that still stands.
CREATE OR REPLACE FUNCTION members_measured(
    p_member bigint, p_measure text, p_types bigint[], p_first date, p_until date
) RETURNS bigint LANGUAGE sql STABLE AS $$
    SELECT coalesce(sum(CASE WHEN p_measure = 'VISITS' THEN (amount > 0)::integer
                             ELSE amount END), 0)::bigint
    FROM members_tiermeasure
    WHERE member_id = p_member AND measure = p_measure AND point_type = ANY (p_types)
      AND day >= p_first AND day < p_until;
$$;

-- Write what a unit counted and how it moved members. Each part runs only where there is any:
-- measures are added to, moves set a member's tier, checks are noted or done with, overrides
-- begin or end, and the history and the outbox tell of it.
CREATE OR REPLACE FUNCTION members_record_tiers(p jsonb) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF p ? 'measures' THEN
        INSERT INTO members_tiermeasure AS t (member_id, measure, point_type, day, amount)
        SELECT member_id, measure, point_type, day, sum(amount)
        FROM jsonb_to_recordset(p -> 'measures') AS m (
            member_id bigint, measure text, point_type bigint, day date, amount bigint)
        GROUP BY member_id, measure, point_type, day
        ON CONFLICT (member_id, measure, point_type, day)
        DO UPDATE SET amount = t.amount + excluded.amount;
    END IF;
    IF p ? 'moves' THEN
        UPDATE members_member SET
            tier_id = t.id, tier_since = m.since, tier_until = m.until
        FROM jsonb_to_recordset(p -> 'moves') AS m (
            member_id bigint, tier text, since timestamptz, until timestamptz)
        JOIN members_tier t ON t.code = m.tier
        WHERE members_member.id = m.member_id
          AND members_member.id = ANY (ARRAY(
              SELECT (e ->> 'member_id')::bigint FROM jsonb_array_elements(p -> 'moves') AS e));
    END IF;
    IF p ? 'done_checks' THEN
        DELETE FROM members_tiercheck
        USING jsonb_to_recordset(p -> 'done_checks') AS c (member_id bigint, at timestamptz)
        WHERE members_tiercheck.member_id = c.member_id AND members_tiercheck.due_at <= c.at
          AND members_tiercheck.member_id = ANY (ARRAY(
              SELECT (e ->> 'member_id')::bigint FROM jsonb_array_elements(p -> 'done_checks') AS e));
    END IF;
    IF p ? 'checks' THEN
        INSERT INTO members_tiercheck (member_id, due_at)
        SELECT DISTINCT member_id, due_at
        FROM jsonb_to_recordset(p -> 'checks') AS c (member_id bigint, due_at timestamptz)
        ON CONFLICT DO NOTHING;
    END IF;
    IF p ? 'overrides' THEN
        UPDATE members_tieroverride SET
            applied_at = o.applied_at, closed_at = o.closed_at, ends_at = o.ends_at,
            had_tier = o.had_tier, had_since = o.had_since, had_until = o.had_until
        FROM jsonb_to_recordset(p -> 'overrides') AS o (
            id bigint, applied_at timestamptz, closed_at timestamptz, ends_at timestamptz,
            had_tier text, had_since timestamptz, had_until timestamptz)
        WHERE members_tieroverride.id = o.id;
    END IF;
    IF p ? 'activities' THEN
        INSERT INTO members_activity (
            member_id, kind, at, actor_kind, actor, partner_id, reason, data)
        SELECT member_id, kind, at, actor_kind, actor, partner_id, reason, data
        FROM jsonb_to_recordset(p -> 'activities') AS a (
            member_id bigint, kind text, at timestamptz, actor_kind text, actor text,
            partner_id bigint, reason text, data jsonb);
    END IF;
    IF p ? 'events' THEN
        INSERT INTO loyalty_outboxevent (
            type, member_id, version, partner_id, object_id, created_at, payload)
        SELECT type, member_id, version, partner_id, object_id, created_at, payload
        FROM jsonb_to_recordset(p -> 'events') AS e (
            type text, member_id bigint, version bigint, partner_id bigint, object_id uuid,
            created_at timestamptz, payload jsonb);
    END IF;
END $$;
