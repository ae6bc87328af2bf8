"""Settling with partners: a month is closed once, and its statements are frozen.

First nothing more can be posted into the month, then it is counted. Between the two nothing is
lost: killed there, or run twice, it goes on with the second.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime

import psycopg
from django.db import OperationalError, connection

from ledger.errors import MonthNotOver
from ledger.models import Statement
from ledger.queries.statements import period_of
from loyalty.services.use_case import use_case

TRIES = 60


@dataclass(frozen=True, slots=True)
class Settled:
    """A month that is closed: how many statements it has, and how many of them are new."""

    month: date
    statements: int
    new: int


def settle_month(
    month: date, *, at: datetime, sleep: Callable[[float], None] = time.sleep
) -> Settled:
    """Close a local month, given by its first day, and write each partner's statement of it.

    A month that is closed stays as it is: nothing is written again.

    :raises MonthNotOver: if it is not over at `at`.
    """
    start, end = period_of(month)
    if end > at:
        raise MonthNotOver(month)
    for left in reversed(range(TRIES)):
        try:
            close_books(end)
            break
        except OperationalError as error:
            if not left or not isinstance(error.__cause__, psycopg.errors.LockNotAvailable):
                raise
            sleep(1)
    return write_statements(month, start, end, at=at)


@use_case
def close_books(until: datetime) -> None:
    """Let nothing be posted before an instant any more.

    Postings read that instant under their book's lock. The lock of the table waits for those that
    are under way, and holds back new ones for a moment, so that none can have read the old one
    and be posted later.
    """
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL lock_timeout = '1s'")
        cursor.execute("LOCK TABLE ledger_book IN EXCLUSIVE MODE")
        cursor.execute(
            "UPDATE loyalty_program SET books_closed_until = greatest(books_closed_until, %s)"
            " WHERE id = 1",
            [until],
        )


# One statement, so that a month is settled with all partners or with none. It replaces a pass
# over the month's entries in Python. Money is rounded here, once for each line.
_WRITE = """
WITH moved AS (
    SELECT partner_id, movement, point_type_id, rate,
           count(DISTINCT transaction_id) AS transactions, sum(points) AS points
    FROM ledger_movement
    WHERE posted_at >= %(start)s AND posted_at < %(end)s
    GROUP BY partner_id, movement, point_type_id, rate
), priced AS (
    SELECT m.*, k.currency,
           round(coalesce(m.points * m.rate, 0), coalesce(c.decimals, 2)) AS amount
    FROM moved m
    CROSS JOIN loyalty_program g
    JOIN partners_partner p ON p.id = m.partner_id
    CROSS JOIN LATERAL (SELECT coalesce(nullif(p.currency, ''), g.currency) AS currency) k
    LEFT JOIN loyalty_currency c ON c.code = k.currency
), made AS (
    INSERT INTO ledger_statement
        (partner_id, month, starts_at, ends_at, currency, amount, closed_at)
    SELECT partner_id, %(month)s, %(start)s, %(end)s, currency, sum(amount), %(at)s
    FROM priced
    WHERE NOT EXISTS (SELECT 1 FROM ledger_statement WHERE month = %(month)s)
    GROUP BY partner_id, currency
    ON CONFLICT (partner_id, month) DO NOTHING
    RETURNING id, partner_id
), lines AS (
    INSERT INTO ledger_statementline
        (statement_id, movement, point_type_id, rate, transactions, points, amount)
    SELECT made.id, movement, point_type_id, rate, transactions, points, amount
    FROM priced JOIN made ON made.partner_id = priced.partner_id
)
SELECT count(*) FROM made
"""


@use_case
def write_statements(month: date, start: datetime, end: datetime, *, at: datetime) -> Settled:
    """Count a closed month and write its statements, all of them or none, unless they are there."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 0")
        if Statement.objects.filter(month=month).exists():
            new = 0
        else:
            arguments = {"month": month, "start": start, "end": end, "at": at}
            cursor.execute(_WRITE, arguments)
            new = cursor.fetchone()[0]
    return Settled(month, Statement.objects.filter(month=month).count(), new)
