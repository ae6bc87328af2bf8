from importlib import import_module

from django.db import migrations

read = import_module("ledger.migrations.0002_functions").read


class Migration(migrations.Migration):
    """Load the functions again that answer since when a card is lost, and the member's currency."""

    dependencies = [("ledger", "0003_balances"), ("members", "0007_cards")]

    operations = [migrations.RunSQL(read("books"), migrations.RunSQL.noop)]
