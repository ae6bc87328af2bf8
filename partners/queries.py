"""Reads of the partners app."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import msgspec
from django.db.models import F, Prefetch, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.utils import timezone

from loyalty.caller import Caller, CallerKind
from loyalty.scopes import HOUSE_ONLY
from partners.content import (
    ContactContent,
    ExchangeContent,
    OutletContent,
    PartnerContent,
    RateContent,
)
from partners.errors import PartnerNotFound
from partners.models import ApiClient, Exchange, ExchangeTerms, Partner, PartnerRate


def caller_of_token(token: str) -> tuple[Caller, datetime] | None:
    """Return the client behind a token and when the token ends; None if it is not valid. One query.

    A client of an inactive partner is nobody. The scopes are those of the token that the client
    still holds, so taking a right away works at once where the token is looked up anew.
    """
    a_token = "application__accesstoken__"
    the_house = Partner.objects.filter(is_house=True)
    found = (
        ApiClient.objects.filter(
            Q(partner=None) | Q(partner__status=Partner.Status.ACTIVE),
            public=False,
            application__accesstoken__token_checksum=checksum_of(token),
            application__accesstoken__expires__gt=timezone.now(),
        )
        .annotate(
            acts_for_id=Coalesce("partner_id", Subquery(the_house.values("pk")[:1])),
            acts_for_code=Coalesce("partner__code", Subquery(the_house.values("code")[:1])),
            client_id=F("application__client_id"),
            token_scope=F(a_token + "scope"),
            token_expires=F(a_token + "expires"),
        )
        .first()
    )
    if found is None:
        return None
    held = frozenset(found.token_scope.split()) & frozenset(found.scopes)
    caller = Caller(
        client_id=found.client_id,
        partner_id=found.acts_for_id,
        partner_code=found.acts_for_code,
        house=found.partner_id is None,
        scopes=held if found.partner_id is None else held - HOUSE_ONLY,
        rate_limit_per_minute=found.rate_limit_per_minute,
    )
    return caller, found.token_expires


PUBLIC_REQUESTS_PER_MINUTE = 60  # Per address: a public client's id is no secret.


def public_caller(client_id: str) -> tuple[Caller, datetime] | None:
    """Return the public client of this id; None if there is none. One query.

    It holds no scope: the views name what public clients may do.
    """
    client = (
        ApiClient.objects.filter(
            Q(partner=None) | Q(partner__status=Partner.Status.ACTIVE),
            public=True,
            application__client_id=client_id,
        )
        .select_related("partner")
        .first()
    )
    if client is None:
        return None
    partner = client.partner or house()
    caller = Caller(
        client_id=client_id,
        partner_id=partner.pk,
        partner_code=partner.code,
        house=False,
        scopes=frozenset(),
        rate_limit_per_minute=PUBLIC_REQUESTS_PER_MINUTE,
        kind=CallerKind.PUBLIC,
    )
    return caller, timezone.now() + timedelta(minutes=30)


def checksum_of(token: str) -> str:
    """Return under what a token is kept: only its hash is stored."""
    return hashlib.sha256(token.encode()).hexdigest()


def house() -> Partner:
    """Return the partner that is the programme itself."""
    return Partner.objects.get(is_house=True)


def partner_id_of(code: str) -> int:
    """Return the id of a partner.

    :raises PartnerNotFound: if there is none of this code.
    """
    found = Partner.objects.filter(code=code).values_list("pk", flat=True).first()
    if found is None:
        raise PartnerNotFound
    return found


class PartnerFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which partners; `seen_by` one, they are the active and itself; by the house, all."""

    kind: str | None = None
    status: str | None = None
    seen_by: int | None = None


def partners_of(wanted: PartnerFilter, *, after: str | None, limit: int) -> list[Partner]:
    """Return partners by code with all that they are. Five queries, however many."""
    rows = _seen(Partner.objects.order_by("code"), wanted.seen_by)
    if wanted.kind is not None:
        rows = rows.filter(kind=wanted.kind)
    if wanted.status is not None:
        rows = rows.filter(status=wanted.status)
    if after is not None:
        rows = rows.filter(code__gt=after)
    return list(_whole(rows)[:limit])


def partner_named(code: str, *, seen_by: int | None) -> Partner:
    """Return a partner with all that it is. Five queries.

    :raises PartnerNotFound: if there is none, or none that `seen_by` sees.
    """
    found = _whole(_seen(Partner.objects.filter(code=code), seen_by)).first()
    if found is None:
        raise PartnerNotFound
    return found


def partner_in_sight(code: str, *, only: int | None) -> Partner:
    """Return a partner's row; where `only` is one, nobody but that partner. One query.

    :raises PartnerNotFound: if there is none, or it is another.
    """
    found = Partner.objects.filter(code=code).first()
    if found is None or only not in (None, found.pk):
        raise PartnerNotFound
    return found


def exchange_partners() -> list[Partner]:
    """Return the partners that take points for units of their own now. Five queries."""
    active = Partner.objects.filter(status=Partner.Status.ACTIVE, exchange__isnull=False)
    return list(_whole(active.order_by("code")))


def _seen(rows: QuerySet[Partner], by: int | None) -> QuerySet[Partner]:
    return rows if by is None else rows.filter(Q(status=Partner.Status.ACTIVE) | Q(pk=by))


def _whole(rows: QuerySet[Partner]) -> QuerySet[Partner]:
    by_start = PartnerRate.objects.order_by("kind", "point_type", "valid_from")
    return rows.select_related("exchange").prefetch_related(
        "outlets", "contacts", Prefetch("rates", by_start)
    )


def content_of(partner: Partner) -> PartnerContent:
    """Return what a partner is; costs nothing if it was read whole."""
    terms = _terms_of(partner)
    return PartnerContent(
        name=partner.name,
        kind=partner.kind,
        status=partner.status,
        currency=partner.currency,
        outlets=tuple(
            sorted(
                OutletContent(code=each.code, name=each.name)
                for each in partner.outlets.all()
                if each.active
            )
        ),
        contacts=tuple(
            ContactContent(role=each.role, name=each.name, email=each.email, phone=each.phone)
            for each in sorted(partner.contacts.all(), key=lambda each: each.pk)
        ),
        rates=tuple(map(rate_content, sorted(partner.rates.all(), key=_by_start))),
        exchange=exchange_content(terms) if terms else None,
    )


def _terms_of(partner: Partner) -> ExchangeTerms | None:
    if "exchange" in partner._state.fields_cache:
        known: ExchangeTerms | None = partner._state.fields_cache["exchange"]
        return known
    return ExchangeTerms.objects.filter(partner=partner).first()


def _by_start(rate: PartnerRate) -> tuple[str, str, datetime]:
    return rate.kind, rate.point_type, rate.valid_from


def rate_content(row: PartnerRate) -> RateContent:
    """Return a stored rate as it compares."""
    return RateContent(
        kind=row.kind,
        point_type=row.point_type,
        rate=row.rate,
        valid_from=row.valid_from,
        valid_to=row.valid_to,
    )


def exchange_content(row: ExchangeTerms) -> ExchangeContent:
    """Return stored terms as they compare."""
    return ExchangeContent(
        unit=row.unit,
        minimum=row.minimum,
        maximum=row.maximum,
        step=row.step,
        fee=row.fee,
        account_format=row.account_format,
        fulfilment=row.fulfilment,
    )


@dataclass(frozen=True, slots=True)
class ExchangeFacts:
    """An exchange partner as redemptions use it."""

    partner_id: int
    code: str
    active: bool
    terms: ExchangeContent
    rates: tuple[RateContent, ...]


def exchange_facts() -> Mapping[str, ExchangeFacts]:
    """Return every exchange partner by code. Two queries."""
    rates: dict[int, list[RateContent]] = {}
    for row in PartnerRate.objects.filter(kind=PartnerRate.Kind.EXCHANGE):
        rates.setdefault(row.partner_id, []).append(rate_content(row))
    return {
        each.partner.code: ExchangeFacts(
            partner_id=each.partner_id,
            code=each.partner.code,
            active=each.partner.status == Partner.Status.ACTIVE,
            terms=exchange_content(each),
            rates=tuple(rates.get(each.partner_id, ())),
        )
        for each in ExchangeTerms.objects.select_related("partner")
    }


class ExchangeFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which exchanges; without a partner, those of all."""

    partner_id: int | None = None
    status: str | None = None


def exchanges_of(
    wanted: ExchangeFilter, *, after: tuple[str, str] | None, limit: int
) -> list[Exchange]:
    """Return exchanges, the oldest first, after (sent_at, id). One query."""
    rows = Exchange.objects.select_related("partner").order_by("sent_at", "id")
    if wanted.partner_id is not None:
        rows = rows.filter(partner_id=wanted.partner_id)
    if wanted.status is not None:
        rows = rows.filter(status=wanted.status)
    if after is not None:
        sent_at, key = datetime.fromisoformat(after[0]), UUID(after[1])
        rows = rows.filter(Q(sent_at__gt=sent_at) | Q(sent_at=sent_at, id__gt=key))
    return list(rows[:limit])
