from importlib import import_module

from django.db import migrations

read = import_module("ledger.migrations.0002_functions").read

DROP = """
DROP TRIGGER append_only ON ledger_statement;
DROP TRIGGER append_only ON ledger_statementline;
DROP VIEW ledger_movement;
"""


class Migration(migrations.Migration):
    """Say what each movement counts to, and post nothing into a month that is closed."""

    dependencies = [
        ("ledger", "0011_settlement_and_finance"),
        ("loyalty", "0011_expiring_and_closing"),
    ]

    operations = [
        migrations.RunSQL([read("movements"), read("statements")], DROP),
        migrations.RunSQL([read("books"), read("settle_many")], migrations.RunSQL.noop),
    ]
