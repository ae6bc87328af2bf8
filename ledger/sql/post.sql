-- Write the draft of any number of books: the only statement that changes the books.
-- Replaces an INSERT or UPDATE per row; each part runs only where the draft has such rows.
--
-- The draft was computed under the books' locks, so the figures in it are absolute. That each
-- book still stands at the version the draft began from is checked all the same.
CREATE OR REPLACE FUNCTION ledger_post(p_draft jsonb) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    v_count bigint;
    -- The planner takes a JSON array for a hundred rows, and would read a whole table to join that
    -- many. Naming the keys beside the join makes it use the index.
    v_members bigint[] := ARRAY(
        SELECT (b ->> 'member_id')::bigint FROM jsonb_array_elements(p_draft -> 'books') AS b);
    v_lots uuid[] := ARRAY(
        SELECT (l ->> 'id')::uuid FROM jsonb_array_elements(p_draft -> 'changed_lots') AS l);
BEGIN
    INSERT INTO ledger_transaction (
        id, member_id, version, kind, partner_id, reference, digest, part, sale, original, lock,
        occurred_at, posted_at, amount, currency, outlet, purpose, reason, request_id,
        tier_before, tier_after, effects, data)
    SELECT id, member_id, version, kind, partner_id, reference, decode(digest, 'hex'), part, sale,
           original, lock, occurred_at, posted_at, amount, currency, outlet, purpose, reason,
           request_id, tier_before, tier_after, effects, data
    FROM jsonb_to_recordset(p_draft -> 'transactions') AS t (
        id uuid, member_id bigint, version bigint, kind text, partner_id bigint, reference text,
        digest text, part smallint, sale uuid, original uuid, lock uuid, occurred_at timestamptz,
        posted_at timestamptz, amount numeric, currency text, outlet text, purpose text,
        reason text, request_id text, tier_before text, tier_after text, effects jsonb, data jsonb);

    INSERT INTO loyalty_outboxevent (type, member_id, version, partner_id, object_id, created_at)
    SELECT 'points.' || lower(kind), member_id, version, partner_id, id, posted_at
    FROM jsonb_to_recordset(p_draft -> 'transactions') AS t (
        id uuid, member_id bigint, version bigint, kind text, partner_id bigint,
        posted_at timestamptz);

    IF jsonb_array_length(p_draft -> 'new_lots') > 0 THEN
        INSERT INTO ledger_lot (
            id, member_id, point_type_id, transaction_id, version, seq, promotion_version,
            partner_id, granted, pending, available, locked, open, available_at, expires_at,
            expiry, origin, moved_from)
        SELECT id, member_id, point_type, transaction_id, version, seq, promotion_version,
               partner_id, granted, pending, available, locked, pending + available + locked > 0,
               available_at, expires_at, expiry, origin, moved_from
        FROM jsonb_to_recordset(p_draft -> 'new_lots') AS l (
            id uuid, member_id bigint, point_type bigint, transaction_id uuid, version bigint,
            seq smallint, promotion_version bigint, partner_id bigint, granted bigint,
            pending bigint, available bigint, locked bigint, available_at timestamptz,
            expires_at timestamptz, expiry text, origin uuid, moved_from uuid);
    END IF;

    IF jsonb_array_length(p_draft -> 'changed_lots') > 0 THEN
        UPDATE ledger_lot SET
            pending = l.pending, available = l.available, locked = l.locked,
            open = l.pending + l.available + l.locked > 0, expires_at = l.expires_at
        FROM jsonb_to_recordset(p_draft -> 'changed_lots') AS l (
            id uuid, pending bigint, available bigint, locked bigint, expires_at timestamptz)
        WHERE ledger_lot.id = l.id AND ledger_lot.id = ANY (v_lots);
    END IF;

    IF jsonb_array_length(p_draft -> 'entries') > 0 THEN
        INSERT INTO ledger_entry (
            member_id, transaction_id, version, point_type_id, lot_id, source, target, points)
        SELECT member_id, transaction_id, version, point_type, lot, source, target, points
        FROM jsonb_to_recordset(p_draft -> 'entries') AS e (
            member_id bigint, transaction_id uuid, version bigint, point_type bigint, lot uuid,
            source smallint, target smallint, points bigint);
        INSERT INTO ledger_account AS a (
            member_id, point_type_id, available, pending, locked, debt, earned, redeemed, expired,
            reversed)
        SELECT member_id, point_type, available, pending, locked, debt, earned, redeemed, expired,
               reversed
        FROM jsonb_to_recordset(p_draft -> 'accounts') AS t (
            member_id bigint, point_type bigint, available bigint, pending bigint, locked bigint,
            debt bigint, earned bigint, redeemed bigint, expired bigint, reversed bigint)
        ON CONFLICT (member_id, point_type_id) DO UPDATE SET
            available = excluded.available, pending = excluded.pending, locked = excluded.locked,
            debt = excluded.debt, earned = excluded.earned, redeemed = excluded.redeemed,
            expired = excluded.expired, reversed = excluded.reversed;
    END IF;

    IF jsonb_array_length(p_draft -> 'locks') > 0 THEN
        INSERT INTO ledger_pointlock AS k (
            id, member_id, point_type_id, partner_id, lock_class, sale, until, reason, open)
        SELECT id, member_id, point_type, partner_id, lock_class, sale, until, reason, open
        FROM jsonb_to_recordset(p_draft -> 'locks') AS t (
            id uuid, member_id bigint, point_type bigint, partner_id bigint, lock_class text,
            sale uuid, until timestamptz, reason text, open boolean)
        -- After a merge a lock goes on under its id, as the survivor's.
        ON CONFLICT (id) DO UPDATE SET open = excluded.open, member_id = excluded.member_id;
        INSERT INTO ledger_lockedlot AS h (lock_id, lot_id, member_id, points, marked)
        SELECT (k ->> 'id')::uuid, lot, (k ->> 'member_id')::bigint, points, marked
        FROM jsonb_array_elements(p_draft -> 'locks') AS k,
             jsonb_to_recordset(k -> 'lots') AS t (lot uuid, points bigint, marked boolean)
        ON CONFLICT (lock_id, lot_id) DO UPDATE SET
            points = excluded.points, marked = excluded.marked;
    END IF;

    IF jsonb_array_length(p_draft -> 'extended') > 0 THEN
        -- Activity moves the open lots of its policy forward, never back.
        UPDATE ledger_lot SET expires_at = x.expires_at
        FROM jsonb_to_recordset(p_draft -> 'extended') AS x (
            member_id bigint, expiry text, expires_at timestamptz)
        WHERE ledger_lot.member_id = x.member_id AND ledger_lot.open
          AND ledger_lot.expiry = x.expiry AND ledger_lot.expires_at < x.expires_at;
    END IF;

    UPDATE ledger_book SET
        version = b.version, last_posted_at = b.last_posted_at, due_at = b.due_at,
        activity = ARRAY(SELECT jsonb_array_elements_text(b.activity))
    FROM jsonb_to_recordset(p_draft -> 'books') AS b (
        member_id bigint, from_version bigint, version bigint, last_posted_at timestamptz,
        due_at timestamptz, activity jsonb)
    WHERE ledger_book.member_id = b.member_id AND ledger_book.member_id = ANY (v_members)
      AND ledger_book.version = b.from_version;
    GET DIAGNOSTICS v_count = ROW_COUNT;
    IF v_count <> jsonb_array_length(p_draft -> 'books') THEN
        RAISE EXCEPTION 'a book was written without its lock' USING ERRCODE = '40001';
    END IF;
    -- The first posting fixes the time zone: dates were counted in it (DESIGN 2.7).
    PERFORM 1 FROM loyalty_program WHERE id = 1 AND time_zone_fixed;
    IF NOT FOUND THEN
        UPDATE loyalty_program SET time_zone_fixed = true WHERE id = 1 AND NOT time_zone_fixed;
    END IF;
END $$;
