"""Purchases of the past with the facts that they were judged on, as a trial reads them."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

import msgspec
from django.db import connection

from promotions.engine.tally import Given
from promotions.queries.evaluations import Inputs

ROWS_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Span:
    """Postings of a kind in a period of `occurred_at`, as they stood at an instant."""

    kind: str
    begins: datetime
    ends: datetime
    known_at: datetime


@dataclass(frozen=True, slots=True)
class Past:
    """A sale as it was stored; `inputs` is None where its facts were emptied since."""

    member_id: int
    posted_at: datetime
    inputs: Inputs | None
    given: tuple[Given, ...]
    returned: bool


@dataclass(frozen=True, slots=True)
class Today:
    """What is known of a member now."""

    segments: frozenset[str] = frozenset()
    language: str | None = None
    born: str | None = None
    joined_at: datetime | None = None
    attributes: dict[str, Any] = field(default_factory=dict)


class _Award(msgspec.Struct):
    promotion: str
    type: str
    points: int


class _Reward(msgspec.Struct):
    promotion: str
    kind: str
    code: str
    quantity: int


class _Result(msgspec.Struct):
    awards: list[_Award] = []
    rewards: list[_Reward] = []


_inputs = msgspec.json.Decoder(Inputs, strict=False).decode
_result = msgspec.json.Decoder(_Result).decode

_IN_SPAN = """
FROM ledger_transaction t JOIN promotions_evaluation e ON e.transaction_id = t.id
WHERE t.kind = %(kind)s AND t.occurred_at >= %(begins)s AND t.occurred_at < %(ends)s
  AND t.posted_at <= %(known_at)s
"""
_SALES = f"""
SELECT t.member_id, t.posted_at, e.inputs::text, e.result::text, EXISTS (
    SELECT FROM ledger_transaction r
    WHERE r.original = t.id AND r.kind IN ('RETURN', 'EARN_REVERSAL'))
{_IN_SPAN} AND t.member_id > %(after)s AND t.member_id <= %(last)s
ORDER BY t.member_id, t.version
"""


def count_sales(span: Span) -> int:
    """Return how many sales a span has. One query."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) {_IN_SPAN}", _values(span))
        counted: int = cursor.fetchone()[0]
        return counted


def last_of_chunk(after: int, size: int) -> int | None:
    """Return the id that ends the next so many members who have a book; None after the last."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT max(member_id) FROM (SELECT member_id FROM ledger_book"
            " WHERE member_id > %s ORDER BY member_id LIMIT %s) AS chunk",
            [after, size],
        )
        last: int | None = cursor.fetchone()[0]
        return last


def sales(span: Span, *, after: int, last: int) -> Iterator[Past]:
    """Yield the sales of members in order of member and posting, a few hundred in memory.

    Reads with a cursor on the server, and therefore within a transaction.
    """
    assert connection.in_atomic_block
    with connection.chunked_cursor() as cursor:
        cursor.execute(_SALES, _values(span) | {"after": after, "last": last})
        while page := cursor.fetchmany(ROWS_AT_ONCE):
            for member_id, posted_at, inputs, result, returned in page:
                known = _inputs(inputs) if inputs is not None else None
                yield Past(member_id, posted_at, known, _given(_result(result)), returned)


def _values(span: Span) -> dict[str, Any]:
    return {
        "kind": span.kind,
        "begins": span.begins,
        "ends": span.ends,
        "known_at": span.known_at,
    }


def _given(result: _Result) -> tuple[Given, ...]:
    points = [Given(each.promotion, each.type, each.points) for each in result.awards]
    rewards = [
        Given(each.promotion, f"{each.kind} {each.code}", each.quantity) for each in result.rewards
    ]
    return (*points, *rewards)


_TODAY = """
SELECT m.id, m.language, m.birth_date, m.joined_at, m.attributes::text, coalesce((
    SELECT array_agg(s.code) FROM members_segmentmember x JOIN members_segment s
      ON s.id = x.segment_id
    WHERE x.member_id = m.id AND s.active AND (x.until IS NULL OR x.until > %(at)s)), '{}')
FROM members_member m WHERE m.id > %(after)s AND m.id <= %(last)s
"""


def facts_today(*, after: int, last: int, at: datetime) -> dict[int, Today]:
    """Return what is known now of a chunk of members, by id. One query."""
    with connection.cursor() as cursor:
        cursor.execute(_TODAY, {"after": after, "last": last, "at": at})
        return {
            member_id: Today(
                frozenset(segments),
                language or None,
                born.isoformat() if isinstance(born, date) else None,
                joined_at,
                msgspec.json.decode(attributes),
            )
            for member_id, language, born, joined_at, attributes, segments in cursor.fetchall()
        }
