"""The account history: what happened to a member, and to those who were merged into it."""

from datetime import datetime

import msgspec
from django.db import connection
from django.db.models import Q

from members.models import Activity

# What every partner may know of every member: it sees stage and tier anyway.
OPEN_TO_PARTNERS = ("STAGE_CHANGED", "TIER_CHANGED")

# A member and all who were merged into it, at any remove. Replaces a query per merge.
_FAMILY = """
WITH RECURSIVE family AS (
    SELECT id, number FROM members_member WHERE id = %s
    UNION ALL
    SELECT m.id, m.number FROM family f JOIN members_member m ON m.merged_into_id = f.id
)
SELECT id, number FROM family
"""


class ActivityFilter(msgspec.Struct, frozen=True):
    """Which lines: `start` inclusive, `end` exclusive; of a partner only what it caused."""

    member_id: int
    start: datetime | None = None
    end: datetime | None = None
    kinds: tuple[str, ...] = ()
    partner_id: int | None = None


def family_of(member_id: int) -> dict[int, str]:
    """Return the number of a member and of all who were merged into it, by id. One query."""
    with connection.cursor() as cursor:
        cursor.execute(_FAMILY, [member_id])
        return dict(cursor.fetchall())


def account_history(
    wanted: ActivityFilter, family: dict[int, str], *, before: int | None, limit: int
) -> list[Activity]:
    """Return lines of the history, newest first, from below the id `before` on. One query."""
    lines = Activity.objects.filter(member_id__in=family).select_related("partner")
    if before is not None:
        lines = lines.filter(pk__lt=before)
    if wanted.start is not None:
        lines = lines.filter(at__gte=wanted.start)
    if wanted.end is not None:
        lines = lines.filter(at__lt=wanted.end)
    if wanted.kinds:
        lines = lines.filter(kind__in=wanted.kinds)
    if wanted.partner_id is not None:
        lines = lines.filter(Q(partner_id=wanted.partner_id) | Q(kind__in=OPEN_TO_PARTNERS))
    return list(lines.order_by("-pk")[:limit])
