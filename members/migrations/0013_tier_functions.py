from pathlib import Path

from django.db import migrations

SQL = Path(__file__).parent.parent / "sql"

DROP = "DROP FUNCTION members_record_tiers, members_measured, members_window;"

# A ladder's version is what tiers were given by: it is added to, never changed. Rows of a day are
# updated by each earn of the day, and leave room on their page for it.
KEEP = """
CREATE FUNCTION members_keep_ladder() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON members_ladderversion
    FOR EACH ROW EXECUTE FUNCTION members_keep_ladder();
ALTER TABLE members_tiermeasure SET (fillfactor = 85);
"""
UNKEEP = """
DROP TRIGGER append_only ON members_ladderversion;
DROP FUNCTION members_keep_ladder();
"""


class Migration(migrations.Migration):
    dependencies = [("members", "0012_tiers")]

    operations = [
        migrations.RunSQL((SQL / "tiers.sql").read_text(), DROP),
        migrations.RunSQL(KEEP, UNKEEP),
    ]
