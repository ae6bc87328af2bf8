from pathlib import Path

from django.db import migrations

SQL = Path(__file__).parent.parent / "sql"


class Migration(migrations.Migration):
    dependencies = [("members", "0014_erase_permission")]

    operations = [
        migrations.RunSQL(
            (SQL / "segments.sql").read_text(), "DROP FUNCTION IF EXISTS members_survivor;"
        )
    ]
