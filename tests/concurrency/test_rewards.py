"""Vouchers that promotions give, under racing tills: never more than the stock, none refused."""

import threading
from datetime import UTC, datetime

import pytest

from partners.models import Partner
from promotions.engine.basket import Basket, BasketLine
from promotions.services.earning import EarnRequest, earn
from tests.concurrency.test_redemption import TILLS, race
from tests.factories.members import MemberFactory
from tests.factories.promotions import promotion
from tests.factories.vouchers import VoucherTypeFactory
from vouchers.models import Voucher, VoucherStock
from vouchers.services import stock

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def house(committed_program):
    return Partner.objects.get(is_house=True)


def sell(member, partner, reference):
    now = datetime.now(UTC)
    return earn(
        EarnRequest(
            member={"number": member.number},
            partner_id=partner.pk,
            partner_code=partner.code,
            reference=reference,
            digest=b"one",
            basket=Basket(
                occurred_at=now, currency="EUR", lines=(BasketLine(1, "A", "1", "9.00"),)
            ),
        ),
        at=now,
    )


def race_sales(house, rounds=1):
    members = [MemberFactory() for _ in range(TILLS)]
    for turn in range(rounds):

        def act(till, turn=turn):
            sell(members[till], house, f"T{till}-{turn}")

        assert race(act) == ["done"] * TILLS


@pytest.mark.parametrize("at_most", [1, 7, 33, 40])
def test_no_more_vouchers_than_stock_and_no_sale_refused(house, at_most):
    VoucherTypeFactory(code="COFFEE", stock=at_most)
    promotion("CUP", award={"kind": "VOUCHER", "voucher_type": "COFFEE", "quantity": 2})

    race_sales(house)

    assert Voucher.objects.count() == at_most
    assert not sum(VoucherStock.objects.values_list("left", flat=True))


def test_two_types_of_vouchers_are_given_without_deadlock(house):
    for code in ("AB", "BA"):
        VoucherTypeFactory(code=code, stock=25)
        promotion(code, award={"kind": "VOUCHER", "voucher_type": code, "quantity": 1})
        promotion(f"{code}-2", award={"kind": "VOUCHER", "voucher_type": code, "quantity": 1})

    race_sales(house, rounds=2)

    assert Voucher.objects.count() == 50


def test_without_the_locks_of_the_stock_more_would_be_given_than_there_is(house, monkeypatch):
    """The guard: tills that read what is left, and take it unconditionally, give too many."""
    kind = VoucherTypeFactory(code="COFFEE", stock=5)
    promotion("CUP", award={"kind": "VOUCHER", "voucher_type": "COFFEE", "quantity": 2})
    seen = threading.Barrier(TILLS)

    def claim(voucher_type, quantity):
        left = stock.left_of([kind.pk])[kind.pk]
        seen.wait(timeout=30)
        return min(left, quantity)

    monkeypatch.setattr(stock, "claim_up_to", claim)

    race_sales(house)

    assert Voucher.objects.count() == 2 * TILLS > 5
