-- Events of members that were rewarded: what cooldowns count from.

-- Return the rewarded events of a type that lie next to an instant, as {"before", "after"}, read in
-- the statement that locks the book and, VOLATILE, in a later snapshot than the lock. p_asked:
-- {"member": a reference, "event": the code of the type, "at": the instant}. What a merged member
-- did is the survivor's.
CREATE OR REPLACE FUNCTION promotions_events_near(p_asked jsonb) RETURNS json
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_at timestamptz := (p_asked ->> 'at')::timestamptz;
    v_answer json;
BEGIN
    SELECT json_build_object('before', max(e.before), 'after', min(e.after))
    INTO v_answer
    FROM unnest(ledger_merged(ledger_resolve(p_asked -> 'member'))) AS m (id)
    CROSS JOIN LATERAL (
        SELECT max(occurred_at) FILTER (WHERE occurred_at <= v_at) AS before,
               min(occurred_at) FILTER (WHERE occurred_at > v_at) AS after
        FROM promotions_memberevent
        WHERE member_id = m.id AND event = p_asked ->> 'event'
    ) e;
    RETURN v_answer;
END $$;

-- Note rewarded events, and take away those whose postings were reversed, in the statement that
-- writes the books. p_events: {"rewarded": [{transaction_id, member_id, event, occurred_at}],
-- "reversed": [transaction ids]}.
CREATE OR REPLACE FUNCTION promotions_note_events(p_events jsonb) RETURNS void
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    DELETE FROM promotions_memberevent WHERE transaction_id IN (
        SELECT jsonb_array_elements_text(coalesce(p_events -> 'reversed', '[]'))::uuid);
    INSERT INTO promotions_memberevent (transaction_id, member_id, event, occurred_at)
    SELECT transaction_id, member_id, event, occurred_at
    FROM jsonb_to_recordset(coalesce(p_events -> 'rewarded', '[]')) AS e (
        transaction_id uuid, member_id bigint, event text, occurred_at timestamptz);
END $$;
