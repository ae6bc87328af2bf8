from pathlib import Path

from django.db import migrations

SQL = Path(__file__).parent.parent / "sql"


class Migration(migrations.Migration):
    dependencies = [("members", "0015_merges")]

    operations = [
        migrations.RunSQL(
            (SQL / "segments.sql").read_text(), "DROP FUNCTION IF EXISTS members_survivor;"
        )
    ]
