"""The landing page of the back office: how the programme stands."""

from datetime import timedelta
from typing import Any

from django.db import connection
from django.http import HttpRequest
from django.utils import timezone

DAYS = 30


def fill(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Add the programme's figures to the admin's index page."""
    since = timezone.now() - timedelta(days=DAYS)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT (SELECT count(*) FROM members_member),"
            " (SELECT coalesce(sum(available + pending + locked), 0) FROM ledger_account),"
            " (SELECT count(DISTINCT member_id) FROM ledger_transaction"
            "  WHERE kind = 'EARN' AND posted_at >= %s)",
            [since],
        )
        members, outstanding, active = cursor.fetchone()
        cursor.execute(
            "SELECT t.posted_at::date, sum(e.points) FILTER (WHERE e.source = 1),"
            " sum(e.points) FILTER (WHERE e.target = 5), sum(e.points) FILTER (WHERE e.target = 6)"
            " FROM ledger_transaction t JOIN ledger_entry e ON e.transaction_id = t.id"
            " WHERE t.posted_at >= %s GROUP BY 1 ORDER BY 1",
            [since],
        )
        days = [
            {"date": day, "earned": int(e or 0), "redeemed": int(r or 0), "expired": int(x or 0)}
            for day, e, r, x in cursor.fetchall()
        ]
    highest = max((day["earned"] for day in days), default=1) or 1
    for day in days:
        day["height"] = round(100 * day["earned"] / highest)
    context.update(
        figures=[
            ("Members", members),
            (f"Active in {DAYS} days", active),
            ("Points outstanding", outstanding),
            (f"Earned in {DAYS} days", sum(day["earned"] for day in days)),
            (f"Redeemed in {DAYS} days", sum(day["redeemed"] for day in days)),
            (f"Expired in {DAYS} days", sum(day["expired"] for day in days)),
        ],
        days=days,
    )
    return context
