"""What the programme is and knows: settings, languages, communication, identity providers."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.http import HttpResponse
from rest_framework.request import Request

from loyalty.api.fields import Answer, Money, filled
from loyalty.api.languages import fallbacks, negotiate
from loyalty.api.openapi import operation
from loyalty.api.views import ProgramViewSet
from loyalty.models import Program
from loyalty.queries import lookups
from loyalty.scopes import Scope


class CurrencyAnswer(Answer, kw_only=True):
    """A currency that the programme knows.

    `rate` is how many units of the programme's currency one unit is worth now; null without one.
    """

    code: str
    name: str
    decimals: int
    rate: str | None


class ProgramAnswer(Answer, kw_only=True):
    """The programme, and the settings that callers meet."""

    name: str
    time_zone: str
    currency: str
    currencies: list[CurrencyAnswer]
    language: str
    languages: list[str]
    accepted_lateness: timedelta
    future_tolerance: timedelta
    offline_window: timedelta
    offline_floor: Money | None
    claim_window: timedelta
    redemption_grace: timedelta | None
    lost_card_grace: timedelta
    minimum_age: int | None
    phone_region: str
    confirm_contact: bool
    several_cards: bool
    pin_digits: int
    member_schema: dict[str, Any]
    counts_points_paid: bool
    counts_tax: bool
    shipping_category: str
    counts_shipping: bool
    gift_card_category: str
    counts_gift_cards: bool
    basket_discount_lowers_lines: bool
    carries_remainders: bool
    returns_without_original: str


class LanguageAnswer(Answer, kw_only=True):
    """A language; `fallback` is where a text is looked for that it does not have, in order."""

    code: str
    name: str
    default: bool
    fallback: list[str]


class LanguagesAnswer(Answer, kw_only=True):
    """The languages of the programme, the default first."""

    results: list[LanguageAnswer]
    next: None = None


class CategoryAnswer(Answer, kw_only=True):
    """What members are written to about, and on what ground."""

    code: str
    name: str
    consent_default: bool
    legal_basis: str
    needs_proof: bool


class CategoriesAnswer(Answer, kw_only=True):
    """The categories of communication."""

    results: list[CategoryAnswer]
    next: None = None


class ChannelAnswer(Answer, kw_only=True):
    """A way to reach members."""

    code: str
    name: str
    needs_verified_contact: bool


class ChannelsAnswer(Answer, kw_only=True):
    """The channels of communication."""

    results: list[ChannelAnswer]
    next: None = None


class ProviderAnswer(Answer, kw_only=True):
    """Who vouches for aliases. `format` is a regular expression that the whole value matches.

    A released value is kept from other members for `quarantine`.
    """

    code: str
    name: str
    kind: str
    format: str | None
    unique: bool
    max_per_member: int
    verified: str
    quarantine: timedelta


class ProvidersAnswer(Answer, kw_only=True):
    """The identity providers that take aliases."""

    results: list[ProviderAnswer]
    next: None = None


class ProgramDetailsViewSet(ProgramViewSet):
    """The programme and its look-up lists; answers change seldom, so they carry an ETag."""

    action_scopes = {
        "program": Scope.PROGRAM_READ,
        "languages": Scope.PROGRAM_READ,
        "categories": Scope.PROGRAM_READ,
        "channels": Scope.PROGRAM_READ,
        "providers": Scope.PROGRAM_READ,
    }
    member_actions = frozenset(action_scopes)

    @operation("Get Program", answer=ProgramAnswer)
    def program(self, request: Request) -> HttpResponse:
        program = Program.objects.get(pk=1)
        known = lookups.languages()
        floor = program.offline_floor
        answer = filled(
            ProgramAnswer,
            program,
            currencies=[
                filled(
                    CurrencyAnswer,
                    each,
                    rate="1" if each.code == program.currency else _plain(rate),
                )
                for each, rate in lookups.currencies(self.now())
            ],
            language=next((each.code for each in known if each.is_default), "en"),
            languages=[each.code for each in known],
            offline_floor=(
                None if floor is None else Money(amount=f"{floor:.2f}", currency=program.currency)
            ),
        )
        return self.answer_known(answer)

    @operation("Get Client Language", answer=LanguagesAnswer)
    def languages(self, request: Request) -> HttpResponse:
        known = {each.code: each for each in lookups.languages()}
        default = next((code for code, each in known.items() if each.is_default), "en")
        rows = [
            LanguageAnswer(
                code=each.code,
                name=each.name,
                default=each.is_default,
                fallback=fallbacks(each, known, default),
            )
            for each in known.values()
        ]
        return self.answer_known(LanguagesAnswer(results=rows))

    @operation("Get Client Communication Category", answer=CategoriesAnswer)
    def categories(self, request: Request) -> HttpResponse:
        language = negotiate(request._request)
        rows = [
            filled(CategoryAnswer, each, name=language.text("name", each.translations, each.name))
            for each in lookups.communication_categories()
        ]
        return self.answer_known(CategoriesAnswer(results=rows), headers=language.headers)

    @operation("Get Client Communication Channel", answer=ChannelsAnswer)
    def channels(self, request: Request) -> HttpResponse:
        language = negotiate(request._request)
        rows = [
            filled(ChannelAnswer, each, name=language.text("name", each.translations, each.name))
            for each in lookups.communication_channels()
        ]
        return self.answer_known(ChannelsAnswer(results=rows), headers=language.headers)

    @operation("Identity Providers", answer=ProvidersAnswer)
    def providers(self, request: Request) -> HttpResponse:
        rows = [
            filled(ProviderAnswer, each, format=each.pattern or None, unique=True)
            for each in lookups.identity_providers()
        ]
        return self.answer_known(ProvidersAnswer(results=rows))


def _plain(rate: Decimal | None) -> str | None:
    return None if rate is None else f"{rate.normalize():f}"
