"""Vouchers that promotions give: issued with the posting, never beyond stock, and taken back."""

from datetime import timedelta

import pytest

from loyalty.models import OutboxEvent
from promotions.models import BudgetSlot, LimitCounter
from tests.factories.members import MemberFactory
from tests.factories.promotions import promotion
from tests.factories.vouchers import VoucherTypeFactory
from vouchers.models import Voucher
from vouchers.services import stock

EARN, RETURN, REVERSE = (
    "/transactions/earn/",
    "/transactions/return-items/",
    "/transactions/reverse-earn/",
)
TWO_LINES = [
    {"line": 1, "sku": "A", "quantity": "3", "amount": "30.00"},
    {"line": 2, "sku": "B", "quantity": "1", "amount": "25.00"},
]
ONCE_A_DAY = {"per": "MEMBER", "period": "DAY", "measure": "USES", "at_most": 1, "then": "SKIP"}
pytestmark = pytest.mark.usefixtures("member")


@pytest.fixture
def kind(program):
    return VoucherTypeFactory(code="COFFEE", stock=5)


@pytest.fixture
def coffee(kind):
    """From 50 euros on, two vouchers."""

    def make(**changes):
        award = {"kind": "VOUCHER", "voucher_type": "COFFEE", "quantity": 2}
        return promotion("CUP", **{"award": award, "minimum": {"amount": "50.00"}, **changes})

    return make


@pytest.fixture
def sell(till, purchase):
    def act(reference="SALE-1", lines=TWO_LINES, **changes):
        body = purchase(reference=reference, lines=lines, discount="0", tenders=[], **changes)
        return till.post(EARN, body)

    return act


@pytest.fixture
def take_back(till, now):
    """Return what takes SALE-1 back: whole, or these (line, quantity)."""

    def act(*items, reference="BACK-1"):
        body = {
            "original": {"reference": "SALE-1"},
            "reference": reference,
            "occurred_at": now.isoformat(),
        }
        if not items:
            return till.post(REVERSE, body)
        lines = [{"line": line, "quantity": quantity} for line, quantity in items]
        return till.post(RETURN, {**body, "lines": lines})

    return act


def left(kind):
    return stock.left_of([kind.pk])[kind.pk]


def use(till, code, action="use", **more):
    body = {"code": code, "action": action, "reference": f"{action}-{code}", **more}
    return till.post("/vouchers/authenticate/", body)


def statuses():
    return list(Voucher.objects.order_by("pk").values_list("status", flat=True))


def events(name):
    return OutboxEvent.objects.filter(type=f"voucher.{name}").count()


def test_a_purchase_brings_vouchers_that_the_till_may_print(coffee, kind, sell, till, member):
    coffee()

    answer = sell()

    assert answer.status_code == 201
    (reward,) = answer.json()["rewards"]
    assert (reward["promotion"], reward["kind"], reward["code"]) == ("CUP", "VOUCHER", "COFFEE")
    assert reward["quantity"] == 2
    codes = [each["code"] for each in reward["vouchers"]]
    assert [len(each) for each in codes] == [16, 16]
    rows = Voucher.objects.all()
    assert {(row.origin, str(row.origin_id)) for row in rows} == {
        ("PROMOTION", answer.json()["id"])
    }
    assert {row.member_id for row in rows} == {member.pk}
    assert left(kind) == 3
    assert events("issued") == 2
    assert use(till, codes[0]).status_code == 201


def test_the_same_sale_again_answers_the_same_vouchers(coffee, sell, till, house, api_of):
    coffee()
    first = sell()

    again = sell()

    assert again.status_code == 200
    assert again.json() == first.json()
    assert Voucher.objects.count() == 2
    path = f"/transactions/{first.json()['id']}/"
    assert till.get(path).json()["rewards"] == first.json()["rewards"]
    assert house.get(path).json()["rewards"] == first.json()["rewards"]


def test_no_code_is_stored_with_the_evaluation(coffee, sell):
    from promotions.models import Evaluation

    coffee()
    codes = [each["code"] for each in sell().json()["rewards"][0]["vouchers"]]

    stored = str(Evaluation.objects.get().result)
    assert not [code for code in codes if code in stored]


def test_stock_that_runs_out_reduces_the_award_and_refuses_no_sale(coffee, kind, sell):
    coffee()
    sell("SALE-1")
    sell("SALE-2")

    answer = sell("SALE-3")
    last = sell("SALE-4")

    assert answer.status_code == 201
    assert answer.json()["rewards"][0]["quantity"] == 1
    near = {"promotion": "CUP", "version": 1, "reason": "OUT_OF_STOCK"}
    assert answer.json()["near_misses"] == [{**near, "missing": "1"}]
    assert last.json()["rewards"] == []
    assert last.json()["near_misses"] == [{**near, "missing": "2"}]
    assert last.json() == sell("SALE-4").json()
    assert Voucher.objects.count() == 5
    assert left(kind) == 0


def test_what_came_to_nothing_uses_up_no_limit_and_no_budget(coffee, kind, sell):
    stock.set_stock(kind, 0)
    budget = {"measure": "USES", "at_most": 32, "then": "SKIP"}
    coffee(limits=[ONCE_A_DAY], budget=budget)

    sell("SALE-1")

    assert not LimitCounter.objects.exists()
    assert sum(BudgetSlot.objects.values_list("rest", flat=True)) == 32
    stock.set_stock(kind, 5)
    assert sell("SALE-2").json()["rewards"][0]["quantity"] == 2
    assert sell("SALE-3").json()["rewards"] == []  # Once a day.
    assert sum(BudgetSlot.objects.values_list("rest", flat=True)) == 31


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"active": False}, "VOUCHER_TYPE_UNKNOWN"),
        ({"per_member": 1}, "VOUCHER_LIMIT"),
    ],
)
def test_a_type_that_is_not_for_the_member_now_is_a_near_miss(coffee, kind, sell, change, reason):
    coffee()
    for name, value in change.items():
        setattr(kind, name, value)
    kind.save()

    answer = sell()

    assert answer.status_code == 201
    assert [each["reason"] for each in answer.json()["near_misses"]] == [reason]
    assert Voucher.objects.count() == change.get("per_member", 0)


def test_imported_codes_are_given_until_the_pool_is_empty(coffee, sell):
    from vouchers.services.issuing import blank

    kind = VoucherTypeFactory(code="SPA", codes="IMPORTED")
    stock.import_codes(kind, [blank(kind, code) for code in ("SPA-0001", "SPA-0002", "SPA-0003")])
    coffee(award={"kind": "VOUCHER", "voucher_type": "SPA", "quantity": 2})

    first, second = sell("SALE-1").json(), sell("SALE-2").json()

    assert [each["code"] for each in first["rewards"][0]["vouchers"]] == ["SPA-0001", "SPA-0002"]
    assert [each["code"] for each in second["rewards"][0]["vouchers"]] == ["SPA-0003"]
    assert second["near_misses"][0]["reason"] == "OUT_OF_STOCK"


def test_enrolling_brings_a_voucher(coffee, kind, house):
    coffee(trigger="ENROLMENT", minimum={})

    answer = house.post("/members/", {"profile": {"first_name": "Ada", "email": "a@example.org"}})

    assert answer.status_code == 201
    rows = Voucher.objects.select_related("member")
    assert [row.member.number for row in rows] == [answer.json()["number"]] * 2


def test_a_batch_brings_vouchers_too(coffee, kind, till, purchase):
    coffee()
    bodies = [
        purchase(reference=f"B-{n}", lines=TWO_LINES, discount="0", tenders=[]) for n in range(3)
    ]
    items = [{"operation": "earn", "body": body} for body in bodies]

    answer = till.post("/transactions/batch/", {"items": items})

    quantities = [
        [each["quantity"] for each in item["body"]["rewards"]] for item in answer.json()["items"]
    ]
    assert quantities == [[2], [2], [1]]
    assert left(kind) == 0


def test_everything_returned_leaves_vouchers_as_before_the_sale(
    coffee, kind, sell, take_back, till
):
    coffee(limits=[ONCE_A_DAY])
    code = sell().json()["rewards"][0]["vouchers"][0]["code"]

    answer = take_back()

    assert answer.status_code == 201
    (reward,) = answer.json()["rewards"]
    assert (reward["promotion"], reward["quantity"]) == ("CUP", -2)
    assert [each["treated"] for each in reward["vouchers"]] == ["CANCELLED"] * 2
    assert [each["code"][0] for each in reward["vouchers"]] == ["…"] * 2
    assert statuses() == ["CANCELLED"] * 2
    assert left(kind) == 5
    assert events("cancelled") == 2
    assert use(till, code).json()["code"] == "VOUCHER_EXPIRED"
    assert take_back().json() == answer.json()
    assert sell("SALE-2").json()["rewards"][0]["quantity"] == 2  # The day's use is free again.


def test_a_used_voucher_stays_used_and_its_undo_does_not_revive_it(
    coffee, kind, sell, take_back, till
):
    coffee()
    _, second = [each["code"] for each in sell().json()["rewards"][0]["vouchers"]]
    use(till, second)

    answer = take_back()

    treated = {each["treated"] for each in answer.json()["rewards"][0]["vouchers"]}
    assert treated == {"CANCELLED", "USED"}
    assert statuses() == ["CANCELLED", "USED"]
    undone = use(till, second, action="undo", original={"reference": f"use-{second}"})
    assert undone.status_code == 201
    assert statuses() == ["CANCELLED", "CANCELLED"]
    assert left(kind) == 5
    assert use(till, second, reference="again").json()["code"] == "VOUCHER_EXPIRED"


def test_what_is_left_of_a_voucher_used_in_part_is_cancelled(coffee, kind, sell, take_back, till):
    kind.in_parts = True
    kind.save()
    coffee()
    first, _ = [each["code"] for each in sell().json()["rewards"][0]["vouchers"]]
    use(till, first, amount="2.00")

    answer = take_back()

    vouchers = answer.json()["rewards"][0]["vouchers"]
    assert sorted(each["treated"] for each in vouchers) == ["CANCELLED", "PARTLY_USED"]
    assert statuses() == ["CANCELLED"] * 2
    assert left(kind) == 4
    use(till, first, action="undo", original={"reference": f"use-{first}"})
    assert statuses() == ["CANCELLED"] * 2


def test_a_tills_hold_does_not_save_a_voucher_whose_sale_was_taken_back(
    coffee, sell, take_back, till
):
    coffee()
    code = sell().json()["rewards"][0]["vouchers"][0]["code"]
    use(till, code, action="reserve")

    take_back()

    held = {"original": {"reference": f"reserve-{code}"}}
    assert use(till, code, **held).json()["code"] == "VOUCHER_EXPIRED"


def test_a_return_that_still_deserves_the_vouchers_leaves_them(coffee, sell, take_back):
    coffee(minimum={"amount": "40.00"})
    sell()

    answer = take_back((1, "1"))

    assert answer.status_code == 201
    assert "rewards" not in answer.json()
    assert statuses() == ["ISSUED"] * 2


@pytest.mark.parametrize(
    "steps",
    [
        [((1, "3"), (2, "1"))],
        [((1, "1"),), ((1, "2"), (2, "1"))],
        [((2, "1"),), ((1, "3"),)],
    ],
)
def test_in_whatever_order_all_comes_back_the_end_is_the_same(coffee, kind, sell, take_back, steps):
    coffee(limits=[ONCE_A_DAY], budget={"measure": "USES", "at_most": 32})
    sell()

    for number, items in enumerate(steps):
        assert take_back(*items, reference=f"BACK-{number}").status_code == 201

    assert statuses() == ["CANCELLED"] * 2
    assert left(kind) == 5
    assert events("cancelled") == 2
    assert sum(BudgetSlot.objects.values_list("rest", flat=True)) == 32
    assert sum(LimitCounter.objects.values_list("amount", flat=True)) == 0


def test_a_part_then_the_rest_takes_nothing_back_twice(coffee, kind, sell, take_back):
    coffee()
    sell()
    part = take_back((1, "1"), reference="BACK-1")

    rest = take_back(reference="BACK-2")

    assert part.json()["rewards"][0]["quantity"] == -2
    assert "rewards" not in rest.json()
    assert left(kind) == 5
    assert take_back((1, "1"), reference="BACK-1").json() == part.json()


def test_a_return_brings_the_voucher_that_had_given_way(coffee, kind, sell, take_back):
    fixed = {"kind": "FIXED", "type": "PTS", "points": 500}
    promotion(
        "LOUD",
        award=fixed,
        minimum={"amount": "50.00"},
        combination={"stackable": False, "priority": 9},
    )
    coffee(minimum={"amount": "10.00"})
    assert sell().json()["rewards"] == []

    answer = take_back((2, "1"))

    (reward,) = answer.json()["rewards"]
    assert (reward["promotion"], reward["quantity"]) == ("CUP", 2)
    assert statuses() == ["ISSUED"] * 2
    assert take_back((1, "3"), reference="BACK-2").json()["rewards"][0]["quantity"] == -2
    assert statuses() == ["CANCELLED"] * 2


def test_a_return_does_not_make_up_for_stock_that_was_missing(coffee, kind, sell, take_back):
    stock.set_stock(kind, 1)
    coffee(minimum={"amount": "20.00"})
    assert sell().json()["rewards"][0]["quantity"] == 1
    stock.set_stock(kind, 5)

    assert "rewards" not in take_back((2, "1")).json()
    assert statuses() == ["ISSUED"]


def test_an_expired_voucher_stays_expired(coffee, kind, sell, take_back, now):
    coffee()
    sell()
    Voucher.objects.update(expires_at=now - timedelta(days=1))

    answer = take_back()

    vouchers = answer.json()["rewards"][0]["vouchers"]
    assert {each["treated"] for each in vouchers} == {"EXPIRED"}
    assert left(kind) == 3


def test_vouchers_of_a_merged_members_sale_are_taken_back(coffee, sell, take_back, house, member):
    coffee()
    sell()
    other = MemberFactory()
    body = {"from": {"number": member.number}, "into": {"number": other.number}, "reason": "One"}
    assert house.post("/members/merge/", body).status_code == 200

    take_back()

    assert statuses() == ["CANCELLED"] * 2
