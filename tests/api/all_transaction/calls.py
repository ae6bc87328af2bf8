"""Calls of several parts, what they need to be there, and what a refusal must leave alone."""

from datetime import timedelta

import pytest

from ledger.models import Entry, Transaction
from promotions.models import Evaluation, LimitCounter
from tests.api.test_voucher_authentication import issued
from tests.factories.vouchers import VoucherTypeFactory
from vouchers.models import BenefitUse, Voucher, VoucherUse

URL = "/transactions/"
TEN = [{"line": 1, "sku": "A", "quantity": "1", "amount": "10.00"}]
FIFTY = [{"line": 1, "sku": "A", "quantity": "5", "amount": "50.00"}]


def eur(amount):
    return {"amount": amount, "currency": "EUR"}


@pytest.fixture
def visit(purchase):
    """Return a maker of calls: a purchase of 10.00 that nothing has paid yet."""

    def make(mode="commit", **changes):
        return purchase(**{"lines": TEN, "discount": "0", "tenders": [], "mode": mode, **changes})

    return make


@pytest.fixture
def voucher(member, now):
    """Return a maker of codes that the member has: of 5.00, if nothing else is said."""

    def make(owner=None, **content):
        kind = VoucherTypeFactory(**content)
        return issued(kind, owner or member, now - timedelta(minutes=1))

    return make


@pytest.fixture
def sell(till, purchase):
    """Return a maker of earlier sales: five of A for 50.00."""

    def make(**changes):
        body = purchase(**{"lines": FIFTY, "discount": "0", "tenders": [], **changes})
        answer = till.post("/transactions/earn/", body)
        assert answer.status_code == 201, answer.json()
        return answer.json()

    return make


@pytest.fixture
def hold(till, member):
    """Return what holds points of the member, and names the lock."""

    def make(points):
        body = {"member": {"number": member.number}, "type": "PTS", "points": points}
        return till.post("/transactions/lock/", {**body, "reference": "HOLD"}).json()["lock"]

    return make


def of_sale(sale, quantity="1", **changes):
    return {"original": {"id": sale["id"]}, "lines": [{"line": 1, "quantity": quantity}], **changes}


def state():
    """Return what a refusal must leave as it was."""
    return (
        list(Transaction.objects.order_by("id").values_list("id", "version")),
        Entry.objects.count(),
        Evaluation.objects.count(),
        list(LimitCounter.objects.order_by("pk").values_list("promotion", "amount")),
        list(Voucher.objects.order_by("id").values_list("id", "status", "left")),
        list(VoucherUse.objects.order_by("id").values_list("id", "state")),
        BenefitUse.objects.count(),
    )


def refused(answer, status, code):
    """Assert a refusal and return its document."""
    document = answer.json()
    assert (answer.status_code, document["code"]) == (status, code), document
    return document
