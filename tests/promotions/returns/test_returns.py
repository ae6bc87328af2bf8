"""Returns: what the member keeps decides, whatever the order and the parts; all back is as before."""

from datetime import timedelta

import pytest
from django.db import transaction
from django.utils import timezone

from ledger.models import Entry, Transaction
from promotions.models import BudgetSlot, Evaluation
from tests.factories.ledger import balance
from tests.factories.promotions import promotion
from tests.promotions.returns.calls import (
    FIXED,
    ONCE_A_DAY,
    PER_EURO,
    RETURN,
    REVERSE,
    TWO_LINES,
    points,
    points_of,
    state,
)

pytestmark = pytest.mark.usefixtures("member")


def test_a_returned_piece_takes_back_what_it_earned(sell, give_back, member):
    promotion()
    sale = sell()

    answer = give_back(sale, (1, "1"))

    body = answer.json()
    assert answer.status_code == 201
    assert (body["kind"], body["original"]) == ("RETURN", sale["id"])
    assert points(answer) == -10
    assert [(a["promotion"], a["line"], a["points"]) for a in body["awards"]] == [
        ("BASE", None, -10)
    ]
    assert body["kept"]["lines"] == [
        {"line": 1, "quantity": 20000, "amount": 2000},
        {"line": 2, "quantity": 10000, "amount": 2500},
    ]
    assert balance(member).available == 45


def test_a_return_sent_again_posts_nothing(sell, give_back):
    promotion()
    sale = sell()
    first = give_back(sale, (1, "1"), reference="R")

    again = give_back(sale, (1, "1"), reference="R")

    assert (again.status_code, again.json()) == (200, first.json())
    assert Transaction.objects.filter(kind="RETURN").count() == 1
    assert give_back(sale, (1, "2"), reference="R").json()["code"] == "REFERENCE_CONFLICT"


def test_a_threshold_bonus_is_lost_and_its_daily_use_is_free_again(sell, give_back, member):
    promotion("BONUS", award=FIXED, minimum={"amount": "50.00"}, limits=[ONCE_A_DAY])
    sale = sell()
    assert balance(member).available == 100

    answer = give_back(sale, (1, "1"))

    assert points(answer) == -100
    assert points_of(sell()) == 100


def test_the_versions_are_those_of_the_sale(sell, give_back):
    promotion("BASE", award={**PER_EURO, "points": 2})
    sale = sell()
    promotion("BASE", award={**PER_EURO, "points": 9}, at=timezone.now())

    assert points(give_back(sale, (2, "1"))) == -50


def test_what_was_spent_becomes_debt_and_what_is_left_is_taken_first(
    till, sell, give_back, member, now
):
    promotion()
    sale = sell()
    spent = {
        "member": {"card": "6275000000000017"}, "reference": "X", "occurred_at": now.isoformat(),
        "outlet": "S1", "type": "PTS", "points": 50,
    }  # fmt: skip
    assert till.post("/transactions/redeem/", spent).status_code == 201

    answer = give_back(sale, (1, "1"))

    assert answer.json()["shortfall"] == [{"type": "PTS", "points": 5, "treated": "DEBT"}]
    assert (balance(member).available, balance(member).debt) == (0, 5)


def test_expired_points_are_not_taken_again(sell, give_back, member, now):
    promotion(expiry={"after": "PT1H"})
    sale = sell(occurred_at=(now - timedelta(hours=5)).isoformat())

    answer = give_back(sale, (1, "3"))

    assert answer.status_code == 201
    assert balance(member).debt == 0


@pytest.mark.parametrize(
    ("items", "line"),
    [
        ([(1, "4")], 1),
        ([(3, "1")], 3),
        ([(1, "1", "90.00")], None),
        ([(1, "3"), (2, "1.5")], 2),
    ],
)
def test_more_than_was_bought_is_refused_and_changes_nothing(sell, give_back, items, line):
    promotion()
    sale = sell()
    before = Entry.objects.count()

    answer = give_back(sale, *items)

    assert (answer.status_code, answer.json()["code"]) == (422, "RETURN_EXCEEDS_PURCHASE")
    assert answer.json()["line"] == line
    assert Entry.objects.count() == before


def test_what_came_back_before_cannot_come_back_again(sell, give_back):
    promotion()
    sale = sell()
    assert give_back(sale, (1, "2")).status_code == 201

    assert give_back(sale, (1, "2")).json()["code"] == "RETURN_EXCEEDS_PURCHASE"
    assert give_back(sale, (1, "1")).status_code == 201


def test_a_price_adjustment_lowers_the_basis_and_keeps_the_goods(sell, give_back):
    promotion(award={"kind": "PER_ITEM", "type": "PTS", "points": 5})
    promotion("SPEND")
    sale = sell()

    answer = give_back(sale, (1, "0", "7.50"))

    assert {a["promotion"]: a["points"] for a in answer.json()["awards"]} == {"SPEND": -8}


def test_the_last_piece_takes_the_rest_of_the_line(sell, give_back):
    promotion()
    sale = sell([{"line": 1, "sku": "A", "quantity": "3", "amount": "10.00"}, TWO_LINES[1]])

    kept = [give_back(sale, (1, "1")).json()["kept"]["lines"][0].get("amount") for _ in range(3)]

    assert kept == [667, 333, 2500]


@pytest.mark.parametrize(
    ("lines", "pointer"),
    [
        ([], "/lines"),
        ([{"line": 1, "quantity": "1"}, {"line": 1, "quantity": "1"}], "/lines/1/line"),
        ([{"line": 1, "quantity": "0"}], "/lines/0/amount"),
        ([{"line": 1, "quantity": "1", "amount": "0.005"}], "/lines/0/amount"),
        ([{"line": 1, "quantity": "-1"}], "/lines/0/quantity"),
    ],
)
def test_a_wrong_return_is_refused_at_its_field(till, sell, now, lines, pointer):
    promotion()
    sale = sell()
    body = {
        "original": {"id": sale["id"]},
        "reference": "R",
        "occurred_at": now.isoformat(),
        "lines": lines,
    }

    answer = till.post(RETURN, body)

    assert answer.status_code == 400
    assert answer.json()["errors"][0]["pointer"] == pointer
    assert not Transaction.objects.filter(kind="RETURN").exists()


def test_a_sale_whose_facts_were_emptied_is_too_old(sell, give_back):
    promotion()
    sale = sell()
    Evaluation.objects.update(inputs=None)

    assert give_back(sale, (1, "1")).json()["code"] == "TOO_OLD"


def test_a_sale_that_was_reversed_takes_no_return_and_one_returned_in_part_the_rest(
    till, sell, give_back, member, now
):
    promotion()
    sale = sell()
    give_back(sale, (1, "2"))
    back = {"original": {"id": sale["id"]}, "reference": "BACK", "occurred_at": now.isoformat()}

    assert points(till.post(REVERSE, back)) == -35
    assert give_back(sale, (1, "1")).json()["code"] == "ALREADY_REVERSED"
    assert balance(member).available == 0


def test_a_reversal_frees_limits_and_budgets_of_promotions_that_have_ended(till, sell, member, now):
    promotion("A", award=FIXED, limits=[ONCE_A_DAY])
    promotion("B", award=FIXED, budget={"measure": "POINTS", "at_most": 130})
    sale = sell()
    from promotions.models import Promotion
    from promotions.services.writing.authoring import set_status

    with transaction.atomic():
        for each in Promotion.objects.all():
            set_status(each, "ENDED", at=now)
    back = {"original": {"id": sale["id"]}, "reference": "BACK", "occurred_at": now.isoformat()}

    assert till.post(REVERSE, back).status_code == 201

    assert state(member) == (0, {}, 130, {})


def test_a_return_is_evaluated_within_what_the_sale_was_granted(sell, give_back, member):
    promotion(award=PER_EURO, budget={"measure": "POINTS", "at_most": 40})
    sale = sell()
    assert balance(member).available == 40

    assert points(give_back(sale, (1, "1"))) == 0  # 45 are deserved, 40 were granted
    assert points(give_back(sale, (1, "1"))) == -5
    assert sum(BudgetSlot.objects.values_list("rest", flat=True)) == 5


def test_a_return_explains_itself_by_the_same_facts(till, sell, give_back):
    promotion()
    back = give_back(sell(), (1, "1")).json()

    read = till.get(f"/transactions/{back['id']}/", include="explanation").json()

    assert read["explained"] == "SAME"
    assert [each["points"] for each in read["awards"]] == [-10]
