"""The audit of the books: each invariant is one SQL file that returns what breaks it.

`ledger/sql/audit/` is the list. `manage.py audit_ledger`, the night job and the hook after every
database test run the same files.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.db import DatabaseError, connection

AUDIT_FOLDER = Path(__file__).parent.parent / "sql" / "audit"
ROWS_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Invariant:
    """One rule of the books and the query that returns the rows that break it."""

    name: str
    rule: str
    sql: str


@dataclass(frozen=True, slots=True)
class Finding:
    """What the audit found of one invariant: how many rows break it, and the first of them."""

    invariant: Invariant
    violations: int
    rows: list[dict[str, Any]] = field(default_factory=list)


def invariants() -> list[Invariant]:
    """Return every invariant, by name; the comment that heads its file states the rule."""
    found = []
    for path in sorted(AUDIT_FOLDER.glob("*.sql")):
        lines = path.read_text().splitlines()
        heading = [line[3:] for line in lines if line.startswith("-- ")]
        found.append(Invariant(path.stem, " ".join(heading), "\n".join(lines)))
    return found


def audit(on_checked: Callable[[Finding], None] | None = None) -> list[Finding]:
    """Check every invariant and return the findings, broken ones with up to 20 of their rows.

    Each query sees one snapshot, in which a posting is whole or absent, so the audit may run
    while tills are posting.
    """
    findings = []
    with _as_long_as_it_takes():
        for finding in _check_all():
            findings.append(finding)
            if on_checked:
                on_checked(finding)
    return findings


@contextmanager
def _as_long_as_it_takes() -> Iterator[None]:
    """Lift the bound on statements, which is made for tills: some read the ledger whole."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT current_setting('statement_timeout'),"
            " set_config('statement_timeout', '0', false)"
        )
        before = cursor.fetchone()[0]
    try:
        yield
    finally:
        # In a transaction that is broken, its rollback sets it back.
        with suppress(DatabaseError), connection.cursor() as cursor:
            cursor.execute("SELECT set_config('statement_timeout', %s, false)", [before])


def _check_all() -> Iterator[Finding]:
    for invariant in invariants():
        with connection.cursor() as cursor:
            cursor.execute(invariant.sql)
            names = [column.name for column in cursor.description]
            rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchmany(ROWS_SHOWN)]
            violations = cursor.rowcount if rows else 0
        yield Finding(invariant, violations, rows)
