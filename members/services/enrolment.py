"""Making a member: the number, the base tier, and the card."""

from datetime import datetime

from django.db import connection

from members.check_digits import with_check_digit
from members.models import Card, Member, Tier
from partners.models import Partner


def enrol(
    *,
    partner: Partner,
    at: datetime,
    card: str | None = None,
    first_name: str = "",
    last_name: str = "",
) -> Member:
    """Make an active member of the base tier, with a card if one is given; a step."""
    assert connection.in_atomic_block
    member = Member.objects.create(
        number=next_number(),
        tier=Tier.objects.get(is_base=True),
        first_name=first_name,
        last_name=last_name,
        enrolled_by=partner,
        joined_at=at,
    )
    if card:
        Card.objects.create(number=card, member=member, issued_at=at)
    return member


def next_number() -> str:
    """Return a number that no member has: ten digits, the last of which checks the others."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT nextval('members_number')")
        return with_check_digit(str(cursor.fetchone()[0]))
