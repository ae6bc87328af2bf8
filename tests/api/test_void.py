"""Void: a call is taken back whole, as if it had never been."""

from datetime import timedelta

import pytest

from ledger.models import Entry, Lot, Transaction
from promotions.models import BudgetSlot, Evaluation, LimitCounter
from tests.api.all_transaction.calls import URL, eur, of_sale, refused, sell, visit, voucher
from tests.factories.ledger import balance, give
from tests.factories.partners import PartnerFactory
from tests.factories.promotions import promotion
from tests.factories.tiers import ladder
from tests.factories.vouchers import BenefitFactory
from vouchers.models import BenefitUse, Voucher, VoucherUse

__all__ = ["sell", "visit", "voucher"]
VOID = "/transactions/void/"
FIFTY = [{"line": 1, "sku": "A", "quantity": "5", "amount": "50.00"}]
pytestmark = pytest.mark.usefixtures("member")


@pytest.fixture
def void(till, now):
    """Return what voids a call."""

    def act(call, api=till, **changes):
        body = {
            "original": {"id": call["id"]},
            "reference": "VOID-1",
            "occurred_at": now.isoformat(),
            "reason": "Rung up twice.",
        }
        return api.post(VOID, {**body, **changes})

    return act


@pytest.fixture
def call(till, visit, member, voucher, sell):
    """A call with one of everything: an exchange, a voucher, a benefit and points."""
    promotion(budget={"measure": "POINTS", "at_most": 10_000})
    give(member, 1000)
    BenefitFactory(code="PARKING", tiers=["BASE"], quota=2)
    sale, code = sell(), voucher(code="LARGE", value="30.00", in_parts=True)

    def make(**changes):
        body = visit(
            **{
                "lines": FIFTY,
                "returns": [of_sale(sale, "2")],
                "vouchers": [{"code": code, "amount": "12.00"}],
                "benefits": [{"code": "PARKING"}],
                "burn": [{"type": "PTS", "points": 300}],
                **changes,
            }
        )
        answer = till.post(URL, body)
        assert answer.status_code == 201, answer.json()
        return answer.json()

    return make


def state():
    return (
        Transaction.objects.count(),
        Entry.objects.count(),
        Evaluation.objects.count(),
        list(Voucher.objects.order_by("id").values_list("status", "left")),
        list(VoucherUse.objects.order_by("id").values_list("state", "ended_at")),
        list(BenefitUse.objects.values_list("undone_at", flat=True)),
    )


def test_everything_is_as_it_was_before_the_call(call, void, member):
    def standing():
        account = balance(member)
        return (
            (account.available, account.pending, account.locked, account.debt),
            {c.promotion: c.amount for c in LimitCounter.objects.exclude(amount=0)},
            sum(BudgetSlot.objects.values_list("rest", flat=True)),
            list(Voucher.objects.values_list("status", "left")),
            BenefitUse.objects.filter(undone_at=None).count(),
        )

    before = standing()
    made = call()
    assert standing() != before

    answer = void(made)

    assert answer.status_code == 201, answer.json()
    assert standing() == before


def test_it_answers_the_reversal_of_the_earn_and_all_else_that_came_back(call, void):
    made = call()

    body = void(made).json()

    assert (body["kind"], body["original"], body["sale"]) == (
        "EARN_REVERSAL",
        made["id"],
        made["id"],
    )
    originals = {part["kind"]: part["id"] for part in made["parts"]}
    assert [(part["kind"], part["original"], part["points"]) for part in body["parts"]] == [
        ("EARN_REVERSAL", originals["EARN"], [{"type": "PTS", "points": -47}]),
        ("REDEMPTION_REVERSAL", originals["REDEMPTION"], [{"type": "PTS", "points": 300}]),
        ("RETURN_REVERSAL", originals["RETURN"], [{"type": "PTS", "points": 20}]),
    ]  # fmt: skip
    assert [(v["voucher_type"], v["given_back"]) for v in body["vouchers"]] == [
        ("LARGE", eur("12.00"))
    ]
    assert body["benefits"] == [
        {"code": "PARKING", "quantity": 1, "use": made["benefits"][0]["use"]}
    ]


def test_sent_again_it_answers_the_first_answer(call, void, member):
    made = call()
    first = void(made)
    give(member, 5)
    before = state()

    again = void(made)

    assert (again.status_code, again.headers["Idempotent-Replayed"]) == (200, "true")
    assert again.json() == first.json()
    assert state() == before
    refused(void(made, reason="Another."), 409, "REFERENCE_CONFLICT")


def test_a_call_is_voided_once(call, void):
    made = call()
    void(made)
    before = state()

    refused(void(made, reference="VOID-2"), 409, "ALREADY_REVERSED")

    assert state() == before


def test_it_is_found_by_its_reference(call, void):
    made = call(reference="BILL-7")

    assert void(made, original={"reference": "BILL-7"}).json()["original"] == made["id"]


@pytest.mark.parametrize("part", ["earn", "item", "redemption", "sale", "voucher", "benefit"])
def test_of_which_a_part_was_taken_back_it_is_refused(call, void, till, house, now, member, part):
    made = call()
    ids = {each["kind"]: each for each in made["parts"]}
    common = {"reference": "PART", "occurred_at": now.isoformat()}
    answer = {
        "earn": lambda: till.post(
            "/transactions/reverse-earn/", {"original": {"id": made["id"]}, **common}
        ),
        "item": lambda: till.post("/transactions/return-items/", {**of_sale(made), **common}),
        "redemption": lambda: till.post(
            "/transactions/reverse-redemption/",
            {"original": {"id": ids["REDEMPTION"]["id"]}, "points": 1, **common},
        ),
        "sale": lambda: till.post(
            "/transactions/return-items/",
            {**of_sale({"id": ids["RETURN"]["original"]}), **common},
        ),
        "voucher": lambda: till.post(
            "/vouchers/authenticate/",
            {
                "code": made["vouchers"][0]["code"],
                "action": "undo",
                "original": {"reference": made["reference"]},
                "reference": "PART",
            },
        ),
        "benefit": lambda: till.post(
            f"/members/{member.number}/benefits/PARKING/",
            {"action": "undo", "original": made["benefits"][0]["use"], "reference": "PART"},
        ),
    }[part]()
    assert answer.status_code == 201, answer.json()
    before = state()

    document = refused(void(made), 409, "PART_REVERSED")

    assert len(document["parts"]) == 1
    assert state() == before


def test_a_lone_earn_is_no_call(till, sell, void):
    sale = sell()
    before = state()

    refused(void(sale), 404, "TRANSACTION_NOT_FOUND")

    assert state() == before


def test_a_partner_voids_its_own_calls_only(call, void, api_of, house):
    made = call()
    before = state()

    refused(void(made, api_of(PartnerFactory())), 404, "TRANSACTION_NOT_FOUND")
    assert state() == before
    assert void(made, house).status_code == 201


def test_what_was_spent_since_is_owed(till, call, void, member, now):
    made = call()
    spend = {
        "member": {"number": member.number},
        "reference": "SPENT",
        "occurred_at": now.isoformat(),
        "type": "PTS",
        "points": balance(member).available,
    }
    assert till.post("/transactions/redeem/", spend).status_code == 201

    answer = void(made)

    assert answer.status_code == 201
    owed = balance(member)
    assert (owed.available, owed.debt) == (273, 0)


def test_points_that_a_return_gave_back_late_are_pending_again(till, visit, sell, void, member):
    promotion(pending="P14D")
    sale = sell()
    made = till.post(URL, visit(returns=[of_sale(sale)])).json()
    assert balance(member).pending == 50

    void(made)

    assert (balance(member).available, balance(member).pending) == (0, 50)


def test_a_return_that_charged_debt_owes_nothing_any_more(till, visit, sell, void, member, now):
    promotion()
    sale = sell()
    spend = {
        "member": {"number": member.number},
        "reference": "SPENT",
        "occurred_at": now.isoformat(),
        "type": "PTS",
        "points": 50,
    }
    till.post("/transactions/redeem/", spend)
    made = till.post(URL, visit(returns=[of_sale(sale, "4")])).json()
    assert (balance(member).available, balance(member).debt) == (0, 30)
    give(member, 100)
    assert (balance(member).available, balance(member).debt) == (70, 0)

    assert void(made).status_code == 201

    assert (balance(member).available, balance(member).debt) == (100, 0)


def test_a_return_that_charged_two_debts_gives_each_payer_back_what_it_paid(
    till, visit, sell, void, member, now
):
    promotion()
    promotion("TOO")
    sale = sell()
    spend = {
        "member": {"number": member.number},
        "reference": "SPENT",
        "occurred_at": now.isoformat(),
        "type": "PTS",
        "points": 100,
    }
    till.post("/transactions/redeem/", spend)
    made = till.post(URL, visit(returns=[of_sale(sale, "4")])).json()
    assert balance(member).debt == 60
    payers = [give(member, points).id for points in (40, 30)]
    assert (balance(member).available, balance(member).debt) == (10, 0)

    assert void(made).status_code == 201

    assert (balance(member).available, balance(member).debt) == (70, 0)
    left = dict(Lot.objects.filter(transaction__in=payers).values_list("granted", "available"))
    assert left == {40: 40, 30: 30}


def test_a_sale_of_which_a_return_was_voided_can_be_returned_anew(
    till, visit, sell, void, member, now
):
    promotion()
    sale = sell()
    void(till.post(URL, visit(returns=[of_sale(sale, "4")])).json())
    common = {"reference": "ANEW", "occurred_at": now.isoformat()}

    answer = till.post("/transactions/return-items/", {**of_sale(sale, "5"), **common})

    assert answer.status_code == 201, answer.json()
    assert balance(member).available == 0


def test_a_voucher_of_the_day_before_is_given_back(till, visit, voucher, void):
    code = voucher()
    made = till.post(URL, visit(vouchers=[{"code": code}])).json()
    VoucherUse.objects.update(at=VoucherUse.objects.get().at - timedelta(days=3))

    void(made)

    assert Voucher.objects.get().status == "ISSUED"


def test_what_the_lift_to_a_tier_gave_goes_with_it(till, visit, void, member):
    bonus = {"kind": "FIXED", "type": "PTS", "points": 500}
    promotion("LIFTED", trigger="TIER_CHANGE", award=bonus)
    ladder(silver="40.00", gold=None)

    for turn in ("1", "2"):
        made = till.post(URL, visit(lines=FIFTY)).json()
        assert made["tier"] == {"before": "BASE", "after": "SILVER"}
        assert balance(member).available == 500

        body = void(made, reference=f"VOID-{turn}").json()

        assert body["tier"] == {"before": "SILVER", "after": "BASE"}
        assert [part["kind"] for part in body["parts"]] == ["EARN_REVERSAL"] * 2
        assert balance(member).available == 0
        member.refresh_from_db()
        assert member.tier.code == "BASE"


def test_an_exchange_that_leaves_the_tier_as_it_was_is_not_rewarded_for_it(
    till, visit, sell, member
):
    bonus = {"kind": "FIXED", "type": "PTS", "points": 500}
    promotion("LIFTED", trigger="TIER_CHANGE", award=bonus)
    ladder(silver="40.00", gold=None)
    sale = sell()
    assert balance(member).available == 500

    body = till.post(URL, visit(lines=FIFTY, returns=[of_sale(sale, "5")])).json()

    assert body["tier"] == {"before": "BASE", "after": "SILVER"}
    assert balance(member).available == 500


@pytest.mark.parametrize(
    ("content", "pointer"),
    [
        ({"points": 5}, "/points"),
        ({"original": {}}, "/original"),
        ({"reference": None}, "/reference"),
        ({"occurred_at": None}, "/occurred_at"),
        ({"lines": []}, "/lines"),
    ],
)
def test_what_is_wrong_is_named(void, sell, content, pointer):
    document = refused(void({"id": sell()["id"]}, **content), 400, "VALIDATION_FAILED")

    assert document["errors"][0]["pointer"] == pointer
