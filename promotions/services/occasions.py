"""What promotions give on occasions that are no purchase: enrolment, birthday, event, referral."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection

from ledger.kernel.book import Header, Kind, Transaction
from ledger.queries.configuration import Configuration, configuration
from ledger.services.posting import LockedBook
from promotions.engine.types import Evaluation, Purchase
from promotions.services import facts
from promotions.services.awarding import asked_of, draft, judge
from promotions.services.budgets import Purse
from promotions.services.facts import Known
from promotions.services.rewarding.rewards import Record
from promotions.services.snapshot import snapshot_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Occasion:
    """Something of a member that promotions may reward.

    `attributes` are what conditions ask as `event.…`: those of the event's type, or what Laurel
    says of an ENROLMENT (`channel`, `referred`), a BIRTHDAY (`age`), a TIER_CHANGE (`before`,
    `after`, `up`) or a REFERRAL (`role`).
    """

    trigger: str
    occurred_at: datetime
    partner_id: int
    partner_code: str
    event: str | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict)
    outlet: str | None = None
    channel: str | None = None
    reference: str | None = None
    digest: bytes | None = None
    original: UUID | None = None
    sale: UUID | None = None
    reason: str | None = None
    request_id: str | None = None


@dataclass(frozen=True, slots=True)
class Bonus:
    """What an occasion gave. `transaction` and `record` are None where nothing was posted."""

    evaluation: Evaluation
    transaction: Transaction | None
    record: Record | None


def post_bonus(
    book: LockedBook,
    occasion: Occasion,
    *,
    purse: Purse,
    known: Known | None = None,
    tier: str | None = None,
) -> Bonus:
    """Evaluate an occasion on a locked and settled book, and draft one BONUS; a step.

    The caller writes the book with `awarding.recording([bonus.record], purse)` alongside. Where
    nothing is awarded, a transaction without effects remains if the occasion has a reference, so
    that it is known when it comes again; without one there is nothing. `known` is what promotions
    ask of the member, where it was read with the lock; else it is read here, if they ask at all.
    `tier` is the one held now, where the unit moved it.
    """
    assert connection.in_atomic_block
    settings = configuration(book.epoch)
    purchase = _purchase(occasion, settings)
    if known is None:
        wanted = asked_of(settings, snapshot_of(settings), [occasion.occurred_at])
        known = facts.known(book, wanted, None)
    held = book.member.tier or "" if tier is None else tier
    judged = judge(book, purchase, known, settings, purse, tier=held)
    evaluation = judged.evaluation
    if not (evaluation.awards or evaluation.rewards or occasion.reference):
        return Bonus(evaluation, None, None)
    header = header_of(occasion, held)
    transaction, record = draft(book, header, judged, known, settings)
    return Bonus(evaluation, transaction, record)


def header_of(occasion: Occasion, tier: str) -> Header:
    """Return what the books keep of an occasion beside its points."""
    return Header(
        kind=Kind.BONUS,
        partner_id=occasion.partner_id,
        occurred_at=occasion.occurred_at,
        reference=occasion.reference,
        digest=occasion.digest,
        original=occasion.original,
        sale=occasion.sale,
        outlet=occasion.outlet,
        reason=occasion.reason,
        request_id=occasion.request_id,
        tier_before=tier,
        tier_after=tier,
    )


def _purchase(occasion: Occasion, settings: Configuration) -> Purchase:
    """Return an occasion as the engine sees it: a purchase without lines."""
    return Purchase(
        occurred_at=occasion.occurred_at,
        local=occasion.occurred_at.astimezone(settings.zone),
        partner=occasion.partner_code,
        currency=settings.currency,
        outlet=occasion.outlet,
        channel=occasion.channel,
        trigger=occasion.trigger,
        event=occasion.event,
        attributes=occasion.attributes,
    )
