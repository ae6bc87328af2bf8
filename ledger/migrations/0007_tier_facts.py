from importlib import import_module

from django.db import migrations

read = import_module("ledger.migrations.0002_functions").read

DROP = "DROP FUNCTION ledger_tier_facts_of, ledger_tier_facts, ledger_pending_of_days;"


class Migration(migrations.Migration):
    """Let the statement that locks a book read what the member's tier is decided from."""

    dependencies = [("ledger", "0006_transfers"), ("members", "0013_tier_functions")]

    operations = [migrations.RunSQL(read("tiers"), DROP)]
