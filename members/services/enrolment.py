"""Making a member: the number, the base tier, the profile and the card."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import connection

from members.check_digits import with_check_digit
from members.models import Card, Member, Tier
from partners.models import Partner


def enrol(
    *,
    partner: Partner | int,
    at: datetime,
    card: str | None = None,
    profile: Mapping[str, Any] | None = None,
    stage: str = Member.Stage.ACTIVE,
    referrer: Member | None = None,
) -> Member:
    """Make a member of the base tier, with a card if one is given; a step.

    `profile` holds fields as they are stored (`members.services.profile`); `partner` enrols.
    """
    assert connection.in_atomic_block
    member = Member.objects.create(
        number=next_number(),
        stage=stage,
        stage_since=at,
        tier=Tier.objects.get(is_base=True),
        tier_since=at,
        enrolled_by_id=partner if isinstance(partner, int) else partner.pk,
        joined_at=at,
        referrer=referrer,
        **(profile or {}),
    )
    if card:
        Card.objects.create(number=card, member=member, issued_at=at)
    return member


def next_number() -> str:
    """Return a number that no member has: ten digits, the last of which checks the others."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT nextval('members_number')")
        return with_check_digit(str(cursor.fetchone()[0]))
