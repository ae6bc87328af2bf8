-- Settle many books at once, set-based: what `ledger.kernel.settlement` does one book at a time.
--
-- The caller holds the locks of the books, taken in an earlier statement, so that everything here
-- is read in a later snapshot. Books with open locks or with debt are left to the kernel: an end
-- of a lock and a payment of debt depend on what came before them. A property test holds both equal.

-- Return a UUIDv7 of this moment, as the application makes them (RFC 9562, 5.7).
CREATE OR REPLACE FUNCTION ledger_uuid7() RETURNS uuid LANGUAGE sql VOLATILE AS $$
    SELECT encode(set_byte(
        overlay(uuid_send(gen_random_uuid())
                PLACING substring(int8send((extract(epoch FROM clock_timestamp()) * 1000)::bigint) FROM 3)
                FROM 1 FOR 6),
        6, 112 | (get_byte(uuid_send(gen_random_uuid()), 0) & 15)), 'hex')::uuid;
$$;

-- Lock the books after a key that have something due, in key order, at most so many. Return the
-- ids of those that can be settled set-based, and of those that need the kernel.
CREATE OR REPLACE FUNCTION ledger_lock_due(
    p_after bigint, p_at timestamptz, p_at_most integer, OUT simple bigint[], OUT complex bigint[]
) LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_ids bigint[];
BEGIN
    SELECT array_agg(member_id ORDER BY member_id) INTO v_ids FROM (
        SELECT member_id FROM ledger_book
        WHERE due_at <= p_at AND member_id > p_after
        ORDER BY member_id LIMIT p_at_most FOR UPDATE
    ) b;
    SELECT coalesce(array_agg(id) FILTER (WHERE hard), '{}'),
           coalesce(array_agg(id) FILTER (WHERE NOT hard), '{}')
    INTO complex, simple
    FROM (
        SELECT b.id,
               EXISTS (SELECT 1 FROM ledger_pointlock k WHERE k.member_id = b.id AND k.open)
               OR EXISTS (SELECT 1 FROM ledger_account a WHERE a.member_id = b.id AND a.debt > 0)
               AS hard
        FROM unnest(v_ids) AS b (id)
    ) m;
END $$;

CREATE OR REPLACE FUNCTION ledger_settle_many(
    p_members bigint[], p_at timestamptz, OUT released bigint, OUT expired bigint,
    OUT transactions bigint
) LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_house bigint;
BEGIN
    SELECT id INTO v_house FROM partners_partner WHERE is_house;
    -- A month that is closed is settled with partners: nothing is posted into it any more.
    p_at := greatest(p_at, (SELECT books_closed_until FROM loyalty_program WHERE id = 1));
    CREATE TEMPORARY TABLE IF NOT EXISTS settling_event (
        member_id bigint, point_type_id bigint, lot_id uuid, instant timestamptz, step smallint,
        points bigint, seq bigint, transaction_id uuid, version bigint
    ) ON COMMIT DELETE ROWS;
    CREATE TEMPORARY TABLE IF NOT EXISTS settling_transaction (
        member_id bigint, version bigint, id uuid, instant timestamptz, step smallint,
        posted_at timestamptz
    ) ON COMMIT DELETE ROWS;
    DELETE FROM settling_event;
    DELETE FROM settling_transaction;

    -- What is due: a pending lot is released; what it then has, or had, expires past its date.
    INSERT INTO settling_event (member_id, point_type_id, lot_id, instant, step, points, seq)
    SELECT member_id, point_type_id, id, e.instant, e.step, e.points,
           row_number() OVER (ORDER BY member_id, version, seq)
    FROM (
        SELECT l.*, greatest(p_at, b.last_posted_at) AS now
        FROM ledger_lot l JOIN ledger_book b ON b.member_id = l.member_id
        WHERE l.open AND l.member_id = ANY (p_members)
    ) l
    CROSS JOIN LATERAL (
        SELECT l.available_at AS instant, 1 AS step, l.pending AS points
        WHERE l.pending > 0 AND l.available_at <= l.now
        UNION ALL
        SELECT CASE WHEN l.pending > 0 THEN greatest(l.expires_at, l.available_at)
                    ELSE l.expires_at END, 2, l.available + l.pending
        WHERE l.expires_at <= l.now AND l.available + l.pending > 0
          AND (l.pending = 0 OR l.available_at <= l.now)
    ) e;
    ANALYZE settling_event;

    -- One transaction for each instant and kind of a book, in order.
    INSERT INTO settling_transaction (member_id, version, id, instant, step, posted_at)
    SELECT t.member_id, b.version + row_number() OVER (
               PARTITION BY t.member_id ORDER BY t.instant, t.step),
           ledger_uuid7(), t.instant, t.step, greatest(p_at, b.last_posted_at)
    FROM (SELECT DISTINCT member_id, instant, step FROM settling_event) t
    JOIN ledger_book b ON b.member_id = t.member_id;
    ANALYZE settling_transaction;
    UPDATE settling_event e SET transaction_id = t.id, version = t.version
    FROM settling_transaction t
    WHERE t.member_id = e.member_id AND t.instant = e.instant AND t.step = e.step;

    INSERT INTO ledger_transaction (
        id, member_id, version, kind, partner_id, part, occurred_at, posted_at, effects)
    SELECT t.id, t.member_id, t.version, CASE t.step WHEN 1 THEN 'RELEASE' ELSE 'EXPIRY' END,
           v_house, 0, t.instant, t.posted_at, f.effects
    FROM settling_transaction t
    JOIN (
        SELECT transaction_id, jsonb_agg(jsonb_build_object(
            'type', point_type_id, 'points', gained, 'available', available, 'pending', pending,
            'locked', locked, 'debt', debt) ORDER BY first_seq) AS effects
        FROM (
            -- The figures after each transaction: the account's, and all changes so far.
            SELECT m.transaction_id, m.point_type_id, m.first_seq,
                   CASE m.step WHEN 1 THEN 0 ELSE -m.points END AS gained, a.locked, a.debt,
                   a.available + sum(CASE m.step WHEN 1 THEN m.points ELSE -m.points END)
                       OVER chain AS available,
                   a.pending - sum(CASE m.step WHEN 1 THEN m.points ELSE 0 END)
                       OVER chain AS pending
            FROM (
                SELECT transaction_id, member_id, point_type_id, step, version,
                       sum(points) AS points, min(seq) AS first_seq
                FROM settling_event
                GROUP BY transaction_id, member_id, point_type_id, step, version
            ) m
            JOIN ledger_account a
              ON a.member_id = m.member_id AND a.point_type_id = m.point_type_id
            WINDOW chain AS (PARTITION BY m.member_id, m.point_type_id ORDER BY m.version)
        ) figures
        GROUP BY transaction_id
    ) f ON f.transaction_id = t.id;

    INSERT INTO ledger_entry (
        member_id, transaction_id, version, point_type_id, lot_id, source, target, points)
    SELECT member_id, transaction_id, version, point_type_id, lot_id,
           CASE step WHEN 1 THEN 2 ELSE 3 END, CASE step WHEN 1 THEN 3 ELSE 6 END, points
    FROM settling_event ORDER BY member_id, version, seq;

    INSERT INTO loyalty_outboxevent (type, member_id, version, partner_id, object_id, created_at)
    SELECT CASE step WHEN 1 THEN 'points.release' ELSE 'points.expiry' END, member_id, version,
           v_house, id, posted_at
    FROM settling_transaction ORDER BY member_id, version;

    UPDATE ledger_lot l SET
        pending = CASE WHEN e.release THEN 0 ELSE l.pending END,
        available = CASE WHEN e.expiry THEN 0 ELSE l.available + l.pending END,
        open = l.locked > 0 OR NOT e.expiry
    FROM (
        SELECT lot_id, bool_or(step = 1) AS release, bool_or(step = 2) AS expiry
        FROM settling_event GROUP BY lot_id
    ) e
    WHERE l.id = e.lot_id;

    UPDATE ledger_account a SET
        available = a.available + m.released - m.expired, pending = a.pending - m.released,
        expired = a.expired + m.expired
    FROM (
        SELECT member_id, point_type_id,
               coalesce(sum(points) FILTER (WHERE step = 1), 0) AS released,
               coalesce(sum(points) FILTER (WHERE step = 2), 0) AS expired
        FROM settling_event GROUP BY member_id, point_type_id
    ) m
    WHERE a.member_id = m.member_id AND a.point_type_id = m.point_type_id;

    -- Every book here gets its next due instant, those too that had nothing due after all.
    UPDATE ledger_book b SET
        version = coalesce(t.version, b.version), due_at = d.due,
        last_posted_at = coalesce(t.posted_at, b.last_posted_at)
    FROM unnest(p_members) AS m (id)
    LEFT JOIN (
        SELECT member_id, max(version) AS version, max(posted_at) AS posted_at
        FROM settling_transaction GROUP BY member_id
    ) t ON t.member_id = m.id
    LEFT JOIN (
        SELECT member_id, min(least(CASE WHEN pending > 0 THEN available_at END,
                                    CASE WHEN available > 0 THEN expires_at END)) AS due
        FROM ledger_lot WHERE open AND member_id = ANY (p_members) GROUP BY member_id
    ) d ON d.member_id = m.id
    WHERE b.member_id = m.id;

    SELECT coalesce(sum(points) FILTER (WHERE step = 1), 0),
           coalesce(sum(points) FILTER (WHERE step = 2), 0)
    INTO released, expired FROM settling_event;
    SELECT count(*) INTO transactions FROM settling_transaction;
END $$;
