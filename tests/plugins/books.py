"""After every test that used the database, prove that the books balance."""

from collections.abc import Generator
from typing import Any

import pytest
from django.db import connection


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, Any, Any]:
    result = yield
    if "_django_db_helper" in item.fixturenames or item.get_closest_marker("django_db"):
        if item.get_closest_marker("broken_books"):
            return result
        from ledger.services.audit import audit

        if connection.needs_rollback or _nothing_to_prove():
            return result
        broken = {f.invariant.name: f.rows for f in audit() if f.violations}
        assert not broken, f"The books do not balance: {broken}"
    return result


def _nothing_to_prove() -> bool:
    """Return whether nothing was posted: one statement in place of the whole audit."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT NOT (EXISTS (SELECT FROM ledger_transaction) OR EXISTS (SELECT FROM ledger_lot)"
            " OR EXISTS (SELECT FROM ledger_account) OR EXISTS (SELECT FROM ledger_entry)"
            " OR EXISTS (SELECT FROM ledger_book WHERE version > 0)"
            " OR EXISTS (SELECT FROM ledger_pointlock) OR EXISTS (SELECT FROM ledger_statement)"
            " OR EXISTS (SELECT FROM members_tiermeasure))"
        )
        nothing: bool = cursor.fetchone()[0]
    return nothing


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "broken_books: the test breaks the books on purpose")
