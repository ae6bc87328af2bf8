from pathlib import Path

from django.db import migrations

SQL = Path(__file__).parent.parent / "sql"


class Migration(migrations.Migration):
    dependencies = [("members", "0005_enrolment")]

    operations = [
        migrations.RunSQL(
            (SQL / "consents.sql").read_text(),
            "DROP TRIGGER append_only ON members_consent; DROP FUNCTION members_keep_consents();",
        )
    ]
