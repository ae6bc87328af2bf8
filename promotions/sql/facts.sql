-- What promotions ask of a member, read in the statement that locks the book. VOLATILE, so that it
-- reads in a later snapshot than the lock: counters stand as the lock found them.
--
-- p_asked: {"member": a reference, "segments": [codes] or null for all, "profile": bool,
--           "attributes": [keys], "periods": [[period, start], ...], "at": the instant of posting,
--           "then": whether segments are those that the member was in at that instant}.
-- Only what is asked for is read and answered.
CREATE OR REPLACE FUNCTION promotions_facts(p_asked jsonb) RETURNS json
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_id bigint := ledger_resolve(p_asked -> 'member');
    v_profile json;
    v_segments json;
    v_counters json;
    v_now timestamptz := (p_asked ->> 'at')::timestamptz;
BEGIN
    IF (p_asked ->> 'profile')::boolean THEN
        SELECT json_build_object(
            'language', m.language, 'born', m.birth_date, 'joined_at', m.joined_at,
            'attributes', coalesce(
                (SELECT jsonb_object_agg(key, value) FROM jsonb_each(m.attributes)
                 WHERE p_asked -> 'attributes' ? key), '{}'))
        INTO v_profile FROM members_member m WHERE m.id = v_id;
    END IF;
    -- Null asks for all of them: a condition may look at any.
    SELECT json_agg(s.code ORDER BY s.code) INTO v_segments
    FROM members_segmentmember m JOIN members_segment s ON s.id = m.segment_id
    WHERE m.member_id = v_id AND s.active AND (m.until IS NULL OR m.until > v_now)
      AND (m.since <= v_now OR NOT coalesce((p_asked ->> 'then')::boolean, false))
      AND (p_asked -> 'segments' = 'null' OR p_asked -> 'segments' ? s.code);
    IF jsonb_array_length(p_asked -> 'periods') > 0 THEN
        SELECT json_agg(json_build_array(c.promotion, c.period, c.start, c.measure, c.amount))
        INTO v_counters
        FROM jsonb_array_elements(p_asked -> 'periods') AS p
        JOIN promotions_limitcounter c
          ON c.member_id = v_id AND c.period = p ->> 0 AND c.start = (p ->> 1)::date;
    END IF;
    RETURN json_build_object(
        'profile', v_profile, 'segments', coalesce(v_segments, '[]'::json),
        'counters', coalesce(v_counters, '[]'::json));
END $$;
