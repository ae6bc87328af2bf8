"""What was settled with partners, and the arithmetic of it."""

from collections.abc import Iterator
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from dateutil.relativedelta import relativedelta
from django.db import connection

from ledger.models import Statement, StatementLine
from loyalty.dates import start_of_day
from loyalty.models import Program
from loyalty.money import places
from partners.models import Partner


def currency_of(partner: Partner, of_the_programme: str) -> str:
    """Return the currency that a partner settles in: its own, or else the programme's."""
    return partner.currency or of_the_programme


def worth(points: int, rate: Decimal, currency: str) -> Decimal:
    """Return points times rate, rounded once to the minor unit, halves away from zero."""
    return (points * rate).quantize(Decimal(1).scaleb(-places(currency)), rounding=ROUND_HALF_UP)


def month_of(text: str) -> date:
    """Return the first day of a month such as `2026-10`.

    :raises ValueError: if it is none.
    """
    year, separator, month = text.partition("-")
    if not separator or len(year) != 4 or len(month) != 2:
        raise ValueError(f"{text!r} is no month such as 2026-10")
    return date(int(year), int(month), 1)


def period_of(month: date) -> tuple[datetime, datetime]:
    """Return the first instant of a local month and of the next. One query."""
    zone = ZoneInfo(Program.objects.values_list("time_zone", flat=True).get(pk=1))
    return (
        start_of_day(month, zone),
        start_of_day(month + relativedelta(months=1), zone),
    )


def last_month(at: datetime) -> date:
    """Return the last local month that is over at an instant. One query."""
    zone = ZoneInfo(Program.objects.values_list("time_zone", flat=True).get(pk=1))
    local = at.astimezone(zone).date()
    return local.replace(day=1) - relativedelta(months=1)


def has_postings(start: datetime, end: datetime) -> bool:
    """Return whether anything was posted in a period, by any partner. One query, by index."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT EXISTS (SELECT 1 FROM partners_partner p CROSS JOIN LATERAL ("
            " SELECT 1 FROM ledger_transaction t WHERE t.partner_id + 0 = p.id"
            " AND t.posted_at >= %s AND t.posted_at < %s LIMIT 1) t)",
            [start, end],
        )
        return bool(cursor.fetchone()[0])


def said(amount: Decimal, currency: str) -> Decimal:
    """Return a stored amount with the places that its currency has."""
    return amount.quantize(Decimal(1).scaleb(-places(currency)))


STATEMENT_COLUMNS = (
    "partner", "month", "movement", "type", "transactions", "points", "rate", "amount", "currency",
)  # fmt: skip


def statement_rows(statement: Statement) -> Iterator[tuple[object, ...]]:
    """Yield a statement as the rows of its CSV: each line, then the total. Two queries."""
    partner = statement.partner.code
    month = f"{statement.month:%Y-%m}"
    for line in statement.lines.select_related("point_type").order_by(
        "point_type__code", "movement", "rate"
    ):
        yield (
            partner, month, line.movement, line.point_type.code, line.transactions, line.points,
            None if line.rate is None else f"{line.rate.normalize():f}",
            said(line.amount, statement.currency), statement.currency,
        )  # fmt: skip
    total = said(statement.amount, statement.currency)
    yield partner, month, "TOTAL", "", "", "", "", total, statement.currency


def moved_transactions(
    statement: Statement,
    line: StatementLine,
    *,
    before: tuple[datetime, UUID] | None,
    limit: int,
) -> list[tuple[Any, ...]]:
    """Return the transactions of a line: id, posted_at, kind, member, outlet and points.

    One query, newest first, before a position.
    """
    position = "AND (m.posted_at, m.transaction_id) < (%(at)s, %(id)s)" if before else ""
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT m.transaction_id, m.posted_at, m.kind, p.number, m.outlet, sum(m.points)
            FROM ledger_movement m JOIN members_member p ON p.id = m.member_id
            WHERE m.partner_id = %(partner)s AND m.movement = %(movement)s
              AND m.point_type_id = %(type)s AND m.rate IS NOT DISTINCT FROM %(rate)s
              AND m.posted_at >= %(start)s AND m.posted_at < %(end)s {position}
            GROUP BY 1, 2, 3, 4, 5
            ORDER BY m.posted_at DESC, m.transaction_id DESC LIMIT %(limit)s
            """,
            {
                "partner": statement.partner_id,
                "movement": line.movement,
                "type": line.point_type_id,
                "rate": line.rate,
                "start": statement.starts_at,
                "end": statement.ends_at,
                "at": before and before[0],
                "id": before and before[1],
                "limit": limit,
            },
        )
        return list(cursor.fetchall())
