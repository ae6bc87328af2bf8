"""Get All Offers: everything that a member can have now, in one answer and in its language."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any

from django.http import HttpResponse
from msgspec import Meta
from rest_framework.request import Request

from ledger.queries.configuration import Configuration, configuration
from loyalty.api.fields import Answer, Body, Code, Short
from loyalty.api.languages import Chosen, negotiate
from loyalty.api.openapi import operation
from loyalty.api.views import ProgramViewSet
from loyalty.scopes import Scope
from members import stages
from members.queries import resolve
from members.queries.visibility import sees_person
from promotions.models import PromotionVersion, Sweepstake
from promotions.queries import sweepstakes as reads
from promotions.queries.entrants import Entrant, entrant_of
from promotions.queries.promotions import Place, budgets_left, left_of, offered_to
from promotions.queries.sweepstakes import Held
from promotions.shapes.rewards import sees_codes
from promotions.shapes.sweepstakes import SweepstakeAnswer, sweepstake_answer
from vouchers import codes
from vouchers.models import Voucher
from vouchers.queries.benefits import Entitlement, Holder, entitlements
from vouchers.queries.vouchers import vouchers_of_member
from vouchers.shapes.benefits import BenefitAnswer, benefit_answer
from vouchers.shapes.vouchers import VoucherAnswer, voucher_answer

CAPPED_AT, CAPPED_AT_MOST = 20, 100


class OffersQuery(Body, kw_only=True):
    """Where the member is, and how many offers of each kind are wanted."""

    partner: Code | None = None
    outlet: Code | None = None
    channel: Short | None = None
    limit: Annotated[int, Meta(ge=1, le=CAPPED_AT_MOST)] = CAPPED_AT


class PromotionOffer(Answer, kw_only=True):
    """A promotion that is open to the member; `gone` once its budget is used up."""

    code: str
    title: str
    body: str
    terms: str
    trigger: str
    targeted: bool
    active_to: str | None
    weekdays: list[str]
    hours: dict[str, str] | None
    coupons: list[str]
    award: dict[str, Any]
    gone: bool


class More(Answer, kw_only=True):
    """Of which kinds there is more than was told."""

    benefits: bool
    vouchers: bool
    promotions: bool
    sweepstakes: bool


class OffersAnswer(Answer, kw_only=True):
    """What a member can have now, by kind."""

    member: str
    language: str
    benefits: list[BenefitAnswer]
    vouchers: list[VoucherAnswer]
    promotions: list[PromotionOffer]
    sweepstakes: list[SweepstakeAnswer]
    more: More


class OfferViewSet(ProgramViewSet):
    """Offers of a member."""

    action_scopes = {"list_of": Scope.MEMBERS_READ}
    member_actions = frozenset({"list_of"})

    @operation("Get All Offers", answer=OffersAnswer, query=OffersQuery)
    def list_of(self, request: Request, number: str) -> HttpResponse:
        query, now = self.query(OffersQuery), self.now()
        member = resolve(self.member_named(number))
        settings, who = configuration(), entrant_of(member, now)
        chosen = negotiate(self.request._request, preferred=member.language)
        sees = sees_person(self.caller, member)
        holder = Holder(member.pk, member.tier.code, member.tier_since)
        benefits = entitlements(holder, at=now, zone=settings.zone)
        wanted = query.limit + 1
        vouchers = vouchers_of_member(member.pk, at=now, at_most=wanted, status="ISSUED")
        promotions: list[PromotionOffer] = []
        sweepstakes: list[Sweepstake] = []
        if stages.may_earn(member.stage, settings.stages):
            place = Place(self._partner(query.partner), query.outlet, query.channel)
            found = offered_to(who, place, now, by_segment=sees)
            promotions = _promotions(found, chosen, settings)
            sweepstakes = self._open_sweepstakes(who, now, settings, wanted)
        limit = query.limit
        answer = OffersAnswer(
            member=member.number,
            language=chosen.code,
            benefits=[_benefit(each, chosen) for each in benefits[:limit]],
            vouchers=[self._voucher(each, chosen, now, settings) for each in vouchers[:limit]],
            promotions=promotions[:limit],
            sweepstakes=self._sweepstakes(sweepstakes[:limit], who, chosen, now, settings, sees),
            more=More(
                benefits=len(benefits) > limit,
                vouchers=len(vouchers) > limit,
                promotions=len(promotions) > limit,
                sweepstakes=len(sweepstakes) > limit,
            ),
        )
        return self.answer(answer, headers=chosen.headers)

    def _partner(self, asked: str | None) -> str | None:
        """Return at whom the member is: a partner's client asks for its own offers."""
        return asked if self.caller.sees_all_of_member else self.caller.partner_code

    def _voucher(
        self, voucher: Voucher, chosen: Chosen, at: datetime, settings: Configuration
    ) -> VoucherAnswer:
        whole = sees_codes(self.caller, voucher.partner_id or 0)
        code = codes.unseal(voucher.code_sealed) if whole else codes.masked(voucher.hint)
        answer = voucher_answer(voucher, code, at, settings)
        kind = voucher.voucher_type
        answer.name = chosen.text("name", kind.translations, kind.name)
        answer.text = chosen.text("text", kind.translations, kind.text) or None
        return answer

    def _open_sweepstakes(
        self, who: Entrant, at: datetime, settings: Configuration, at_most: int
    ) -> list[Sweepstake]:
        return reads.sweepstakes_page(
            reads.Filter(at=at, status=Sweepstake.Status.OPEN),
            after="",
            at_most=at_most,
            who=who,
            on=at.astimezone(settings.zone).date(),
        )

    def _sweepstakes(
        self,
        found: Sequence[Sweepstake],
        who: Entrant,
        chosen: Chosen,
        at: datetime,
        settings: Configuration,
        sees: bool,
    ) -> list[SweepstakeAnswer]:
        keys = [row.pk for row in found]
        held, totals = reads.held_of(who.id, keys), reads.totals_of(keys)
        return [
            sweepstake_answer(
                row,
                at=at,
                on=at.astimezone(settings.zone).date(),
                chosen=chosen,
                total=totals.get(row.pk, 0),
                who=who,
                held=held.get(row.pk, Held()),
                winners=[],
                tells_why=sees,
            )
            for row in found
        ]


def _benefit(each: Entitlement, chosen: Chosen) -> BenefitAnswer:
    answer = benefit_answer(each)
    answer.name = chosen.text("name", each.benefit.translations, each.benefit.name)
    return answer


def _promotions(
    found: Sequence[PromotionVersion], chosen: Chosen, settings: Configuration
) -> list[PromotionOffer]:
    """Return promotions as offers: those that are for the member's segments first."""
    left = budgets_left(row.promotion.code for row in found)
    offers = []
    for row in found:
        definition, texts = row.definition, row.definition.get("texts") or {}
        rest = left_of(row, left, settings.currency)
        offers.append(
            PromotionOffer(
                code=row.promotion.code,
                title=chosen.text("title", texts, definition["name"]),
                body=chosen.text("body", texts, ""),
                terms=chosen.text("terms", texts, ""),
                trigger=definition["trigger"],
                targeted=bool(definition["audience"]["segments"]),
                active_to=definition["active_to"],
                weekdays=definition["weekdays"],
                hours=definition["hours"],
                coupons=definition["coupons"],
                award={k: v for k, v in definition["award"].items() if v not in (None, [])},
                gone=rest is not None and Decimal(rest) <= 0,
            )
        )
    return sorted(offers, key=lambda each: (each.gone, not each.targeted, each.code))
