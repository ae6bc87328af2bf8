-- Budgets and limits of the whole programme: what is left lies in 16 slots, so that tills racing
-- for it do not wait for each other until it runs low.

-- Claim from budgets, in the order given (by key: the lock order). Each of p_wants is {"promotion",
-- "per", "period", "start", "measure", "number", "at_most", "want", "skip", "slot"}. The whole want
-- is taken from the slot named; where that has not enough, all slots are locked in order, what is
-- there is taken, and the rest is spread again. So a budget is never passed, and nothing of it is
-- stranded. Answers [[granted, slot], ...]; slot 0 where all are held.
CREATE OR REPLACE FUNCTION promotions_claim(p_wants jsonb) RETURNS json
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    w record;
    v_rest bigint;
    v_number integer;
    v_at_most bigint;
    v_granted bigint;
    v_answer json[] := '{}';
BEGIN
    FOR w IN
        SELECT * FROM jsonb_to_recordset(p_wants) AS t (
            promotion text, per text, period text, start date, measure text, number integer,
            at_most bigint, want bigint, skip boolean, slot smallint)
    LOOP
        -- An update that waited for its row and then finds too little keeps the row locked. Its
        -- subtransaction gives it up again, or all slots would not be locked in order.
        BEGIN
            UPDATE promotions_budgetslot SET rest = rest - w.want
            WHERE promotion = w.promotion AND per = w.per AND period = w.period
              AND start = w.start AND measure = w.measure AND slot = w.slot
              AND rest >= w.want AND number >= w.number;
            IF NOT FOUND THEN
                RAISE EXCEPTION USING ERRCODE = 'LB001';
            END IF;
            v_answer := v_answer || json_build_array(w.want, w.slot);
            CONTINUE;
        EXCEPTION WHEN SQLSTATE 'LB001' THEN
            NULL;
        END;
        INSERT INTO promotions_budgetslot (
            promotion, per, period, start, measure, slot, rest, at_most, number)
        SELECT w.promotion, w.per, w.period, w.start, w.measure, s,
               w.at_most / 16 + (s < w.at_most % 16)::integer, w.at_most, w.number
        FROM generate_series(0, 15) AS s
        ON CONFLICT DO NOTHING;
        PERFORM 1 FROM promotions_budgetslot
        WHERE promotion = w.promotion AND per = w.per AND period = w.period
          AND start = w.start AND measure = w.measure
        ORDER BY slot FOR UPDATE;
        SELECT sum(rest), max(number), max(at_most) INTO v_rest, v_number, v_at_most
        FROM promotions_budgetslot
        WHERE promotion = w.promotion AND per = w.per AND period = w.period
          AND start = w.start AND measure = w.measure;
        IF w.number > v_number THEN
            -- A newer version may have a higher or a lower limit: what was used stays used.
            v_rest := v_rest + w.at_most - v_at_most;
            v_number := w.number;
            v_at_most := w.at_most;
        END IF;
        v_granted := CASE WHEN w.skip AND v_rest < w.want THEN 0
                          ELSE greatest(0, least(w.want, v_rest)) END;
        v_rest := v_rest - v_granted;
        -- Below zero (the limit was lowered below what was used) slot 0 alone holds it.
        UPDATE promotions_budgetslot SET
            rest = CASE WHEN v_rest >= 0 THEN v_rest / 16 + (slot < v_rest % 16)::integer
                        WHEN slot = 0 THEN v_rest ELSE 0 END,
            number = v_number, at_most = v_at_most
        WHERE promotion = w.promotion AND per = w.per AND period = w.period
          AND start = w.start AND measure = w.measure;
        v_answer := v_answer || json_build_array(v_granted, 0);
    END LOOP;
    RETURN array_to_json(v_answer);
END $$;

-- Return what is left for each of p_wants, as `promotions_claim` would find it; nothing is locked.
CREATE OR REPLACE FUNCTION promotions_left(p_wants jsonb) RETURNS json
LANGUAGE sql STABLE AS $$
    SELECT coalesce(json_agg(coalesce(
        (SELECT sum(b.rest) + CASE WHEN max(b.number) < w.number
                                   THEN w.at_most - max(b.at_most) ELSE 0 END
         FROM promotions_budgetslot b
         WHERE b.promotion = w.promotion AND b.per = w.per AND b.period = w.period
           AND b.start = w.start AND b.measure = w.measure), w.at_most) ORDER BY w.place), '[]')
    FROM jsonb_array_elements(p_wants) WITH ORDINALITY AS e (want, place),
         jsonb_to_record(e.want || jsonb_build_object('place', e.place)) AS w (
             place bigint, promotion text, per text, period text, start date, measure text,
             number integer, at_most bigint);
$$;

-- Store evaluations, and what they used up of members' limits, in the statement that writes their
-- postings; give back what was claimed of budgets and is not needed. p_record: {"evaluations": [],
-- "counts": [{member_id, promotion, period, start, measure, amount}], "unused": [{promotion, per,
-- period, start, measure, slot, amount}]}. An amount below zero frees what was used before.
CREATE OR REPLACE FUNCTION promotions_record(p_record jsonb) RETURNS void
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    u record;
BEGIN
    INSERT INTO promotions_evaluation (transaction_id, member_id, inputs, result, engine_version)
    SELECT transaction_id, member_id, inputs, result, engine_version
    FROM jsonb_to_recordset(p_record -> 'evaluations') AS e (
        transaction_id uuid, member_id bigint, inputs jsonb, result jsonb, engine_version smallint);

    IF jsonb_array_length(p_record -> 'counts') > 0 THEN
        INSERT INTO promotions_limitcounter AS c (
            member_id, promotion, period, start, measure, amount)
        SELECT member_id, promotion, period, start, measure, sum(amount)
        FROM jsonb_to_recordset(p_record -> 'counts') AS t (
            member_id bigint, promotion text, period text, start date, measure text, amount bigint)
        GROUP BY member_id, promotion, period, start, measure
        ON CONFLICT (member_id, period, start, promotion, measure)
        DO UPDATE SET amount = c.amount + excluded.amount;
    END IF;

    FOR u IN
        SELECT promotion, per, period, start, measure, slot, sum(amount) AS amount
        FROM jsonb_to_recordset(p_record -> 'unused') AS t (
            promotion text, per text, period text, start date, measure text, slot smallint,
            amount bigint)
        GROUP BY promotion, per, period, start, measure, slot
        ORDER BY promotion, per, period, start, measure, slot
    LOOP
        UPDATE promotions_budgetslot SET rest = rest + u.amount
        WHERE promotion = u.promotion AND per = u.per AND period = u.period
          AND start = u.start AND measure = u.measure AND slot = u.slot;
    END LOOP;
END $$;
