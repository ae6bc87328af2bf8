"""All Transaction: what a purchase costs, and what points and tenders pay of it."""

import pytest

from ledger.models import PointLock, PointType, PointValue, Transaction
from loyalty.models import Program
from tests.api.all_transaction.calls import FIFTY, URL, eur, of_sale, refused, state
from tests.factories.credentials import PIN, limits, with_pin
from tests.factories.ledger import balance, give
from tests.factories.promotions import promotion
from tests.factories.vouchers import BenefitFactory

pytestmark = pytest.mark.usefixtures("member")


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
