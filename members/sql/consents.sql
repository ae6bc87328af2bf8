-- What a member agreed to is added to, never changed. Erasure alone empties what may name a person.
CREATE OR REPLACE FUNCTION members_keep_consents() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND NEW.source = '' AND NEW.proof = ''
       AND (NEW.id, NEW.member_id, NEW.category, NEW.channel, NEW.given, NEW.at, NEW.recorded_at)
         = (OLD.id, OLD.member_id, OLD.category, OLD.channel, OLD.given, OLD.at, OLD.recorded_at)
    THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;
DROP TRIGGER IF EXISTS append_only ON members_consent;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON members_consent
    FOR EACH ROW EXECUTE FUNCTION members_keep_consents();
