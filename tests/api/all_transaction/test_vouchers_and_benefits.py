"""All Transaction: vouchers that pay, and benefits that are had, with a purchase."""

import pytest

from tests.api.all_transaction.calls import URL, eur, refused, state
from tests.factories.ledger import balance
from tests.factories.members import MemberFactory
from tests.factories.promotions import promotion
from tests.factories.vouchers import BenefitFactory
from vouchers.models import BenefitUse, Voucher, VoucherUse

pytestmark = pytest.mark.usefixtures("member")


class TestVouchers:
    def test_pay_what_they_are_worth(self, till, visit, voucher, member):
        promotion(not_tenders=["VOUCHER"])
        code = voucher(code="FIVE")

        body = till.post(URL, visit(vouchers=[{"code": code}])).json()

        assert body["vouchers"] == [
            {
                "code": code,
                "voucher_type": "FIVE",
                "status": "USED",
                "used": eur("5.00"),
                "left": eur("0.00"),
                "gives": "AMOUNT",
                "percent": None,
                "product": None,
                "text": None,
            }
        ]
        assert (body["to_pay"], balance(member).available) == (eur("5.00"), 5)
        use = VoucherUse.objects.get()
        assert (str(use.sale), use.reference, use.outlet) == (body["id"], body["reference"], "S1")

    def test_used_in_parts_pay_what_is_left_to_pay_or_what_is_asked(self, till, visit, voucher):
        large = voucher(value="30.00", in_parts=True)
        small = voucher(value="5.00", in_parts=True)

        first = till.post(
            URL, visit(vouchers=[{"code": small, "amount": "2.50"}, {"code": large}])
        ).json()

        assert [(v["used"], v["left"], v["status"]) for v in first["vouchers"]] == [
            (eur("2.50"), eur("2.50"), "ISSUED"),
            (eur("7.50"), eur("22.50"), "ISSUED"),
        ]
        assert first["to_pay"] == eur("0.00")

    def test_used_up_pay_at_most_what_is_left_to_pay(self, till, visit, voucher):
        code = voucher(value="30.00")

        body = till.post(URL, visit(vouchers=[{"code": code}])).json()

        assert (body["vouchers"][0]["used"], body["to_pay"]) == (eur("10.00"), eur("0.00"))
        assert (Voucher.objects.get().status, str(VoucherUse.objects.get().amount)) == (
            "USED",
            "30.00",
        )

    @pytest.mark.parametrize(
        "content",
        [
            {"gives": "PERCENT", "percent": "10.00", "value": None, "currency": ""},
            {"gives": "PRODUCT", "product": "TEA", "value": None, "currency": ""},
            {"gives": "TEXT", "text": "A cake.", "value": None, "currency": ""},
        ],
    )
    def test_that_are_no_money_pay_nothing(self, till, visit, voucher, content):
        code = voucher(**content)

        body = till.post(URL, visit(vouchers=[{"code": code}])).json()

        told = body["vouchers"][0]
        assert (told["status"], told["used"], told["left"]) == ("USED", None, None)
        assert body["to_pay"] == eur("10.00")

    def test_held_by_the_till_itself_are_named_with_their_hold(self, till, visit, voucher):
        code = voucher()
        hold = till.post(
            "/vouchers/authenticate/", {"code": code, "action": "reserve", "reference": "H"}
        )
        assert hold.status_code == 201
        before = state()

        refused(till.post(URL, visit(vouchers=[{"code": code}])), 409, "VOUCHER_RESERVED")
        assert state() == before

        own = [{"code": code, "original": {"reference": "H"}}]
        assert till.post(URL, visit("evaluate", vouchers=own)).status_code == 200
        assert till.post(URL, visit(vouchers=own)).json()["to_pay"] == eur("5.00")

    def test_of_another_member_are_not_found(self, till, visit, voucher):
        code = voucher(owner=MemberFactory())
        before = state()

        document = refused(
            till.post(URL, visit(vouchers=[{"code": code}])), 404, "VOUCHER_NOT_FOUND"
        )

        assert document["pointer"] == "/vouchers/0"
        assert state() == before

    def test_shown_twice_in_a_call_are_refused(self, till, visit, voucher):
        code = voucher()
        before = state()

        document = refused(
            till.post(URL, visit(vouchers=[{"code": code}, {"code": code.lower()}])),
            400,
            "VALIDATION_FAILED",
        )

        assert document["errors"][0]["pointer"] == "/vouchers/1/code"
        assert state() == before

    def test_used_before_are_refused(self, till, visit, voucher):
        code = voucher()
        till.post(URL, visit(vouchers=[{"code": code}]))
        before = state()

        refused(till.post(URL, visit(vouchers=[{"code": code}])), 409, "VOUCHER_USED")

        assert state() == before

    def test_of_another_currency_pay_nothing_here(self, till, visit, voucher):
        code = voucher(currency="CHF")
        before = state()

        document = refused(
            till.post(URL, visit(vouchers=[{"code": code}])), 422, "CURRENCY_DIFFERS"
        )

        assert (document["currency"], document["wanted"]) == ("CHF", "EUR")
        assert state() == before

    @pytest.mark.parametrize(
        ("shown", "code"),
        [({"amount": "10.01"}, "MORE_THAN_DUE"), ({"amount": "30.01"}, "VOUCHER_TOO_SMALL")],
    )
    def test_asked_for_too_much_are_refused(self, till, visit, voucher, shown, code):
        large = voucher(value="30.00", in_parts=True)
        before = state()

        refused(till.post(URL, visit(vouchers=[{"code": large, **shown}])), 422, code)

        assert state() == before

    def test_with_nothing_left_to_pay_are_not_used_up(self, till, visit, voucher):
        first, second = voucher(value="10.00"), voucher()
        before = state()

        refused(
            till.post(URL, visit(vouchers=[{"code": first}, {"code": second}])),
            422,
            "MORE_THAN_DUE",
        )

        assert state() == before


class TestBenefits:
    def test_are_had_with_the_purchase(self, till, visit, member):
        BenefitFactory(code="PARKING", tiers=["BASE"], quota=2)

        body = till.post(URL, visit(benefits=[{"code": "PARKING", "quantity": 2}])).json()

        use = BenefitUse.objects.get()
        assert body["benefits"] == [
            {"code": "PARKING", "quantity": 2, "use": str(use.pk), "left": 0}
        ]

    @pytest.mark.parametrize(
        ("benefit", "status", "code"),
        [
            ({"code": "PARKING", "quantity": 3}, 422, "QUOTA_EMPTY"),
            ({"code": "NONE"}, 404, "BENEFIT_NOT_FOUND"),
            ({"code": "GOLDEN"}, 422, "NOT_ELIGIBLE"),
        ],
    )
    def test_that_cannot_be_had_refuse_the_call(self, till, visit, benefit, status, code):
        BenefitFactory(code="PARKING", tiers=["BASE"], quota=2)
        BenefitFactory(code="GOLDEN", tiers=["GOLD"])
        before = state()

        document = refused(till.post(URL, visit(benefits=[benefit])), status, code)

        assert document["pointer"] == "/benefits/0"
        assert state() == before
