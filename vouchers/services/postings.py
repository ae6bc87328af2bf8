"""Posting what moves no points, once per reference.

The book of the member is locked first, as for points, so that everything about one member is
decided one after the other.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
import uuid_utils.compat
from django.db import IntegrityError, transaction

from ledger.services import posting
from ledger.services.posting import LockedBook
from loyalty.errors import ReferenceConflict
from loyalty.services.idempotency import Done
from loyalty.services.use_case import use_case
from vouchers.models import Posting


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is to be posted: for whom, by whom, under which reference, and its digest."""

    kind: str
    member: dict[str, Any]
    partner_id: int
    reference: str
    digest: bytes


@use_case
def post(order: Order, work: Callable[[LockedBook], msgspec.Struct], *, at: datetime) -> Done:
    """Do `work` on the member's locked book and keep its answer, in one transaction.

    The same reference and content answer the first outcome. A refusal leaves the reference free.

    :raises MemberNotFound: if the reference names nobody.
    :raises ReferenceConflict: if the reference was used for other content.
    """
    book = posting.lock(order.member, at=at)
    if earlier := _earlier(order):
        return earlier
    answer = msgspec.json.encode(work(book))
    try:
        with transaction.atomic():
            Posting.objects.create(
                id=uuid_utils.compat.uuid7(),
                kind=order.kind,
                partner_id=order.partner_id,
                reference=order.reference,
                digest=order.digest,
                member_id=book.member.id,
                posted_at=at,
                answer=answer,
            )
    except IntegrityError as error:  # Another member's posting took the reference meanwhile.
        raise ReferenceConflict from error
    return Done(answer, 201, replayed=False)


def _earlier(order: Order) -> Done | None:
    row = Posting.objects.filter(
        partner_id=order.partner_id, kind=order.kind, reference=order.reference
    ).first()
    if row is None:
        return None
    if bytes(row.digest) != order.digest:
        raise ReferenceConflict
    return Done(bytes(row.answer), 200, replayed=True)
