"""Posting what moves no points, once per reference.

The book of the member is locked first, as for points, so that everything about one member is
decided one after the other.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
import uuid_utils.compat

from ledger.queries.books import Lots
from ledger.services import posting
from ledger.services.posting import LockedBook
from loyalty.errors import ReferenceConflict
from loyalty.services.idempotency import Done
from loyalty.services.use_case import use_case
from vouchers import codes
from vouchers.models import Posting


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is to be posted: for whom (None: a voucher of nobody), by whom, and its digest."""

    kind: str
    member: dict[str, Any] | None
    partner_id: int
    reference: str
    digest: bytes
    spends: bool = False  # Points too: the lots are loaded that may pay.


# What is done under the order: it gets the locked book, if there is one, and the posting's id.
Work = Callable[[LockedBook | None, UUID], msgspec.Struct]


@use_case
def post(order: Order, work: Work, *, at: datetime) -> Done:
    """Do `work` on the member's locked book and keep its answer, in one transaction.

    The same reference and content answer the first outcome; a twin that comes meanwhile waits for
    it. A refusal leaves the reference free.

    :raises MemberNotFound: if the reference names nobody.
    :raises ReferenceConflict: if the reference was used for other content.
    """
    lots = Lots.ALL if order.spends else Lots.DUE
    book = None if order.member is None else posting.lock(order.member, at=at, lots=lots)
    posting_id = uuid_utils.compat.uuid7()
    Posting.objects.bulk_create(
        [
            Posting(
                id=posting_id,
                kind=order.kind,
                partner_id=order.partner_id,
                reference=order.reference,
                digest=order.digest,
                member_id=book.member.id if book else None,
                posted_at=at,
                answer=b"",
            )
        ],
        ignore_conflicts=True,
    )
    row = Posting.objects.get(
        partner_id=order.partner_id, kind=order.kind, reference=order.reference
    )
    if row.pk != posting_id:
        if bytes(row.digest) != order.digest:
            raise ReferenceConflict
        return Done(codes.unseal(row.answer).encode(), 200, replayed=True)
    answer = msgspec.json.encode(work(book, posting_id))
    # Sealed: an answer may name voucher codes.
    Posting.objects.filter(pk=posting_id).update(answer=codes.seal(answer.decode()))
    return Done(answer, 201, replayed=False)
