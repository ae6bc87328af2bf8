from pathlib import Path

from django.db import migrations

SQL = Path(__file__).parent.parent / "sql"


class Migration(migrations.Migration):
    dependencies = [("members", "0003_profiles")]

    operations = [
        migrations.RunSQL(
            (SQL / "activity.sql").read_text(),
            "DROP TRIGGER append_only ON members_activity; DROP FUNCTION members_keep_activity;",
        )
    ]
