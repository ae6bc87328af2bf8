-- Return the codes of the segments that a member is in at p_at, sorted. Called by the statement
-- that locks a book, so that an earn sees its member's segments at no statement more.
CREATE OR REPLACE FUNCTION members_segment_codes(p_member bigint, p_at timestamptz)
RETURNS text[] LANGUAGE sql STABLE AS $$
    SELECT coalesce(array_agg(s.code::text ORDER BY s.code), '{}')
    FROM members_segmentmember m JOIN members_segment s ON s.id = m.segment_id
    WHERE m.member_id = p_member AND (m.until IS NULL OR m.until > p_at) AND s.active;
$$;

-- Return the member that holds what a merged one held, at the end of its chain of merges.
CREATE OR REPLACE FUNCTION members_survivor(p_member bigint) RETURNS bigint
LANGUAGE plpgsql STABLE AS $$
DECLARE
    v_id bigint := p_member;
    v_next bigint;
BEGIN
    LOOP
        SELECT merged_into_id INTO v_next FROM members_member WHERE id = v_id;
        EXIT WHEN v_next IS NULL;
        v_id := v_next;
    END LOOP;
    RETURN v_id;
END $$;
