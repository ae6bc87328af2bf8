"""Benefits at the till: checked, had on the spot, issued as a voucher, and undone.

Decided under the lock of the member's book: of two tills at once, one takes the last.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db import connection
from django.db.models import F

from ledger.queries.configuration import configuration
from ledger.services.posting import LockedBook
from loyalty.caller import Actor
from loyalty.services import outbox
from members import stages
from members.models import Member
from members.services import activity
from vouchers.errors import BenefitNotFound, NotEligible, QuotaEmpty, UseNotFound
from vouchers.models import BenefitAllocation, BenefitUse, Voucher
from vouchers.queries.benefits import Entitlement, Holder, entitlements
from vouchers.services import issuing
from vouchers.services.issuing import Issue, Issued

UNDO_WITHIN = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class BenefitRequest:
    """A benefit that is asked for at a till."""

    benefit: str
    partner_id: int
    by: Actor
    quantity: int = 1
    outlet: str | None = None
    reference: str = ""


@dataclass(frozen=True, slots=True)
class Availed:
    """A use of a benefit, how the quota stands after it, and the voucher that was issued."""

    use: BenefitUse
    entitlement: Entitlement
    vouchers: list[Issued]


def entitlement_of(holder: Holder, code: str, at: datetime) -> Entitlement:
    """Return how a member stands to a benefit.

    :raises BenefitNotFound: if there is none of this code now.
    """
    found = entitlements(holder, at=at, zone=configuration().zone, code=code)
    if not found:
        raise BenefitNotFound
    return found[0]


def holder_of(book: LockedBook) -> Holder:
    """Return the member of a locked book, with since when the tier is held."""
    since = Member.objects.values_list("tier_since", flat=True).get(pk=book.member.id)
    return Holder(book.member.id, book.member.tier, since)


def judge(entitlement: Entitlement, stage: str, request: BenefitRequest) -> None:
    """Refuse a benefit that the member cannot have here and now.

    :raises NotEligible: with the reason: STAGE, TIER (no source gives it), PARTNER or OUTLET.
    :raises QuotaEmpty: if fewer are left than asked for.
    """
    benefit = entitlement.benefit
    if not stages.may_redeem(stage):
        raise NotEligible(reason="STAGE", detail=f"A member who is {stage} has no benefits.")
    if not entitlement.sources:
        raise NotEligible(
            reason="TIER", detail="Neither tier, subscription nor allocation gives this benefit."
        )
    partners = set(benefit.partners.values_list("pk", flat=True))
    if partners and request.partner_id not in partners:
        raise NotEligible(reason="PARTNER", detail="The benefit is had at other partners.")
    if benefit.outlets and request.outlet not in benefit.outlets:
        raise NotEligible(reason="OUTLET", detail="The benefit is had at other outlets.")
    if entitlement.left is not None and request.quantity > entitlement.left:
        raise QuotaEmpty(left=entitlement.left, resets_at=entitlement.resets_at)


def may_avail(holder: Holder, stage: str, request: BenefitRequest, *, at: datetime) -> Entitlement:
    """Return how the member stands to a benefit that can be had now, as `avail` would judge it.

    :raises BenefitNotFound, NotEligible, QuotaEmpty: see `judge`.
    """
    entitlement = entitlement_of(holder, request.benefit, at)
    judge(entitlement, stage, request)
    _source_of(entitlement, request.quantity)
    return entitlement


def avail(
    book: LockedBook,
    request: BenefitRequest,
    use_id: UUID,
    *,
    at: datetime,
    holder: Holder | None = None,
) -> Availed:
    """Let the member have a benefit on the spot: the quota first, then allocations; a step.

    `holder` says what tier is held, where the unit has moved it and not written it yet.

    :raises BenefitNotFound, NotEligible, QuotaEmpty: see `judge`.
    """
    assert connection.in_atomic_block
    holder = holder or holder_of(book)
    entitlement = may_avail(holder, book.member.stage, request, at=at)
    use = _take(entitlement, request, holder.id, use_id, at)
    data = {"benefit": request.benefit, "quantity": request.quantity, "use": str(use_id)}
    activity.record(holder.id, "BENEFIT_USED", by=request.by, at=at, data=data)
    outbox.record(
        "benefit.used",
        at=at,
        object_id=use_id,
        member_id=holder.id,
        partner_id=request.partner_id,
        payload=data,
    )
    return Availed(use, entitlement_of(holder, request.benefit, at), [])


def issue(book: LockedBook, request: BenefitRequest, use_id: UUID, *, at: datetime) -> Availed:
    """Give the benefit as a voucher, to be used later; takes from the quota like `avail`; a step.

    :raises NotEligible: if the benefit is only had on the spot (reason ON_THE_SPOT).
    """
    done = avail(book, request, use_id, at=at)
    kind = done.entitlement.benefit.voucher_type
    if kind is None:
        raise NotEligible(reason="ON_THE_SPOT", detail="No voucher is issued for this benefit.")
    order = Issue(
        voucher_type=kind,
        member_id=book.member.id,
        partner_id=request.partner_id,
        quantity=request.quantity,
        origin=Voucher.Origin.BENEFIT,
        origin_id=use_id,
    )
    return Availed(done.use, done.entitlement, issuing.issue(order, at=at))


def _take(
    entitlement: Entitlement,
    request: BenefitRequest,
    member_id: int,
    use_id: UUID,
    at: datetime,
) -> BenefitUse:
    """Note the use, from the quota if it suffices, else from the allocation that ends soonest.

    A use comes from one source, so that undoing it gives back what it took.
    """
    allocation = _source_of(entitlement, request.quantity)
    use = BenefitUse(
        id=use_id,
        member_id=member_id,
        benefit=entitlement.benefit,
        quantity=request.quantity,
        partner_id=request.partner_id,
        outlet=request.outlet or "",
        at=at,
    )
    if allocation is None:
        use.subscription = None if entitlement.by_tier else entitlement.subscription
    else:
        use.allocation = allocation
        BenefitAllocation.objects.filter(pk=allocation.pk).update(left=F("left") - request.quantity)
    use.save(force_insert=True)
    return use


def _source_of(entitlement: Entitlement, quantity: int) -> BenefitAllocation | None:
    """Return the allocation that a use is taken from; None if the quota suffices.

    :raises QuotaEmpty: if no single source has as many.
    """
    quota = entitlement.quota_left if entitlement.entitled else 0
    if quota is None or quota >= quantity:
        return None
    fits = [each for each in entitlement.allocations if each.left >= quantity]
    if not fits:
        most = max([quota, *(each.left for each in entitlement.allocations)])
        raise QuotaEmpty(left=most, resets_at=entitlement.resets_at)
    return fits[0]


def undo(
    book: LockedBook,
    request: BenefitRequest,
    original: UUID,
    *,
    at: datetime,
    within: timedelta = UNDO_WITHIN,
) -> tuple[BenefitUse, Entitlement]:
    """Take a use back within a day; a voucher issued from it is cancelled; a step.

    :raises UseNotFound: if it is not the partner's, was undone, or is too long ago.
    :raises VoucherUsed: if the voucher from it was used.
    """
    assert connection.in_atomic_block
    use = (
        BenefitUse.objects.select_related("benefit")
        .filter(
            pk=original,
            member_id=book.member.id,
            benefit__code=request.benefit,
            partner_id=request.partner_id,
            undone_at=None,
            at__gte=at - within,
        )
        .first()
    )
    if use is None:
        raise UseNotFound
    issuing.cancel_of(use.pk, at=at, refuse_used=True)
    use.undone_at = at
    use.save(update_fields=["undone_at"])
    if use.allocation_id is not None:
        BenefitAllocation.objects.filter(pk=use.allocation_id).update(left=F("left") + use.quantity)
    data = {"benefit": request.benefit, "use": str(use.pk)}
    activity.record(book.member.id, "BENEFIT_UNDONE", by=request.by, at=at, data=data)
    return use, entitlement_of(holder_of(book), request.benefit, at)
