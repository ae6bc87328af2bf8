"""What webhooks tell of transactions and members: as the API answers the subscriber."""

from typing import Any
from uuid import UUID

from ledger.models import Entry, Lot
from ledger.queries.configuration import configuration
from ledger.queries.history import posted, reversals_of
from ledger.shapes.transactions import TransactionAnswer, award_answer, transaction_answer
from loyalty.caller import Caller
from loyalty.models import OutboxEvent, WebhookSubscription
from members.models import Member
from partners.models import Partner
from promotions.models import Evaluation
from promotions.shapes.rewards import rewards_answer


def transaction(event: OutboxEvent, subscription: WebhookSubscription) -> TransactionAnswer | None:
    """Return the transaction that an event tells of; None if it is not for the subscriber.

    A partner is told of what it caused, and of the expiry of points that it issued.
    """
    assert event.object_id is not None
    found = posted(event.object_id)
    own = subscription.house or found.partner_id == subscription.partner_id
    if not own and not _issued(found.id, subscription.partner_id):
        return None
    found.reversed_by = reversals_of([found.id]).get(found.id, [])
    number = Member.objects.values_list("number", flat=True).get(pk=found.member_id)
    settings = configuration()
    answer = transaction_answer(
        found, member=number, caller=_caller_of(subscription), settings=settings
    )
    stored = Evaluation.objects.filter(pk=found.id).first() if own else None
    if stored is not None:
        answer.awards = [award_answer(each, settings) for each in stored.result["awards"]]
        given = stored.result.get("rewards")
        if given and found.kind in ("EARN", "BONUS"):  # A return tells itself what it took.
            answer.rewards = rewards_answer(given, whole=False, settings=settings)
    return answer


def _issued(transaction_id: UUID, partner_id: int) -> bool:
    """Whether a transaction moved points of lots that the partner issued."""
    lots = Entry.objects.filter(transaction_id=transaction_id).values("lot_id")
    return Lot.objects.filter(pk__in=lots, partner_id=partner_id).exists()


def _caller_of(subscription: WebhookSubscription) -> Caller:
    """Return the subscriber as a caller, whose eyes the answer is made for."""
    return Caller(
        client_id=f"webhook:{subscription.code}",
        partner_id=subscription.partner_id,
        partner_code=Partner.objects.values_list("code", flat=True).get(pk=subscription.partner_id),
        house=subscription.house,
        scopes=frozenset(),
        rate_limit_per_minute=0,
    )


def member(event: OutboxEvent, subscription: WebhookSubscription) -> Any:
    """Return the member that an event tells of: number, stage and tier, as they are now."""
    assert event.member_id is not None
    row = Member.objects.select_related("tier").get(pk=event.member_id)
    return {"number": row.number, "stage": row.stage, "tier": row.tier.code}
