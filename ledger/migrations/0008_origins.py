from importlib import import_module

from django.db import migrations

read = import_module("ledger.migrations.0002_functions").read


class Migration(migrations.Migration):
    """Load the functions again that follow a moved lot to its sale."""

    dependencies = [("ledger", "0007_tier_facts")]

    operations = [migrations.RunSQL(read("tiers"), migrations.RunSQL.noop)]
