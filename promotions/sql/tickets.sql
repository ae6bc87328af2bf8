-- Tickets are added to, never taken away. What may change of one is whose it is (a merge), and
-- until the list is fixed, that it was taken back.
CREATE OR REPLACE FUNCTION promotions_keep_tickets() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        RAISE EXCEPTION 'tickets are append-only' USING ERRCODE = 'restrict_violation';
    END IF;
    IF (new.id, new.sweepstake_id, new.number, new.source, new.origin_id, new.partner_id, new.at)
       IS DISTINCT FROM
       (old.id, old.sweepstake_id, old.number, old.source, old.origin_id, old.partner_id, old.at)
       OR old.voided_at IS NOT NULL AND new.voided_at IS DISTINCT FROM old.voided_at
    THEN
        RAISE EXCEPTION 'tickets are append-only' USING ERRCODE = 'restrict_violation';
    END IF;
    IF (new.pseudonym, new.voided_at) IS DISTINCT FROM (old.pseudonym, old.voided_at)
       AND EXISTS (SELECT 1 FROM promotions_sweepstake
                   WHERE id = new.sweepstake_id AND listed_at IS NOT NULL)
    THEN
        RAISE EXCEPTION 'the list of tickets is fixed' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN new;
END $$;
DROP TRIGGER IF EXISTS append_only ON promotions_ticket;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON promotions_ticket
    FOR EACH ROW EXECUTE FUNCTION promotions_keep_tickets();
