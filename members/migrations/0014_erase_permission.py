from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("members", "0013_tier_functions")]

    operations = [
        migrations.AlterModelOptions(
            name="member",
            options={
                "permissions": [("erase_member", "Can erase the personal data of members")]
            },
        )
    ]
