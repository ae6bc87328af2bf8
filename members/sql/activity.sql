-- A member's history is added to, never changed. Erasure alone empties what may name a person.
CREATE OR REPLACE FUNCTION members_keep_activity() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND NEW.data = '{}'::jsonb AND NEW.reason = ''
       AND (NEW.id, NEW.member_id, NEW.kind, NEW.at) = (OLD.id, OLD.member_id, OLD.kind, OLD.at)
       AND NEW.actor_kind = OLD.actor_kind AND NEW.partner_id IS NOT DISTINCT FROM OLD.partner_id
    THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON members_activity
    FOR EACH ROW EXECUTE FUNCTION members_keep_activity();
