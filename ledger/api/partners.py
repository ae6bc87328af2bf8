"""Add Partner, Get Partner and Exchange Redeem Partner.

They stand here and not with the partners, since rates are of point types, which the ledger knows.
"""

from datetime import timedelta
from decimal import Decimal
from typing import Annotated, Literal

import msgspec
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.http import HttpResponse
from msgspec import UNSET, Meta, UnsetType
from rest_framework.request import Request

from ledger.queries.configuration import configuration
from loyalty.api.fields import (
    END,
    PLAIN,
    Answer,
    Body,
    Code,
    Currency,
    Instant,
    Name,
    Short,
    check_instant,
    filled,
)
from loyalty.api.openapi import operation
from loyalty.api.pagination import LIMIT, LIMIT_MAX, make_cursor, read_cursor
from loyalty.api.views import ProgramViewSet
from loyalty.digest import DECIMAL
from loyalty.errors import FieldError, ValidationFailed, VersionConflict
from loyalty.models.lookups import regular_expression
from loyalty.scopes import Scope
from partners.content import (
    ContactContent,
    ExchangeContent,
    OutletContent,
    PartnerContent,
    RateContent,
)
from partners.errors import HouseStays, MonthClosed, PartnerNotFound, RateStands
from partners.models import Partner
from partners.queries import (
    PartnerFilter,
    content_of,
    exchange_partners,
    partner_named,
    partners_of,
)
from partners.services.partner import put_partner

_RATE = r"^[0-9]{1,10}(\.[0-9]{1,8})?" + END
Title = Annotated[str, Meta(min_length=1, max_length=200, pattern=PLAIN)]
RateText = Annotated[
    str, Meta(pattern=_RATE, description="Up to 8 places, as decimal text.", extra=DECIMAL)
]
Whole = Annotated[int, Meta(ge=0, le=10**15)]
AtLeastOne = Annotated[int, Meta(ge=1, le=10**15)]
Pattern = Annotated[str, Meta(min_length=1, max_length=200, pattern=PLAIN)]
OUTLETS_MAX, RATES_MAX, CONTACTS_MAX = 2000, 200, 50


class OutletBody(Body, kw_only=True):
    """A shop, restaurant or web site."""

    code: Code
    name: Title


class ContactBody(Body, kw_only=True):
    """A person or desk; `role` is such as settlement or technical."""

    role: Name
    name: Title
    email: Short | None = None
    phone: Name | None = None


class RateBody(Body, kw_only=True):
    """What one smallest unit of a point type is worth, from an instant on, until another."""

    kind: Literal["EARN", "BURN", "SETTLEMENT", "EXCHANGE"]
    type: Code
    rate: RateText
    from_: Instant = msgspec.field(name="from")
    to: Instant | None = None


class ExchangeTermsBody(Body, kw_only=True):
    """How points are taken for the partner's own units; all amounts in points."""

    unit: Name
    account_format: Pattern
    minimum: AtLeastOne = 1
    maximum: AtLeastOne | None = None
    step: AtLeastOne = 1
    fee: Whole = 0
    fulfilment: timedelta = timedelta(days=2)


class PartnerBody(Body, kw_only=True):
    """A partner, whole: what is left out is emptied, and an outlet that is left out closes."""

    name: Title
    kind: Literal["MERCHANT", "SPONSOR", "EXCHANGE", "SUPPLIER"] = "MERCHANT"
    status: Literal["ACTIVE", "INACTIVE"] = "ACTIVE"
    currency: Currency | None = None
    outlets: Annotated[list[OutletBody], Meta(max_length=OUTLETS_MAX)] = []
    contacts: Annotated[list[ContactBody], Meta(max_length=CONTACTS_MAX)] = []
    rates: Annotated[list[RateBody], Meta(max_length=RATES_MAX)] = []
    exchange: ExchangeTermsBody | None = None


class PartnersQuery(Body, kw_only=True):
    """Which partners."""

    kind: Literal["MERCHANT", "SPONSOR", "EXCHANGE", "SUPPLIER", "HOUSE"] | None = None
    status: Literal["ACTIVE", "INACTIVE"] | None = None
    cursor: str | None = None
    limit: Annotated[int, Meta(ge=1, le=LIMIT_MAX)] = LIMIT


class PartnerAnswer(Answer, kw_only=True):
    """A partner. Commercial terms only for who holds them: the partner and partners:write."""

    code: str
    name: str
    kind: str
    status: str
    currency: str | None
    outlets: list[OutletBody]
    rates: list[RateBody]
    exchange: ExchangeTermsBody | None
    contacts: list[ContactBody] | UnsetType = UNSET
    version: int


class PartnersAnswer(Answer, kw_only=True):
    """A page of partners, by code."""

    results: list[PartnerAnswer]
    next: str | None


class ExchangePartnerAnswer(Answer, kw_only=True):
    """A partner that takes points for its own units, with the rates in force."""

    code: str
    name: str
    unit: str
    rates: list[RateBody]
    minimum: int
    maximum: int | None
    step: int
    fee: int
    account_format: str
    fulfilment: timedelta


class ExchangePartnersAnswer(Answer, kw_only=True):
    """Every exchange partner."""

    results: list[ExchangePartnerAnswer]
    next: None = None


class PartnerViewSet(ProgramViewSet):
    """Partners."""

    action_scopes = {
        "put": Scope.PARTNERS_WRITE,
        "page": Scope.PARTNERS_READ,
        "one": Scope.PARTNERS_READ,
        "exchange": Scope.PARTNERS_READ,
    }

    @operation(
        "Add Partner",
        body=PartnerBody,
        answer=PartnerAnswer,
        errors=(VersionConflict, RateStands, MonthClosed, HouseStays),
    )
    def put(self, request: Request, code: str) -> HttpResponse:
        content = _content(self.body(PartnerBody))
        put = put_partner(code, content, if_match=self.if_match(), at=self.now())
        return self.answer(
            self._partner(put.partner, put.content),
            status=201 if put.created else 200,
            headers={"ETag": f'"{put.partner.version}"'},
        )

    @operation("Get Partners", answer=PartnersAnswer, query=PartnersQuery)
    def page(self, request: Request) -> HttpResponse:
        query = self.query(PartnersQuery)
        wanted = PartnerFilter(
            kind=query.kind, status=query.status, seen_by=self.caller.only_partner
        )
        after = read_cursor(query.cursor, wanted)
        rows = partners_of(wanted, after=after, limit=query.limit + 1)
        shown = rows[: query.limit]
        more = len(rows) > query.limit
        return self.answer_known(
            PartnersAnswer(
                results=[self._partner(each, content_of(each)) for each in shown],
                next=make_cursor(shown[-1].code, wanted) if more else None,
            )
        )

    @operation("Get Partner", answer=PartnerAnswer, errors=(PartnerNotFound,))
    def one(self, request: Request, code: str) -> HttpResponse:
        partner = partner_named(code, seen_by=self.caller.only_partner)
        answer = self._partner(partner, content_of(partner))
        whole = self._sees_terms(partner)
        return self.answer_known(answer, tag=str(partner.version) if whole else None)

    @operation("Exchange Redeem Partner", answer=ExchangePartnersAnswer)
    def exchange(self, request: Request) -> HttpResponse:
        return self.answer_known(
            ExchangePartnersAnswer(
                results=[
                    found
                    for each in exchange_partners()
                    if (found := self._exchange_partner(each)) is not None
                ]
            )
        )

    def _sees_terms(self, partner: Partner) -> bool:
        mine = not self.caller.house and partner.pk == self.caller.partner_id
        return mine or Scope.PARTNERS_WRITE in self.caller.scopes

    def _partner(self, partner: Partner, content: PartnerContent) -> PartnerAnswer:
        terms, now = content.exchange, self.now()
        whole = self._sees_terms(partner)
        answer = PartnerAnswer(
            code=partner.code,
            name=content.name,
            kind=content.kind,
            status=content.status,
            currency=content.currency or None,
            outlets=[filled(OutletBody, each) for each in content.outlets],
            rates=[
                _rate(each)
                for each in content.rates
                if whole or (each.kind == "EXCHANGE" and each.holds(now))
            ],
            exchange=filled(ExchangeTermsBody, terms) if terms else None,
            version=partner.version,
        )
        if whole:
            answer.contacts = [
                filled(ContactBody, each, email=each.email or None, phone=each.phone or None)
                for each in content.contacts
            ]
        return answer

    def _exchange_partner(self, partner: Partner) -> ExchangePartnerAnswer | None:
        content, now = content_of(partner), self.now()
        rates = [_rate(r) for r in content.rates if r.kind == "EXCHANGE" and r.holds(now)]
        terms = content.exchange
        if terms is None or not rates:
            return None
        return filled(
            ExchangePartnerAnswer, terms, code=partner.code, name=partner.name, rates=rates
        )


def _rate(rate: RateContent) -> RateBody:
    return RateBody(
        kind=rate.kind,  # type: ignore[arg-type]  # One of the stored choices.
        type=rate.point_type,
        rate=f"{rate.rate.normalize():f}",
        from_=rate.valid_from,
        to=rate.valid_to,
    )


def _content(body: PartnerBody) -> PartnerContent:
    """Return the body as the use case takes it.

    :raises ValidationFailed: if a point type, an address, an instant or a pattern is none.
    """
    types = {each.code for each in configuration().point_types.values()}
    errors = []
    for place, rate in enumerate(body.rates):
        check_instant(rate.from_, f"/rates/{place}/from")
        check_instant(rate.to, f"/rates/{place}/to")
        if rate.type not in types:
            message = "There is no such point type."
            errors.append(FieldError(f"/rates/{place}/type", "UNKNOWN", message))
    for place, contact in enumerate(body.contacts):
        if contact.email is not None and not _is_email(contact.email):
            message = "This is no e-mail address."
            errors.append(FieldError(f"/contacts/{place}/email", "NOT_IN_FORM", message))
    if body.exchange is not None:
        errors.extend(_exchange_faults(body.exchange))
    if errors:
        raise ValidationFailed(errors)
    terms = body.exchange
    return PartnerContent(
        name=body.name,
        kind=body.kind,
        status=body.status,
        currency=body.currency or "",
        outlets=tuple(OutletContent(code=each.code, name=each.name) for each in body.outlets),
        contacts=tuple(
            ContactContent(
                role=each.role, name=each.name, email=each.email or "", phone=each.phone or ""
            )
            for each in body.contacts
        ),
        rates=tuple(
            RateContent(
                kind=each.kind,
                point_type=each.type,
                rate=Decimal(each.rate).quantize(Decimal("1e-8")),
                valid_from=each.from_,
                valid_to=each.to,
            )
            for each in body.rates
        ),
        exchange=None if terms is None else ExchangeContent(**msgspec.structs.asdict(terms)),
    )


def _exchange_faults(terms: ExchangeTermsBody) -> list[FieldError]:
    errors = []
    try:
        regular_expression(terms.account_format)
    except ValidationError as error:
        errors.append(FieldError("/exchange/account_format", "NOT_IN_FORM", error.messages[0]))
    if not timedelta() <= terms.fulfilment <= timedelta(days=366):
        message = "Give a duration up to a year."
        errors.append(FieldError("/exchange/fulfilment", "OUT_OF_RANGE", message))
    return errors


def _is_email(text: str) -> bool:
    try:
        validate_email(text)
    except ValidationError:
        return False
    return True
