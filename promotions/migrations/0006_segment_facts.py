from pathlib import Path

from django.db import migrations

SQL = Path(__file__).parent.parent / "sql"


class Migration(migrations.Migration):
    dependencies = [("promotions", "0005_night"), ("members", "0011_segments")]

    operations = [
        migrations.RunSQL((SQL / "facts.sql").read_text(), migrations.RunSQL.noop),
    ]
