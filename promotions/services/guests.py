"""What a call would come to for a guest: what vouchers pay, and what a member would earn."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from loyalty.services.use_case import looking
from promotions.engine.basket import Basket
from promotions.services import earning
from promotions.services.calls.payment import Bill, VoucherToUse, draft_vouchers, paid_basket
from promotions.services.evaluation import Quote, evaluate_basket
from promotions.services.quotes import Promise
from vouchers.services.authentication import AtTill


@dataclass(frozen=True, slots=True)
class GuestCall:
    """The evaluation of a guest's basket, and what is told beside it."""

    quote: Quote
    told: dict[str, Any]


def evaluate_guest(
    basket: Basket,
    vouchers: Sequence[VoucherToUse],
    *,
    partner_id: int,
    partner_code: str,
    at: datetime,
    promise: Promise | None = None,
    explain: bool = False,
) -> GuestCall:
    """Return what a guest's call would come to; a guest cannot commit. Nothing is written.

    :raises LoyaltyError: what refuses a voucher or the basket.
    """
    with looking():
        bill = Bill(basket.currency, earning.cost(basket))
        till = AtTill(partner_id=partner_id, outlet=basket.outlet, reference="-")
        used = draft_vouchers(vouchers, till, bill, at=at)
        quote = evaluate_basket(
            paid_basket(basket, bill),
            member=None,
            partner_id=partner_id,
            partner_code=partner_code,
            at=at,
            explain=explain,
            promise=promise,
        )
        told = {
            "currency": bill.currency,
            "due": bill.text(bill.due),
            "to_pay": bill.text(bill.to_pay),
            "parts": [],
            "burned": [],
            "vouchers": [each.told for each in used],
            "benefits": [],
        }
        return GuestCall(quote, told)
