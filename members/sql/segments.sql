-- Return the codes of the segments that a member is in at p_at, sorted. Called by the statement
-- that locks a book, so that an earn sees its member's segments at no statement more.
CREATE OR REPLACE FUNCTION members_segment_codes(p_member bigint, p_at timestamptz)
RETURNS text[] LANGUAGE sql STABLE AS $$
    SELECT coalesce(array_agg(s.code::text ORDER BY s.code), '{}')
    FROM members_segmentmember m JOIN members_segment s ON s.id = m.segment_id
    WHERE m.member_id = p_member AND (m.until IS NULL OR m.until > p_at) AND s.active;
$$;
