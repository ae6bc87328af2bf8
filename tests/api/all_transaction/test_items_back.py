"""All Transaction: items of earlier sales that come back in the call."""

import pytest

from ledger.models import Transaction
from tests.api.all_transaction.calls import FIFTY, URL, eur, of_sale, refused, state
from tests.factories.ledger import balance
from tests.factories.members import MemberFactory
from tests.factories.partners import PartnerFactory
from tests.factories.promotions import promotion

pytestmark = pytest.mark.usefixtures("member")


class TestReturns:
    def test_an_exchange_is_one_call(self, till, visit, sell, member):
        promotion()
        sale = sell()

        body = till.post(URL, visit(returns=[of_sale(sale, "2")])).json()

        assert (body["due"], body["to_pay"]) == (eur("-10.00"), eur("-10.00"))
        assert [(part["kind"], part["original"], part["points"]) for part in body["parts"]] == [
            ("RETURN", sale["id"], [{"type": "PTS", "points": -20}]),
            ("EARN", None, [{"type": "PTS", "points": 10}]),
        ]
        assert balance(member).available == 40

    def test_what_comes_back_pays_like_money(self, till, visit, sell):
        promotion(not_tenders=["POINTS", "VOUCHER", "CARD", "CASH", "OTHER", "ACCOUNT"])
        sale = sell()
        tenders = [{"type": "CARD", "amount": "40.00"}]

        body = till.post(URL, visit(lines=FIFTY, returns=[of_sale(sale)], tenders=tenders)).json()

        assert body["to_pay"] == eur("40.00")
        assert [p["points"] for p in body["points"]] == [10]

    def test_items_may_come_back_without_a_purchase(self, till, visit, sell, member):
        promotion()
        sale = sell()

        answer = till.post(URL, visit(lines=None, returns=[of_sale(sale)]))

        assert answer.status_code == 201, answer.json()
        assert answer.json()["to_pay"] == eur("-10.00")
        assert balance(member).available == 40

    def test_each_return_is_a_part_of_its_own(self, till, visit, sell):
        promotion()
        first, second = sell(), sell()

        body = till.post(URL, visit(returns=[of_sale(first), of_sale(second, "2")])).json()

        rows = Transaction.objects.filter(kind="RETURN").order_by("part")
        assert [(row.part, row.reference, str(row.sale)) for row in rows] == [
            (0, body["reference"], body["id"]),
            (1, body["reference"], body["id"]),
        ]
        assert body["due"] == eur("-20.00")

    def test_two_of_one_sale_are_refused(self, till, visit, sell):
        sale = sell()
        before = state()
        again = {**of_sale(sale), "original": {"reference": sale["reference"]}}

        document = refused(
            till.post(URL, visit(returns=[of_sale(sale), again])), 400, "VALIDATION_FAILED"
        )

        assert document["errors"][0]["pointer"] == "/returns/1/original"
        assert state() == before

    def test_a_daily_use_that_comes_back_is_free_for_the_new_lines(self, till, visit, sell):
        once = {"per": "MEMBER", "period": "DAY", "measure": "USES", "at_most": 1, "then": "SKIP"}
        fixed = {"kind": "FIXED", "type": "PTS", "points": 100}
        promotion("BONUS", award=fixed, minimum={"amount": "50.00"}, limits=[once])
        sale = sell()
        call = {"lines": FIFTY, "returns": [of_sale(sale, "5")]}

        looked = till.post(URL, visit("evaluate", **call)).json()
        body = till.post(URL, visit(**call)).json()

        assert looked["points"] == [{"type": "PTS", "points": 100}]
        assert [p["points"] for p in body["points"]] == [100]

    def test_a_budget_that_comes_back_is_there_for_the_new_lines(self, till, visit, sell):
        promotion(budget={"measure": "POINTS", "at_most": 60})
        sale = sell()
        call = {"lines": FIFTY, "returns": [of_sale(sale, "4")]}

        looked = till.post(URL, visit("evaluate", **call)).json()
        body = till.post(URL, visit(**call)).json()

        assert looked["points"] == [{"type": "PTS", "points": 50}]
        assert [p["points"] for p in body["points"]] == [50]

    def test_of_somebody_elses_sale_are_not_found(self, till, api_of, visit, purchase, sell):
        other = api_of(PartnerFactory())
        MemberFactory(card="6275000000000025")
        theirs = other.post(
            "/transactions/earn/",
            purchase(lines=FIFTY, discount="0", tenders=[], outlet=None),
        ).json()
        anothers = sell(member={"card": "6275000000000025"})
        before = state()

        for sale in (theirs, anothers):
            refused(till.post(URL, visit(returns=[of_sale(sale)])), 404, "TRANSACTION_NOT_FOUND")
        assert state() == before

    def test_of_more_than_was_bought_are_refused_at_their_place(self, till, visit, sell):
        sale = sell()
        before = state()

        document = refused(
            till.post(URL, visit(returns=[of_sale(sale, "6")])), 422, "RETURN_EXCEEDS_PURCHASE"
        )

        assert document["pointer"] == "/returns/0"
        assert state() == before
