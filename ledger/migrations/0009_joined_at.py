from importlib import import_module

from django.db import migrations

read = import_module("ledger.migrations.0002_functions").read


class Migration(migrations.Migration):
    """Load the functions again that tell since when a book's member is one."""

    dependencies = [("ledger", "0008_origins")]

    operations = [migrations.RunSQL(read("books"), migrations.RunSQL.noop)]
