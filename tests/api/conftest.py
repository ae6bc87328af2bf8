"""What the tests of the API share beside the small world."""

from collections.abc import Iterator

import psycopg
import pytest


class Counted:
    """The statements that went to the server."""

    def __init__(self) -> None:
        self.sent: list[str] = []


@pytest.fixture
def statements(monkeypatch) -> Iterator[Counted]:
    counted = Counted()
    whole = psycopg.Cursor.execute

    def execute(self, query, *arguments, **options):
        text = str(query)
        if not text.startswith(("SAVEPOINT", "RELEASE SAVEPOINT", "SET ")):
            counted.sent.append(text)
        return whole(self, query, *arguments, **options)

    monkeypatch.setattr(psycopg.Cursor, "execute", execute)
    return counted
