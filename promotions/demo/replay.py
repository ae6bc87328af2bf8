"""The year's purchases through the real earn path, and what members do with their points."""

import hashlib
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from dateutil.relativedelta import relativedelta

from ledger.errors import InsufficientPoints
from ledger.models import Transaction
from ledger.queries.statements import last_month, period_of
from ledger.services import settlement
from ledger.services.exchange import ExchangeRequest
from ledger.services.originals import Original
from ledger.services.partner_settlement import settle_month
from ledger.services.redemption import RedemptionRequest, redeem_points
from ledger.services.reversal import ReversalRequest
from loyalty.models import Master
from partners.models import Partner
from promotions.demo import data
from promotions.demo.partners import AIRLINE
from promotions.demo.people import card_of
from promotions.engine.basket import Basket, BasketLine, Product
from promotions.services.bulk import earn_many
from promotions.services.earning import EarnRequest
from promotions.services.reversals import reverse_earn
from promotions.services.tiers import tier_review

CHUNK = 1_000  # Purchases per commit: short locks, and a lost worker loses little.
RETURNED_ONE_IN = 97
REDEEMING_ONE_IN = 9
REDEEMED_POINTS = 500
FLYING_ONE_IN = 4


def replay(
    weeks: int,
    *,
    today: datetime,
    shops: Mapping[str, Partner],
    members: Mapping[str, int],
    on_progress: Callable[[int], None],
) -> int:
    """Post the last `weeks` weeks, with redemptions and returns; return how many were new."""
    products = _products()
    posted = 0
    for week in data.baskets(weeks, shift=data.shift_of(today)):
        new = 0
        requests = [_request(basket, shops) for basket in week]
        for start in range(0, len(requests), CHUNK):
            chunk = requests[start : start + CHUNK]
            new += earn_many(chunk, members, products=products)
            on_progress(len(chunk))
        if new:
            # Life goes on once a week is new; a week that was there before adds nothing.
            at = week[-1].occurred_at + timedelta(minutes=5)
            _redeem_some(week, shops, at)
            _return_some(week, shops, at + timedelta(minutes=5))
            _settle(at + timedelta(minutes=10))
            _review(at + timedelta(minutes=15))
        posted += new
    return posted


def _products() -> dict[str, Product]:
    rows = Master.objects.filter(entity__code="product").values_list("code", "path", "attributes")
    return {
        code: Product(tuple(path), attributes.get("brand"), attributes)
        for code, path, attributes in rows.iterator(chunk_size=10_000)
    }


def _request(basket: data.RawBasket, shops: Mapping[str, Partner]) -> EarnRequest:
    partner = shops[f"S{basket.store}"]
    reference = f"S{basket.store}-{basket.id}"
    return EarnRequest(
        member={"card": card_of(basket.household)},
        partner_id=partner.pk,
        partner_code=partner.code,
        reference=reference,
        digest=_digest(reference),
        basket=Basket(
            occurred_at=basket.occurred_at,
            currency="USD",
            outlet=f"S{basket.store}",
            channel="POS",
            lines=tuple(_line(number, line) for number, line in enumerate(basket.lines, 1)),
        ),
    )


def _line(number: int, line: data.RawLine) -> BasketLine:
    paid, discount = _money(line.paid), _money(line.discount)
    return BasketLine(
        number,
        str(line.product),
        str(line.quantity),
        str(paid + discount),
        discount=str(discount),
    )


def _money(value: float) -> Decimal:
    return Decimal(str(abs(value))).quantize(Decimal("0.01"))


def _digest(reference: str) -> bytes:
    return hashlib.sha256(f"demo {reference}".encode()).digest()


def _redeem_some(week: list[data.RawBasket], shops: Mapping[str, Partner], at: datetime) -> None:
    """Let every ninth household that shopped pay with points, if it has enough; or fly."""
    for basket in {basket.household: basket for basket in week}.values():
        if (basket.household + basket.id) % REDEEMING_ONE_IN:
            continue
        reference = f"S{basket.store}-{basket.id}-PAY"
        request = RedemptionRequest(
            member={"card": card_of(basket.household)},
            partner_id=shops[f"S{basket.store}"].pk,
            reference=reference,
            digest=_digest(reference),
            occurred_at=basket.occurred_at,
            point_type="PTS",
            points=REDEEMED_POINTS,
            outlet=f"S{basket.store}",
            **_flight(basket.household),
        )
        try:
            redeem_points(request, at=at)
        except InsufficientPoints:
            continue


def _flight(household: int) -> dict[str, Any]:
    """Return what makes a redemption buy miles, for every fourth household."""
    if household % FLYING_ONE_IN:
        return {}
    return {"purpose": "EXCHANGE", "exchange": ExchangeRequest(AIRLINE, f"{household:09}")}


def _return_some(week: list[data.RawBasket], shops: Mapping[str, Partner], at: datetime) -> None:
    """Take back a purchase here and there."""
    for basket in week:
        if basket.id % RETURNED_ONE_IN:
            continue
        sale = f"S{basket.store}-{basket.id}"
        partner = shops[f"S{basket.store}"]
        request = ReversalRequest(
            original=Original(partner.pk, reference=sale),
            partner_id=partner.pk,
            reference=f"{sale}-BACK",
            digest=_digest(f"{sale}-BACK"),
            occurred_at=at,
            reason="Returned whole.",
        )
        reverse_earn(request, at=at)


def _settle(at: datetime) -> None:
    after = 0
    while (chunk := settlement.settle_chunk(after=after, at=at)).last is not None:
        after = chunk.last


def _review(at: datetime) -> None:
    """Let the week end with a review: who has spent less for a while loses the tier."""
    after = 0
    while (chunk := tier_review.review_chunk(after=after, at=at, everybody=False)).last is not None:
        after = chunk.last


def settle_months(*, until: datetime) -> int:
    """Settle every month that is over with the partners; return how many statements were new."""
    first = Transaction.objects.order_by("posted_at").values_list("posted_at", flat=True).first()
    month, new = last_month(until), 0
    while first is not None and period_of(month)[1] > first:
        new += settle_month(month, at=until).new
        month -= relativedelta(months=1)
    return new
