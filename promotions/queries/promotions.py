"""Promotions as they are listed: each with the version in effect at an instant."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import DateTimeField, F, OuterRef, Q, QuerySet, Subquery, Sum
from django.db.models.fields.json import KT
from django.db.models.functions import Cast

from members.models import Member
from members.queries.segments import segment_codes
from promotions.engine.money import to_minor, to_text
from promotions.models import BudgetSlot, Promotion, PromotionApproval, PromotionVersion
from promotions.queries.entrants import Entrant

OFFERED_MAX = 1_000  # A programme has some hundreds live; the answer is capped well below.


@dataclass(frozen=True, slots=True)
class Filter:
    """Which promotions: by status, instant, partner, segment, or open to a member."""

    at: datetime
    status: str | None = None
    partner: str | None = None
    segment: str | None = None
    member_id: int | None = None
    visible_only: bool = False


def promotions_page(wanted: Filter, *, after: str, at_most: int) -> list[PromotionVersion]:
    """Return promotions by code, after a cursor's, each as its version in effect. Few queries.

    A promotion whose only version takes over later is shown with that one.
    """
    found = _in_effect(wanted.at)
    if wanted.status is not None:
        found = found.filter(promotion__status=wanted.status)
    if wanted.partner is not None:
        found = found.filter(_for("partners", [wanted.partner]))
    if wanted.segment is not None:
        found = found.filter(definition__audience__segments__contains=[wanted.segment])
    if wanted.visible_only:
        found = found.exclude(definition__visible=False)
    if wanted.member_id is not None:
        found = found.filter(_open_to(wanted.member_id, wanted.at))
    return list(found.filter(promotion__code__gt=after).order_by("promotion__code")[:at_most])


def _in_effect(at: datetime) -> QuerySet[PromotionVersion]:
    """Return of each promotion the version in effect at an instant, or else its first."""
    of_promotion = PromotionVersion.objects.filter(promotion=OuterRef("promotion"))
    begun = of_promotion.filter(effective_from__lte=at).order_by("-number").values("pk")[:1]
    first = of_promotion.order_by("number").values("pk")[:1]
    return (
        PromotionVersion.objects.select_related("promotion")
        .annotate(
            begun=Subquery(begun),
            first=Subquery(first),
            begins=Cast(KT("definition__active_from"), DateTimeField()),
            ends=Cast(KT("definition__active_to"), DateTimeField()),
        )
        .filter(Q(pk=F("begun")) | Q(begun=None, pk=F("first")))
    )


def _for(name: str, codes: Iterable[str]) -> Q:
    """Return the condition that an audience names one of these codes, or nobody."""
    anybody = Q(**{f"definition__audience__{name}": []})
    for code in codes:
        anybody |= Q(**{f"definition__audience__{name}__contains": [code]})
    return anybody


def _open_to(member_id: int, at: datetime) -> Q:
    """Return the condition that a promotion is LIVE, running, and for this member."""
    member = Member.objects.select_related("tier").get(pk=member_id)
    return _open_to_one(member.tier.code, member.stage, segment_codes(member_id, at), at)


def _open_to_one(tier: str, stage: str, segments: Collection[str], at: datetime) -> Q:
    wanted = (
        Q(promotion__status=Promotion.Status.LIVE)
        & _for("tiers", [tier])
        & _for("stages", [stage])
        & _for("segments", segments)
        & (Q(begins=None) | Q(begins__lte=at))
        & (Q(ends=None) | Q(ends__gt=at))
    )
    for code in segments:
        wanted &= ~Q(definition__audience__not_segments__contains=[code])
    return wanted


@dataclass(frozen=True, slots=True)
class Place:
    """Where offers are asked for; what is not said asks for nothing."""

    partner: str | None = None
    outlet: str | None = None
    channel: str | None = None


def offered_to(
    who: Entrant, place: Place, at: datetime, *, by_segment: bool
) -> list[PromotionVersion]:
    """Return the visible promotions that are open to a member at an instant, by code. One query.

    At a place, those that are given there. Without `by_segment`, only those that do not tell what
    segments the member is in.
    """
    found = _in_effect(at).exclude(definition__visible=False)
    found = found.filter(_open_to_one(who.tier, who.stage, who.segments, at))
    if not by_segment:
        found = found.filter(
            definition__audience__segments=[], definition__audience__not_segments=[]
        )
    for name, code in (
        ("partners", place.partner),
        ("outlets", place.outlet),
        ("channels", place.channel),
    ):
        if code is not None:
            found = found.filter(_for(name, [code]))
    return list(found.order_by("promotion__code")[:OFFERED_MAX])


def version_of(
    promotion: Promotion, *, number: int | None, at: datetime
) -> PromotionVersion | None:
    """Return a promotion's version: of this number, or the one in effect."""
    if number is not None:
        return promotion.versions.filter(number=number).first()
    return _in_effect(at).filter(promotion=promotion).first()


def budgets_left(codes: Iterable[str]) -> dict[str, int]:
    """Return what budgets have left, by promotion; one that nobody drew on is missing."""
    rows = BudgetSlot.objects.filter(promotion__in=list(codes), per="BUDGET")
    return dict(rows.values_list("promotion").annotate(left=Sum("rest")))


def left_of(version: PromotionVersion, known: dict[str, int], currency: str) -> int | str | None:
    """Return what a version's budget has left: points, uses, or money as text; None without one."""
    budget: dict[str, Any] | None = version.definition.get("budget")
    if budget is None:
        return None
    left = known.get(version.promotion.code)
    if budget["measure"] == "MONEY":
        return to_text(
            to_minor(str(budget["at_most"]), currency) if left is None else left, currency
        )
    return int(budget["at_most"]) if left is None else left


def live_definitions(at: datetime) -> QuerySet[PromotionVersion]:
    """Return of each promotion that is LIVE the version in effect, or the first. One query."""
    return _in_effect(at).filter(promotion__status=Promotion.Status.LIVE)


def waiting_by_promotion(promotion_ids: Iterable[int]) -> dict[int, PromotionApproval]:
    """Return what waits for a second person, by promotion. One query."""
    rows = PromotionApproval.objects.filter(
        promotion__in=list(promotion_ids), state=PromotionApproval.State.WAITING
    )
    return {row.promotion_id: row for row in rows.select_related("version")}
