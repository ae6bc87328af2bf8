from django.db import migrations

CREATE = """
-- A version is what awards point to for ever: it is added to, never changed.
CREATE FUNCTION promotions_forbid_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON promotions_promotionversion
    FOR EACH ROW EXECUTE FUNCTION promotions_forbid_change();

-- Return what a purchase needs to know of its products, in the statement that locks the book:
-- {sku: {"path": [category codes, the root first], "brand": …, "attributes": {…}}}.
CREATE FUNCTION promotions_products(p_skus jsonb) RETURNS jsonb LANGUAGE sql STABLE AS $$
    SELECT coalesce(jsonb_object_agg(m.code, jsonb_build_object(
        'path', m.path, 'brand', m.attributes ->> 'brand', 'attributes', m.attributes)), '{}')
    FROM loyalty_master m
    WHERE m.entity_id = (SELECT id FROM loyalty_masterentity WHERE code = 'product')
      AND m.code IN (SELECT jsonb_array_elements_text(p_skus));
$$;

-- Store evaluations in the statement that writes their postings.
CREATE FUNCTION promotions_record(p_evaluations jsonb) RETURNS void LANGUAGE sql AS $$
    INSERT INTO promotions_evaluation (transaction_id, member_id, inputs, result, engine_version)
    SELECT transaction_id, member_id, inputs, result, engine_version
    FROM jsonb_to_recordset(p_evaluations) AS e (
        transaction_id uuid, member_id bigint, inputs jsonb, result jsonb, engine_version smallint);
$$;
"""

DROP = """
DROP FUNCTION promotions_record, promotions_products;
DROP TRIGGER append_only ON promotions_promotionversion;
DROP FUNCTION promotions_forbid_change;
"""


class Migration(migrations.Migration):
    dependencies = [("promotions", "0001_initial"), ("loyalty", "0001_initial")]

    operations = [migrations.RunSQL(CREATE, DROP)]
