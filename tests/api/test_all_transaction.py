"""All Transaction: returns, vouchers, benefits, points and a purchase, in one unit."""

from datetime import timedelta

import pytest

from ledger.models import Entry, PointLock, PointType, PointValue, Transaction
from loyalty.models import Program
from members.models import Card
from promotions.models import Evaluation, LimitCounter
from tests.api.test_voucher_authentication import issued
from tests.factories.credentials import PIN, limits, with_pin
from tests.factories.ledger import balance, give
from tests.factories.members import MemberFactory
from tests.factories.partners import PartnerFactory
from tests.factories.promotions import promotion
from tests.factories.vouchers import BenefitFactory, VoucherTypeFactory
from vouchers.models import BenefitUse, Voucher, VoucherUse

URL = "/transactions/"
pytestmark = pytest.mark.usefixtures("member")
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


class TestAPurchase:
    def test_alone_it_earns_as_an_earn_does(self, till, visit, member):
        promotion()

        answer = till.post(URL, visit())

        body = answer.json()
        assert answer.status_code == 201, body
        assert (body["kind"], body["sale"]) == ("EARN", body["id"])
        assert [(p["type"], p["points"]) for p in body["points"]] == [("PTS", 10)]
        assert body["due"] == body["to_pay"] == eur("10.00")
        assert [part["kind"] for part in body["parts"]] == ["EARN"]
        assert body["burned"] == body["vouchers"] == body["benefits"] == []
        assert balance(member).available == 10

    def test_it_is_explained_as_an_earn_is(self, till, visit):
        promotion()

        posted = till.post(f"{URL}?include=explanation", visit()).json()
        looked = till.post(f"{URL}?include=explanation", visit("evaluate")).json()

        assert posted["explained"] == "SAME"
        assert posted["awards"][0]["explanation"]["base"] == 1000
        assert looked["awards"][0]["explanation"] == posted["awards"][0]["explanation"]

    def test_one_of_nothing_costs_nothing(self, till, visit):
        lines = [{"line": 1, "quantity": "1", "amount": "0.00"}]

        body = till.post(URL, visit(lines=lines)).json()

        assert (body["due"], body["to_pay"], body["points"]) == (eur("0.00"), eur("0.00"), [])


class TestPoints:
    def test_pay_and_do_not_earn(self, till, visit, member):
        promotion()
        give(member, 1000)

        body = till.post(URL, visit(burn=[{"type": "PTS", "points": 400}])).json()

        assert body["burned"] == [
            {"type": "PTS", "points": 400, "value": eur("4.00"), "lock": None}
        ]
        assert (body["due"], body["to_pay"]) == (eur("10.00"), eur("6.00"))
        assert [(part["kind"], part["points"]) for part in body["parts"]] == [
            ("REDEMPTION", [{"type": "PTS", "points": -400}]),
            ("EARN", [{"type": "PTS", "points": 6}]),
        ]
        assert balance(member).available == 606

    def test_pay_and_earn_where_the_programme_says_so(self, till, visit, member):
        Program.objects.update(counts_points_paid=True, epoch=Program.objects.get().epoch + 1)
        promotion()
        give(member, 1000)

        body = till.post(URL, visit(burn=[{"type": "PTS", "value": eur("4.00")}])).json()

        assert body["burned"][0]["points"] == 400
        assert balance(member).available == 610

    def test_free_ones_and_those_of_a_lock_are_one_redemption(self, till, visit, member, hold):
        give(member, 1000)
        lock = hold(300)
        burn = [{"type": "PTS", "points": 200, "lock": lock}, {"type": "PTS", "points": 100}]

        body = till.post(URL, visit(burn=burn)).json()

        assert [part["kind"] for part in body["parts"]] == ["REDEMPTION", "EARN"]
        assert body["to_pay"] == eur("7.00")
        redemption = Transaction.objects.get(kind="REDEMPTION")
        assert (str(redemption.amount), redemption.lock) == ("3.0000", None)
        assert not PointLock.objects.get().open
        assert (balance(member).available, balance(member).locked) == (700, 0)

    def test_of_several_types_are_one_redemption_for_one_step_up(self, till, visit, member):
        miles = PointType.objects.get(code="PTS")
        worth = PointValue.objects.get(point_type=miles)
        miles.pk, miles.code, miles.name = None, "MILES", "Miles"
        miles.save(force_insert=True)
        worth.pk, worth.point_type, worth.value = None, miles, worth.value * 2
        worth.save(force_insert=True)
        Program.objects.update(epoch=Program.objects.get().epoch + 1)
        give(member, 1000)
        give(member, 1000, point_type="MILES")
        with_pin(member)
        limits(member, per_transaction="3.00")
        burn = [{"type": "PTS", "points": 200}, {"type": "MILES", "points": 100}]
        lowest = {"pin": PIN, "purpose": "REDEEM", "type": "MILES"}
        verify = f"/members/{member.number}/pin/verify/"

        assert refused(till.post(URL, visit(burn=burn)), 422, "STEP_UP_REQUIRED")["points"] == 400
        few = till.post(verify, {**lowest, "points": 199}).json()["step_up"]
        refused(till.post(URL, visit(burn=burn, step_up=few)), 422, "STEP_UP_INVALID")
        enough = till.post(verify, {**lowest, "points": 200}).json()["step_up"]
        body = till.post(URL, visit(burn=burn, step_up=enough)).json()

        assert [(b["type"], b["points"], b["value"]["amount"]) for b in body["burned"]] == [
            ("PTS", 200, "2.00"),
            ("MILES", 100, "2.00"),
        ]
        assert Transaction.objects.filter(kind="REDEMPTION").count() == 1
        assert (balance(member).available, balance(member, "MILES").available) == (800, 900)

    @pytest.mark.parametrize(
        ("burn", "left"),
        [({"points": 1001}, "10.00"), ({"value": {"amount": "10.01", "currency": "EUR"}}, "10.00")],
    )
    def test_that_are_worth_more_than_is_due_are_refused(self, till, visit, member, burn, left):
        give(member, 5000)
        before = state()

        document = refused(
            till.post(URL, visit(burn=[{"type": "PTS", **burn}])), 422, "MORE_THAN_DUE"
        )

        assert (document["pointer"], document["left_to_pay"]) == ("/burn/0", left)
        assert state() == before

    def test_that_are_not_there_undo_all_that_was_done_before(
        self, till, visit, member, voucher, sell
    ):
        promotion()
        sale, code = sell(), voucher()
        BenefitFactory(code="PARKING", tiers=["BASE"], quota=2)
        before = state()

        document = refused(
            till.post(
                URL,
                visit(
                    lines=FIFTY,
                    returns=[of_sale(sale)],
                    vouchers=[{"code": code}],
                    benefits=[{"code": "PARKING"}],
                    burn=[{"type": "PTS", "points": 100}],
                ),
            ),
            422,
            "INSUFFICIENT_POINTS",
        )

        assert (document["available"], document["missing"]) == (40, 60)
        assert state() == before
        assert balance(member).available == 50

    def test_above_the_limit_need_a_step_up_for_all_of_them(self, till, visit, member, hold):
        give(member, 1000)
        with_pin(member)
        limits(member, per_transaction="3.00")
        lock = hold(200)
        burn = [{"type": "PTS", "points": 200, "lock": lock}, {"type": "PTS", "points": 200}]
        before = state()

        looked = till.post(URL, visit("evaluate", burn=burn)).json()
        document = refused(till.post(URL, visit(burn=burn)), 422, "STEP_UP_REQUIRED")

        assert looked["step_up"] == {"purpose": "REDEEM", "points": 400, "type": "PTS"}
        assert document["points"] == 400
        assert state() == before
        token = till.post(
            f"/members/{member.number}/pin/verify/",
            {"pin": PIN, "purpose": "REDEEM", "points": 400, "type": "PTS"},
        ).json()
        assert till.post(URL, visit(burn=burn, step_up=token["step_up"])).status_code == 201

    def test_of_an_offline_call_may_become_debt(self, till, visit, member):
        Program.objects.update(offline_floor="5.00")
        give(member, 100)

        body = till.post(URL, visit(offline=True, burn=[{"type": "PTS", "points": 300}])).json()

        assert body["burned"][0]["points"] == 300
        assert (balance(member).available, balance(member).debt) == (0, 200)
        refused(
            till.post(URL, visit(offline=True, burn=[{"type": "PTS", "points": 600}])),
            422,
            "OFFLINE_FLOOR",
        )


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


class TestTenders:
    @pytest.mark.parametrize(
        ("paid", "status"), [("6.00", 201), ("6.01", 422), ("10.00", 422), ("0.00", 422)]
    )
    def test_of_the_till_sum_to_what_is_left_to_pay(self, till, visit, member, paid, status):
        give(member, 1000)
        call = visit(
            burn=[{"type": "PTS", "points": 400}], tenders=[{"type": "CARD", "amount": paid}]
        )

        answer = till.post(URL, call)

        assert answer.status_code == status
        if status == 422:
            document = refused(answer, 422, "TENDERS_MISMATCH")
            assert (document["tenders"], document["to_pay"]) == (paid, "6.00")


class TestScopes:
    @pytest.mark.parametrize(
        ("content", "scope"),
        [
            ({}, "points:earn"),
            ({"burn": [{"type": "PTS", "points": 1}]}, "points:redeem"),
            ({"vouchers": [{"code": "ABCD"}]}, "vouchers:use"),
            ({"benefits": [{"code": "PARKING"}]}, "benefits:use"),
            ({"returns": [{"original": {"reference": "R"}, "lines": [{"line": 1, "quantity": "1"}]}]}, "points:reverse"),
        ],
    )  # fmt: skip
    def test_are_asked_for_by_content(self, api_of, partner, visit, content, scope):
        scopes = {"points:read", "points:earn", "points:redeem", "vouchers:use", "benefits:use"}
        api = api_of(partner, sorted((scopes | {"points:reverse"}) - {scope}))

        assert refused(api.post(URL, visit(**content)), 403, "SCOPE_MISSING")["scope"] == scope

    def test_to_evaluate_is_to_read(self, api_of, partner, visit, voucher, member):
        give(member, 100)
        call = visit(
            "evaluate", vouchers=[{"code": voucher()}], burn=[{"type": "PTS", "points": 1}]
        )

        assert api_of(partner, ["points:read"]).post(URL, call).status_code == 200
        document = refused(api_of(partner, ["points:earn"]).post(URL, call), 403, "SCOPE_MISSING")
        assert document["scope"] == "points:read"

    def test_a_commit_needs_no_right_to_read(self, api_of, partner, visit):
        assert api_of(partner, ["points:earn"]).post(URL, visit()).status_code == 201


class TestGuests:
    def test_may_look_at_what_they_would_get(self, till, visit, voucher):
        promotion(not_tenders=["VOUCHER"], audience={"guests": True})
        bearer = voucher()
        Voucher.objects.update(member=None)
        before = state()

        body = till.post(URL, visit("evaluate", member=None, vouchers=[{"code": bearer}])).json()

        assert body["points"] == [{"type": "PTS", "points": 5}]
        assert body["as_member"]["points"] == [{"type": "PTS", "points": 5}]
        assert (body["to_pay"], body["quote"], body["tier"]) == (eur("5.00"), None, None)
        assert state() == before

    @pytest.mark.parametrize(
        "content",
        [
            {"mode": "commit"},
            {"burn": [{"type": "PTS", "points": 1}]},
            {"benefits": [{"code": "PARKING"}]},
        ],
    )
    def test_have_to_be_members_for_more(self, till, visit, content):
        document = refused(
            till.post(URL, visit(**{"mode": "evaluate", "member": None, **content})),
            400,
            "VALIDATION_FAILED",
        )

        assert document["errors"][0]["pointer"] == "/member"

    def test_have_bought_nothing_that_could_come_back(self, till, visit, sell):
        call = visit("evaluate", member=None, returns=[of_sale(sell())])

        refused(till.post(URL, call), 404, "TRANSACTION_NOT_FOUND")


class TestTheSameCallAgain:
    @pytest.fixture
    def call(self, visit, member, voucher, sell):
        promotion()
        give(member, 1000)
        BenefitFactory(code="PARKING", tiers=["BASE"], quota=2)
        return visit(
            lines=FIFTY,
            reference="BILL-1",
            returns=[of_sale(sell())],
            vouchers=[{"code": voucher()}],
            benefits=[{"code": "PARKING"}],
            burn=[{"type": "PTS", "points": 200}],
        )

    def test_answers_the_first_answer_whatever_happened_since(self, till, call, member, house):
        first = till.post(URL, call)
        assert first.status_code == 201, first.json()
        promotion("LATER")
        give(member, 77)
        till.post(
            "/transactions/reverse-earn/",
            {"original": {"id": first.json()["id"]}, "reference": "X", "occurred_at": call["occurred_at"]},
        )  # fmt: skip
        before = state()

        again = till.post(URL, {**call, "tenders": []})

        assert (again.status_code, again.headers["Idempotent-Replayed"]) == (200, "true")
        assert again.json() == first.json()
        assert state() == before

    def test_with_other_content_conflicts(self, till, call):
        till.post(URL, call)
        before = state()

        refused(till.post(URL, {**call, "burn": []}), 409, "REFERENCE_CONFLICT")

        assert state() == before

    def test_a_lone_earn_with_its_reference_conflicts_and_the_other_way_round(
        self, till, call, purchase
    ):
        lone = purchase(reference="BILL-1")
        till.post(URL, call)
        refused(till.post("/transactions/earn/", lone), 409, "REFERENCE_CONFLICT")
        assert till.post("/transactions/earn/", {**lone, "reference": "B2"}).status_code == 201
        before = state()

        refused(till.post(URL, {**call, "reference": "B2"}), 409, "REFERENCE_CONFLICT")

        assert state() == before

    @pytest.mark.parametrize("kind", ["redeem", "return-items"])
    def test_so_does_a_lone_part_of_it(self, till, call, member, sell, now, kind):
        common = {"reference": "BILL-1", "occurred_at": now.isoformat()}
        bodies = {
            "redeem": {"member": {"number": member.number}, "type": "PTS", "points": 1},
            "return-items": of_sale(sell()),
        }
        assert till.post(f"/transactions/{kind}/", {**bodies[kind], **common}).status_code == 201
        before = state()

        refused(till.post(URL, call), 409, "REFERENCE_CONFLICT")

        assert state() == before


class TestRefusals:
    def test_a_blocked_card_is_refused_by_commit_and_evaluation(self, till, visit, member):
        Card.objects.update(status="STOLEN")
        before = state()

        for mode in ("commit", "evaluate"):
            refused(till.post(URL, visit(mode)), 422, "CARD_BLOCKED")
        assert state() == before

    @pytest.mark.parametrize(
        ("content", "code"),
        [
            ({"occurred_at": -400}, "TOO_OLD"),
            ({"occurred_at": 2}, "IN_FUTURE"),
            ({"occurred_at": -30, "offline": True}, "TOO_OLD"),
            ({"outlet": "ELSEWHERE"}, "OUTLET_UNKNOWN"),
            ({"burn": [{"type": "MILES", "points": 1}]}, "POINT_TYPE_UNKNOWN"),
        ],
    )
    def test_so_is_what_comes_too_late_too_soon_or_from_nowhere(
        self, till, visit, member, now, content, code
    ):
        if days := content.get("occurred_at"):
            content = {**content, "occurred_at": (now + timedelta(days=days)).isoformat()}
        before = state()

        for mode in ("commit", "evaluate"):
            refused(till.post(URL, visit(mode, **content)), 422, code)
        assert state() == before

    @pytest.mark.parametrize("stage", ["SUSPENDED", "DISABLED"])
    def test_so_is_a_member_who_may_not_earn(self, till, visit, member, stage):
        type(member).objects.update(stage=stage)
        before = state()

        for mode in ("commit", "evaluate"):
            refused(till.post(URL, visit(mode)), 422, "STAGE_FORBIDS")
        assert state() == before

    def test_a_member_who_may_earn_and_not_redeem_burns_nothing(self, till, visit, member):
        give(member, 1000)
        type(member).objects.update(stage="EXPIRED")
        before = state()

        for mode in ("commit", "evaluate"):
            call = visit(mode, burn=[{"type": "PTS", "points": 100}])
            assert refused(till.post(URL, call), 422, "STAGE_FORBIDS")["action"] == "redeem"
        assert state() == before

    def test_an_expired_member_is_active_again_by_a_commit_alone(self, till, visit, member):
        type(member).objects.update(stage="EXPIRED")

        till.post(URL, visit("evaluate"))
        assert type(member).objects.get(pk=member.pk).stage == "EXPIRED"

        till.post(URL, visit())
        assert type(member).objects.get(pk=member.pk).stage == "ACTIVE"

    @pytest.mark.parametrize(
        ("content", "pointer"),
        [
            ({"mode": "maybe"}, "/mode"),
            ({"mode": None}, "/mode"),
            ({"reference": None}, "/reference"),
            ({"lines": None}, "/lines"),
            ({"burn": [{"type": "PTS"}]}, "/burn/0/points"),
            ({"burn": [{"type": "PTS", "points": 1, "value": {"amount": "1", "currency": "EUR"}}]}, "/burn/0/points"),
            ({"burn": [{"type": "PTS", "points": 0}]}, "/burn/0/points"),
            ({"burn": [{"type": "PTS", "points": 1}, {"type": "PTS", "points": 2}]}, "/burn/1"),
            ({"burn": [{"type": "PTS", "value": {"amount": "0.001", "currency": "EUR"}}]}, "/burn/0/value/amount"),
            ({"vouchers": [{"code": "?"}]}, "/vouchers/0/code"),
            ({"vouchers": [{"code": "ABCD", "original": {}}]}, "/vouchers/0/original"),
            ({"benefits": [{"code": "A", "quantity": 0}]}, "/benefits/0/quantity"),
            ({"benefits": [{"code": "A"}, {"code": "A"}]}, "/benefits/1/code"),
            ({"returns": [{"original": {}, "lines": [{"line": 1, "quantity": "1"}]}]}, "/returns/0/original"),
            ({"returns": [{"original": {"reference": "R"}, "lines": []}]}, "/returns/0/lines"),
            ({"returns": [{"original": {"reference": "R"}, "lines": [{"line": 1, "quantity": "0"}]}]}, "/returns/0/lines/0/amount"),
            ({"discount": "10.01"}, "/discount"),
            ({"quote": "forged"}, "/quote"),
        ],
    )  # fmt: skip
    def test_what_is_wrong_is_named_and_nothing_written(self, till, visit, content, pointer):
        before = state()

        document = refused(till.post(URL, visit(**{"mode": "commit", **content})), 400, "VALIDATION_FAILED")  # fmt: skip

        assert document["errors"][0]["pointer"] == pointer
        assert state() == before
