-- The yardstick: what PostgreSQL itself does with the very functions that a posting calls.
-- pgbench sends BEGIN, the locking statement, the writing statement and COMMIT, as Laurel does;
-- these functions only make the draft that Python makes there.

CREATE OR REPLACE FUNCTION bench_header(p_member bigint, p_version bigint, p_kind text, p_id uuid,
    p_points bigint, p_available bigint) RETURNS jsonb LANGUAGE sql AS $$
    SELECT jsonb_build_object('id', p_id, 'member_id', p_member, 'version', p_version,
        'kind', p_kind, 'partner_id', (SELECT id FROM partners_partner WHERE is_house),
        'reference', 'PGBENCH-' || p_id, 'digest', repeat('ab', 32), 'part', 0,
        'occurred_at', now(), 'posted_at', now(), 'amount', '14.97', 'currency', 'EUR',
        'outlet', 'S1', 'tier_before', 'BASE', 'tier_after', 'BASE', 'request_id', p_id,
        'effects', jsonb_build_array(jsonb_build_object('type', 1, 'points', p_points,
            'available', p_available, 'pending', 0, 'locked', 0, 'debt', 0)))
$$;

CREATE OR REPLACE FUNCTION bench_earn(p_opened json) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
    v_book json := p_opened -> 'book';
    v_account json := v_book -> 'accounts' -> 0;
    v_member bigint := v_book #>> '{member,id}';
    v_version bigint := (v_book ->> 'version')::bigint + 1;
    v_available bigint := coalesce((v_account ->> 'available')::bigint, 0) + 12;
    v_id uuid := gen_random_uuid();
    v_lot uuid := gen_random_uuid();
BEGIN
    RETURN jsonb_build_object(
        'transactions', jsonb_build_array(bench_header(v_member, v_version, 'EARN', v_id, 12,
                                                       v_available)),
        'new_lots', jsonb_build_array(jsonb_build_object('id', v_lot, 'member_id', v_member,
            'point_type', 1, 'transaction_id', v_id, 'version', v_version, 'seq', 0,
            'promotion_version', 1, 'partner_id', 1, 'granted', 12, 'pending', 0,
            'available', 12, 'locked', 0, 'available_at', now(),
            'expires_at', now() + interval '1 year', 'expiry', 'P12M/EARNED/MONTH')),
        'entries', jsonb_build_array(jsonb_build_object('member_id', v_member,
            'transaction_id', v_id, 'version', v_version, 'point_type', 1, 'lot', v_lot,
            'source', 1, 'target', 3, 'points', 12)),
        'accounts', jsonb_build_array(jsonb_build_object('member_id', v_member, 'point_type', 1,
            'available', v_available, 'pending', 0, 'locked', 0, 'debt', 0,
            'earned', coalesce((v_account ->> 'earned')::bigint, 0) + 12,
            'redeemed', coalesce((v_account ->> 'redeemed')::bigint, 0), 'expired', 0,
            'reversed', 0)),
        'changed_lots', '[]'::jsonb, 'locks', '[]'::jsonb, 'extended', '[]'::jsonb,
        'books', jsonb_build_array(jsonb_build_object('member_id', v_member,
            'from_version', v_version - 1, 'version', v_version, 'last_posted_at', now(),
            'due_at', now() + interval '1 month', 'activity', '[]'::jsonb)));
END $$;

CREATE OR REPLACE FUNCTION bench_redeem(p_opened json) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
    v_book json := p_opened -> 'book';
    v_account json := v_book -> 'accounts' -> 0;
    v_lot json := v_book -> 'lots' -> 0;
    v_member bigint := v_book #>> '{member,id}';
    v_version bigint := (v_book ->> 'version')::bigint + 1;
    v_available bigint := (v_account ->> 'available')::bigint - 1;
    v_id uuid := gen_random_uuid();
BEGIN
    RETURN jsonb_build_object(
        'transactions', jsonb_build_array(bench_header(v_member, v_version, 'REDEMPTION', v_id,
                                                       -1, v_available)),
        'new_lots', '[]'::jsonb,
        'changed_lots', jsonb_build_array(jsonb_build_object('id', v_lot ->> 'id', 'pending', 0,
            'available', (v_lot ->> 'available')::bigint - 1, 'locked', 0,
            'expires_at', v_lot ->> 'expires_at')),
        'entries', jsonb_build_array(jsonb_build_object('member_id', v_member,
            'transaction_id', v_id, 'version', v_version, 'point_type', 1,
            'lot', v_lot ->> 'id', 'source', 3, 'target', 5, 'points', 1)),
        'accounts', jsonb_build_array(jsonb_build_object('member_id', v_member, 'point_type', 1,
            'available', v_available, 'pending', 0, 'locked', 0, 'debt', 0,
            'earned', (v_account ->> 'earned')::bigint,
            'redeemed', (v_account ->> 'redeemed')::bigint + 1, 'expired', 0, 'reversed', 0)),
        'locks', '[]'::jsonb, 'extended', '[]'::jsonb,
        'books', jsonb_build_array(jsonb_build_object('member_id', v_member,
            'from_version', v_version - 1, 'version', v_version, 'last_posted_at', now(),
            'due_at', v_book ->> 'due_at', 'activity', '[]'::jsonb)));
END $$;
