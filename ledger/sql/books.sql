-- Reading and locking one member's book. Replaces, on the hot path, about eight ORM queries.
--
-- A redemption must read lots in a later snapshot than its lock, or it works with lots as they
-- were before the lock was granted. So the lock is taken by a VOLATILE function, whose inner
-- statements each take a new snapshot, and the loading is a STABLE one, which sees the snapshot
-- of the statement that calls it: the later one after a lock, the query's own in a plain read.

-- Return the id of the member that a reference names: {"id"}, {"number"}, {"card"} or
-- {"alias": {"provider", "value"}}. A merged member's survivor answers in its place.
CREATE OR REPLACE FUNCTION ledger_resolve(p_reference jsonb) RETURNS bigint
LANGUAGE plpgsql STABLE AS $$
DECLARE
    v_id bigint;
    v_survivor bigint;
BEGIN
    IF p_reference ? 'id' THEN
        v_id := (p_reference ->> 'id')::bigint;
    ELSIF p_reference ? 'number' THEN
        SELECT id INTO v_id FROM members_member WHERE number = p_reference ->> 'number';
    ELSIF p_reference ? 'card' THEN
        SELECT member_id INTO v_id FROM members_card WHERE number = p_reference ->> 'card';
    ELSE
        SELECT a.member_id INTO v_id
        FROM members_alias a JOIN loyalty_identityprovider p ON p.id = a.provider_id
        WHERE p.code = p_reference #>> '{alias,provider}'
          AND a.value = p_reference #>> '{alias,value}';
    END IF;
    LOOP
        SELECT merged_into_id INTO v_survivor FROM members_member WHERE id = v_id;
        EXIT WHEN v_survivor IS NULL;
        v_id := v_survivor;
    END LOOP;
    RETURN v_id;
END $$;

-- Return the ids of a member and of all who were merged into it, at whatever remove.
CREATE OR REPLACE FUNCTION ledger_merged(p_member bigint) RETURNS bigint[]
LANGUAGE sql STABLE AS $$
    WITH RECURSIVE merged (id) AS (
        SELECT p_member
        UNION ALL
        SELECT m.id FROM merged JOIN members_member m ON m.merged_into_id = merged.id
    )
    SELECT array_agg(id) FROM merged;
$$;

-- Return which lots an operation needs, as one JSON array.
--   NONE   none            DUE    those with something due at p_at
--   COVER  DUE, and the soonest-expiring that cover p_cover points of p_point_type
--   ALL    every open lot
CREATE OR REPLACE FUNCTION ledger_load_lots(
    p_member bigint, p_at timestamptz, p_due boolean, p_lots text, p_point_type bigint, p_cover bigint
) RETURNS json LANGUAGE plpgsql STABLE AS $$
DECLARE
    v_covered bigint := 0;
    v_ids uuid[] := '{}';
    v_lot record;
    v_answer json;
BEGIN
    IF p_lots = 'COVER' THEN
        -- Walks the index in spending order and stops when covered: cost follows the amount, not
        -- the number of lots a member has.
        FOR v_lot IN
            SELECT id, available, expires_at FROM ledger_lot
            WHERE member_id = p_member AND point_type_id = p_point_type AND open
            ORDER BY expires_at, version, seq
        LOOP
            EXIT WHEN v_covered >= p_cover;
            CONTINUE WHEN v_lot.available = 0 OR v_lot.expires_at <= p_at;
            v_covered := v_covered + v_lot.available;
            v_ids := v_ids || v_lot.id;
        END LOOP;
    END IF;
    IF p_lots = 'ALL' THEN
        v_ids := ARRAY(SELECT id FROM ledger_lot WHERE member_id = p_member AND open);
    ELSE
        v_ids := v_ids || ARRAY(
            SELECT h.lot_id FROM ledger_pointlock k JOIN ledger_lockedlot h ON h.lock_id = k.id
            WHERE k.member_id = p_member AND k.open AND h.points > 0);
        IF p_due THEN
            v_ids := v_ids || ARRAY(
                SELECT id FROM ledger_lot
                WHERE member_id = p_member AND open
                  AND ((pending > 0 AND available_at <= p_at)
                       OR (available > 0 AND expires_at <= p_at)));
        END IF;
    END IF;
    SELECT json_agg(json_build_object(
        'id', l.id, 'point_type', l.point_type_id, 'transaction_id', l.transaction_id,
        'version', l.version, 'seq', l.seq, 'promotion_version', l.promotion_version,
        'partner_id', l.partner_id, 'granted', l.granted, 'pending', l.pending,
        'available', l.available, 'locked', l.locked, 'available_at', l.available_at,
        'expires_at', l.expires_at, 'expiry', l.expiry, 'origin', l.origin,
        'moved_from', l.moved_from))
    INTO v_answer
    FROM ledger_lot l WHERE l.id = ANY (v_ids);
    RETURN v_answer;
END $$;

-- Return one member's book as JSON, in the snapshot of the calling statement.
--
-- Everything here is found by a key. A plan that is made while a table is young would scan it, and
-- a session keeps that plan while the table grows, until statistics come: so no scan is allowed.
CREATE OR REPLACE FUNCTION ledger_load_book(
    p_member bigint, p_at timestamptz, p_lots text, p_point_type bigint, p_cover bigint
) RETURNS json LANGUAGE plpgsql STABLE SET enable_seqscan = off AS $$
DECLARE
    v_book ledger_book;
    v_member record;
    v_at timestamptz;
    v_due boolean;
    v_has_lots boolean;
    v_accounts json;
    v_lots json;
    v_locks json;
    v_later timestamptz;
BEGIN
    SELECT m.id, m.number, m.stage, m.enrolled_by_id, m.currency, m.joined_at, t.code AS tier,
           p.epoch AS epoch, p.books_closed_until, h.id AS house, r.per_transaction, r.per_day
    INTO v_member
    FROM members_member m
    LEFT JOIN members_tier t ON t.id = m.tier_id
    LEFT JOIN members_redemptionthreshold r ON r.member_id = m.id
    CROSS JOIN loyalty_program p
    CROSS JOIN (SELECT id FROM partners_partner WHERE is_house) h
    WHERE m.id = p_member AND p.id = 1;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    SELECT * INTO v_book FROM ledger_book WHERE member_id = p_member;
    -- A month that is closed is settled with partners: nothing is posted into it any more.
    v_book.last_posted_at := greatest(v_book.last_posted_at, v_member.books_closed_until);
    SELECT json_agg(json_build_object(
        'point_type', point_type_id, 'available', available, 'pending', pending,
        'locked', locked, 'debt', debt, 'earned', earned, 'redeemed', redeemed,
        'expired', expired, 'reversed', reversed))
    INTO v_accounts FROM ledger_account WHERE member_id = p_member;
    v_at := greatest(p_at, v_book.last_posted_at);
    v_due := coalesce(v_book.due_at <= v_at, false);
    v_later := v_book.due_at;
    IF v_due OR p_lots NOT IN ('NONE', 'DUE') THEN
        v_lots := ledger_load_lots(p_member, v_at, v_due, p_lots, p_point_type, p_cover);
        SELECT json_agg(json_build_object(
            'id', k.id, 'lock_class', k.lock_class, 'point_type', k.point_type_id,
            'partner_id', k.partner_id, 'until', k.until, 'sale', k.sale, 'reason', k.reason,
            'lots', (SELECT coalesce(json_agg(json_build_object(
                         'lot', h.lot_id, 'points', h.points, 'marked', h.marked)), '[]'::json)
                     FROM ledger_lockedlot h
                     WHERE h.lock_id = k.id AND (h.points > 0 OR h.marked))) ORDER BY k.id)
        INTO v_locks FROM ledger_pointlock k WHERE k.member_id = p_member AND k.open;
        IF v_due THEN
            -- What is not due yet, and not loaded, bounds the next due instant.
            SELECT least(
                min(available_at) FILTER (WHERE pending > 0 AND available_at > v_at),
                min(expires_at) FILTER (WHERE available > 0 AND expires_at > v_at))
            INTO v_later FROM ledger_lot WHERE member_id = p_member AND open;
        END IF;
    END IF;
    RETURN json_build_object(
        'member', json_build_object(
            'id', v_member.id, 'number', v_member.number, 'stage', v_member.stage,
            'tier', v_member.tier, 'enrolled_by', v_member.enrolled_by_id,
            'currency', v_member.currency, 'joined_at', v_member.joined_at,
            'pin_above', v_member.per_transaction::text,
            'pin_above_per_day', v_member.per_day::text),
        'house', v_member.house, 'epoch', v_member.epoch,
        'version', coalesce(v_book.version, 0), 'last_posted_at', v_book.last_posted_at,
        'due_at', v_book.due_at, 'later_due', v_later, 'activity', coalesce(v_book.activity, '{}'),
        'accounts', coalesce(v_accounts, '[]'::json), 'lots', coalesce(v_lots, '[]'::json),
        'locks', coalesce(v_locks, '[]'::json));
END $$;

-- Return the transactions that a reference already names, as JSON; null if there are none.
CREATE OR REPLACE FUNCTION ledger_find(p_partner bigint, p_kind text, p_reference text)
RETURNS json LANGUAGE sql STABLE AS $$
    SELECT json_agg(json_build_object('id', id, 'digest', encode(digest, 'hex'), 'part', part)
                    ORDER BY part)
    FROM ledger_transaction
    WHERE partner_id = p_partner AND kind = p_kind AND reference = p_reference;
$$;

-- Lock a member's book, open it if there is none, and return it with what a reference already
-- posted and the card by which the member was named. Null if nobody is named so.
CREATE OR REPLACE FUNCTION ledger_open_book(
    p_member jsonb, p_at timestamptz, p_partner bigint, p_kind text, p_reference text,
    p_lots text, p_point_type bigint, p_cover bigint
) RETURNS json LANGUAGE plpgsql VOLATILE SET enable_seqscan = off AS $$
DECLARE
    v_id bigint := ledger_resolve(p_member);
    v_survivor bigint;
    v_card json;
BEGIN
    IF v_id IS NULL THEN
        RETURN NULL;
    END IF;
    LOOP
        PERFORM 1 FROM ledger_book WHERE member_id = v_id FOR UPDATE;
        IF NOT FOUND THEN
            INSERT INTO ledger_book (member_id, version, activity) VALUES (v_id, 0, '{}')
            ON CONFLICT DO NOTHING;
            PERFORM 1 FROM ledger_book WHERE member_id = v_id FOR UPDATE;
        END IF;
        -- A merge may have finished while we waited for the lock: follow it.
        v_survivor := ledger_resolve(jsonb_build_object('id', v_id));
        EXIT WHEN v_survivor = v_id;
        v_id := v_survivor;
    END LOOP;
    IF p_member ? 'card' THEN
        SELECT json_build_object('number', number, 'status', status, 'reported_at', reported_at)
        INTO v_card FROM members_card WHERE number = p_member ->> 'card';
    END IF;
    RETURN json_build_object(
        'book', ledger_load_book(v_id, p_at, p_lots, p_point_type, p_cover),
        'card', v_card,
        'earlier', CASE WHEN p_reference IS NOT NULL
                        THEN ledger_find(p_partner, p_kind, p_reference) END);
END $$;
