from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("members", "0001_initial")]

    operations = [
        migrations.RunSQL(
            "CREATE SEQUENCE members_number START 100000001", "DROP SEQUENCE members_number"
        )
    ]
