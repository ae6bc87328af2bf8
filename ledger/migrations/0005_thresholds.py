from importlib import import_module

from django.db import migrations

read = import_module("ledger.migrations.0002_functions").read


class Migration(migrations.Migration):
    """Load the functions again that answer above what the member's redemptions need a PIN."""

    dependencies = [("ledger", "0004_cards"), ("members", "0008_sign_in")]

    operations = [migrations.RunSQL(read("books"), migrations.RunSQL.noop)]
