import secrets
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import transaction

from ledger.kernel.book import Header, Kind, Transaction, begin, finish
from ledger.kernel.postings import Grant, grant
from ledger.models import PointType
from ledger.queries.books import read
from ledger.services import posting
from members.models import Member
from partners.models import Partner


def give(
    member: Member,
    points: int,
    *,
    at: datetime | None = None,
    lives: timedelta | None = timedelta(days=365),
    pending: timedelta = timedelta(0),
    point_type: str = "PTS",
    expiry: str = "",
    partner: Partner | None = None,
) -> Transaction:
    """Let a member earn points through the kernel, so that the books balance."""
    at = at or datetime.now(UTC)
    partner = partner or Partner.objects.get(is_house=True)
    with transaction.atomic():
        book = posting.lock({"id": member.pk}, at=at)
        posting.settle(book)
        drafted = begin(
            book.book,
            Header(
                kind=Kind.EARN,
                partner_id=partner.pk,
                occurred_at=at,
                reference=f"SEED-{secrets.token_hex(8)}",
                digest=b"seed",
            ),
        )
        given = Grant(
            point_type=PointType.objects.get(code=point_type).pk,
            points=points,
            partner_id=partner.pk,
            available_at=at + pending,
            expires_at=at + lives if lives else None,
            expiry=expiry,
        )
        grant(book.book, drafted, [given])
        finish(book.book, drafted)
        posting.write(book)
    return drafted


def balance(member: Member, point_type: str = "PTS", *, at: datetime | None = None) -> Any:
    """Return a member's account as it stands, settled."""
    book = read({"id": member.pk}, at=at or datetime.now(UTC))
    return book.book.account(PointType.objects.get(code=point_type).pk)
