from pathlib import Path

from django.db import migrations

SQL = Path(__file__).parent.parent / "sql"

DROP = """
DROP TRIGGER append_only ON ledger_transaction;
DROP TRIGGER append_only ON ledger_entry;
DROP FUNCTION ledger_forbid_change, ledger_post, ledger_open_book, ledger_find, ledger_load_book,
    ledger_load_lots, ledger_resolve, ledger_settle_many, ledger_lock_due, ledger_uuid7;
"""


def read(name: str) -> str:
    """Return one SQL file of the ledger. A change to it comes with a migration that runs it again."""
    return (SQL / f"{name}.sql").read_text()


class Migration(migrations.Migration):
    dependencies = [
        ("ledger", "0001_initial"),
        ("loyalty", "0001_initial"),
        ("members", "0001_initial"),
        ("partners", "0001_initial"),
    ]

    operations = [
        migrations.RunSQL(
            [read("books"), read("post"), read("settle_many"), read("append_only")], DROP
        ),
        migrations.RunSQL(
            # Hot rows leave room on their page, so that their updates stay HOT; long texts of
            # history are read seldom and packed well.
            """
            ALTER TABLE ledger_book SET (fillfactor = 70);
            ALTER TABLE ledger_account SET (fillfactor = 70);
            ALTER TABLE ledger_lot SET (fillfactor = 85);
            """,
            migrations.RunSQL.noop,
        ),
    ]
