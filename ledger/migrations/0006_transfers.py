from importlib import import_module

from django.db import migrations, models

read = import_module("ledger.migrations.0002_functions").read


class Migration(migrations.Migration):
    """Keep which lot another goes on with after a merge."""

    dependencies = [("ledger", "0005_thresholds")]

    operations = [
        migrations.AddField(
            "lot",
            "moved_from",
            models.UUIDField(null=True, help_text="The lot it goes on with, after a merge."),
        ),
        migrations.AlterField(
            "lot",
            "origin",
            models.UUIDField(null=True, help_text="The sale, where its transaction is not it."),
        ),
        migrations.AddIndex(
            "lot",
            models.Index(
                fields=["moved_from"],
                condition=models.Q(moved_from__isnull=False),
                name="lot_moved_from",
            ),
        ),
        migrations.RunSQL([read("books"), read("post")], "DROP FUNCTION ledger_merged"),
    ]
