"""The demo's partners: a grocer, two smaller chains that took over some stores, and an airline."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal

from partners.content import ExchangeContent, OutletContent, PartnerContent, RateContent
from partners.models import Outlet, Partner
from partners.services.partner import put_partner
from promotions.demo import data

GROCER, CORNER, MARKET, AIRLINE = "GROCER", "CORNER", "MARKET", "AIR"
# Whose a store is, by the last digit of its number; all others are the grocer's.
STORES_OF = {1: CORNER, 2: MARKET}
NAMES = {GROCER: "The Grocer", CORNER: "Corner Shops", MARKET: "The Market Hall"}
# What a point costs its issuer, and what is paid for one that is redeemed, in dollars. The market
# hall has one rate for both.
RATES = {
    GROCER: {"EARN": "0.0120", "BURN": "0.0100"},
    CORNER: {"EARN": "0.0130", "BURN": "0.0095"},
    MARKET: {"SETTLEMENT": "0.0110"},
    AIRLINE: {"EXCHANGE": "0.5", "BURN": "0.0080"},
}


def load_partners(*, since: datetime) -> Partner:
    """Make the partners with their stores and rates, unless they are there; return the grocer."""
    known = set(Partner.objects.values_list("code", flat=True))
    taken = set(Outlet.objects.values_list("code", flat=True))
    stores: dict[str, list[int]] = {}
    for store in data.stores():
        stores.setdefault(STORES_OF.get(store % 10, GROCER), []).append(store)
    for code, name in NAMES.items():
        if code not in known:
            outlets = tuple(
                OutletContent(code=f"S{store}", name=f"Store {store}")
                for store in stores[code]
                if f"S{store}" not in taken
            )
            content = PartnerContent(
                name=name,
                kind="MERCHANT",
                status="ACTIVE",
                currency="USD",
                outlets=outlets,
                rates=_rates(code, since),
            )
            put_partner(code, content, if_match=None, at=since)
    if AIRLINE not in known:
        put_partner(AIRLINE, _airline(since), if_match=None, at=since)
    return Partner.objects.get(code=GROCER)


def _airline(since: datetime) -> PartnerContent:
    return PartnerContent(
        name="Laurel Air",
        kind="EXCHANGE",
        status="ACTIVE",
        currency="USD",
        rates=_rates(AIRLINE, since),
        exchange=ExchangeContent(
            unit="miles",
            minimum=500,
            maximum=None,
            step=100,
            fee=0,
            account_format="[0-9]{9}",
            fulfilment=data.WEEK,
        ),
    )


def _rates(code: str, since: datetime) -> tuple[RateContent, ...]:
    return tuple(
        RateContent(kind=kind, point_type="PTS", rate=Decimal(rate), valid_from=since)
        for kind, rate in RATES[code].items()
    )


def shops() -> Mapping[str, Partner]:
    """Return whose each store is, by the code of the outlet."""
    return {each.code: each.partner for each in Outlet.objects.select_related("partner")}
