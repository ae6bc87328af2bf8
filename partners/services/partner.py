"""Adding a partner, and changing one: outlets, contacts, rates, exchange terms, status."""

from dataclasses import asdict, dataclass
from datetime import datetime

from django.db import connection

from loyalty import token_cache
from loyalty.errors import FieldError, ValidationFailed, VersionConflict
from loyalty.models import Currency, Program
from loyalty.services import epoch
from loyalty.services.use_case import use_case
from partners.content import PartnerContent, RateContent, changed_past, rate_faults
from partners.errors import HouseStays, MonthClosed, RateStands
from partners.models import Contact, ExchangeTerms, Outlet, Partner, PartnerRate
from partners.queries import content_of


@dataclass(frozen=True, slots=True)
class PutPartner:
    """A partner as it stands now, and whether it is new or was changed."""

    partner: Partner
    content: PartnerContent
    created: bool
    changed: bool


@use_case
def put_partner(
    code: str, content: PartnerContent, *, if_match: int | None, at: datetime
) -> PutPartner:
    """Make a partner or replace what it is. The same content again changes nothing.

    Outlets that are left out close: transactions name them, so they stay. An inactive partner's
    clients are nobody within 30 s; what it issued lives on.

    :raises ValidationFailed: if rates overlap, a currency is unknown, or terms do not fit the kind.
    :raises RateStands, MonthClosed: see `check_past`.
    :raises HouseStays: if the partner is the programme itself.
    :raises VersionConflict: if it is not at the version `if_match`.
    """
    partner = Partner.objects.select_for_update().filter(code=code).first()
    if if_match is not None and if_match != (partner.version if partner else 0):
        raise VersionConflict(partner.version if partner else 0)
    if partner is not None and partner.is_house:
        raise HouseStays
    _check(content)
    stands = content_of(partner) if partner else None
    if stands is not None and _same(stands, content):
        assert partner is not None
        return PutPartner(partner, stands, created=False, changed=False)
    if stands is not None:
        check_past(stands.rates, content.rates, at=at)
    created = partner is None
    partner = partner or Partner(code=code, version=0)
    partner.name, partner.kind = content.name, content.kind
    partner.status, partner.currency = content.status, content.currency
    partner.version += 1
    partner.save()
    _write_outlets(partner, content)
    _write_rest(partner, content)
    epoch.bump()
    token_cache.clear()
    return PutPartner(partner, content_of(partner), created=created, changed=True)


def check_past(
    stand: tuple[RateContent, ...], wanted: tuple[RateContent, ...], *, at: datetime
) -> None:
    """Refuse to change what was agreed, or what was settled.

    :raises RateStands: if a rate that was in force would be changed for the past.
    :raises MonthClosed: if a rate of money is new and begins in a month that is settled.
    """
    changed = changed_past(stand, wanted, at)
    if changed is not None:
        raise RateStands(kind=changed.kind, point_type=changed.point_type)
    closed = Program.objects.values_list("books_closed_until", flat=True).get(pk=1)
    known = {(rate.of, rate.valid_from) for rate in stand}
    for rate in wanted:
        if closed is None or rate.valid_from >= closed or rate.kind == PartnerRate.Kind.EXCHANGE:
            continue
        if (rate.of, rate.valid_from) not in known:
            raise MonthClosed(kind=rate.kind, point_type=rate.point_type, closed_until=closed)


def _same(stands: PartnerContent, content: PartnerContent) -> bool:
    """Whether two contents say the same; their lists may be in another order."""

    def sorted_out(each: PartnerContent) -> tuple[object, ...]:
        return (
            each.name, each.kind, each.status, each.currency, sorted(each.outlets), each.contacts,
            sorted(each.rates, key=lambda rate: (*rate.of, rate.valid_from)), each.exchange,
        )  # fmt: skip

    return sorted_out(stands) == sorted_out(content)


def _check(content: PartnerContent) -> None:
    errors = rate_faults(content.rates)
    in_money = [rate for rate in content.rates if rate.kind != PartnerRate.Kind.EXCHANGE]
    if content.currency:
        if not Currency.objects.filter(code=content.currency, active=True).exists():
            message = "The programme does not know this currency."
            errors.append(FieldError("/currency", "UNKNOWN", message))
    elif in_money:
        message = "Rates of money need the partner's currency."
        errors.append(FieldError("/currency", "MISSING_FIELD", message))
    codes = [outlet.code for outlet in content.outlets]
    for place, code in enumerate(codes):
        if code in codes[:place]:
            message = "An outlet is named once."
            errors.append(FieldError(f"/outlets/{place}/code", "REPEATED", message))
    if content.kind != Partner.Kind.EXCHANGE:
        message = "Only exchange partners take points for units of their own."
        if content.exchange is not None:
            errors.append(FieldError("/exchange", "NOT_HERE", message))
        errors.extend(
            FieldError(f"/rates/{place}/kind", "NOT_HERE", message)
            for place, rate in enumerate(content.rates)
            if rate.kind == PartnerRate.Kind.EXCHANGE
        )
    terms = content.exchange
    if terms is not None and terms.maximum is not None and terms.maximum < terms.minimum:
        message = "The maximum is below the minimum."
        errors.append(FieldError("/exchange/maximum", "OUT_OF_RANGE", message))
    if errors:
        raise ValidationFailed(errors)


def _write_outlets(partner: Partner, content: PartnerContent) -> None:
    assert connection.in_atomic_block
    rows = [
        Outlet(partner=partner, code=each.code, name=each.name, active=True)
        for each in content.outlets
    ]
    Outlet.objects.bulk_create(
        rows,
        update_conflicts=True,
        unique_fields=["partner", "code"],
        update_fields=["name", "active"],
    )
    gone = partner.outlets.exclude(code__in=[each.code for each in rows])
    gone.filter(active=True).update(active=False)


def _write_rest(partner: Partner, content: PartnerContent) -> None:
    """Write contacts, rates and terms anew: nothing refers to their rows."""
    partner.contacts.all().delete()
    Contact.objects.bulk_create(
        Contact(partner=partner, **asdict(each)) for each in content.contacts
    )
    partner.rates.all().delete()
    PartnerRate.objects.bulk_create(
        PartnerRate(partner=partner, **asdict(each)) for each in content.rates
    )
    ExchangeTerms.objects.filter(partner=partner).delete()
    if content.exchange is not None:
        ExchangeTerms.objects.create(partner=partner, **asdict(content.exchange))
