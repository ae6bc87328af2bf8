from importlib import import_module

from django.db import migrations

read = import_module("ledger.migrations.0002_functions").read


class Migration(migrations.Migration):
    """Load the functions again that open a book, and scan no table for it."""

    dependencies = [("ledger", "0009_joined_at")]

    operations = [migrations.RunSQL(read("books"), migrations.RunSQL.noop)]
