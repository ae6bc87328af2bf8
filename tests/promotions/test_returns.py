"""Returns: what the member keeps decides, whatever the order and the parts; all back is as before."""

import itertools
import random
from contextlib import contextmanager
from datetime import timedelta

import pytest
from django.db import transaction
from django.utils import timezone
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from ledger.models import Entry, Transaction
from ledger.queries import configuration
from members.models import TierMeasure
from promotions.models import BudgetSlot, Evaluation, LimitCounter
from promotions.services import snapshot
from tests.factories.ledger import balance, give
from tests.factories.promotions import promotion

EARN, RETURN, REVERSE = (
    "/transactions/earn/",
    "/transactions/return-items/",
    "/transactions/reverse-earn/",
)
pytestmark = pytest.mark.usefixtures("member")
PER_EURO = {"kind": "PER_AMOUNT", "type": "PTS", "points": 1, "per": "1.00"}
FIXED = {"kind": "FIXED", "type": "PTS", "points": 100}
ONCE_A_DAY = {"per": "MEMBER", "period": "DAY", "measure": "USES", "at_most": 1, "then": "SKIP"}
TWO_LINES = [
    {"line": 1, "sku": "A", "quantity": "3", "amount": "30.00"},
    {"line": 2, "sku": "B", "quantity": "1", "amount": "25.00"},
]
counter = itertools.count()


@pytest.fixture
def sell(till, purchase):
    """Return a maker of sales: a till earns, and the answer comes back."""

    def act(lines=TWO_LINES, **changes):
        body = purchase(lines=lines, **{"discount": "0", "tenders": [], **changes})
        answer = till.post(EARN, body)
        assert answer.status_code == 201, answer.json()
        return answer.json()

    return act


@pytest.fixture
def give_back(till, now):
    """Return what lets items of a sale come back: (line, quantity[, amount]) each."""

    def act(sale, *items, reference=None):
        lines = [
            dict(zip(("line", "quantity", "amount"), map(convert, item), strict=False))
            for item in items
        ]
        return till.post(
            RETURN,
            {
                "original": {"id": sale["id"]},
                "reference": reference or f"RET-{next(counter)}",
                "occurred_at": now.isoformat(),
                "lines": lines,
                "reason": "Changed their mind.",
            },
        )

    def convert(part):
        return part if isinstance(part, str) else int(part)

    return act


def points(answer):
    return sum(each["points"] for each in answer.json()["points"])


def state(member):
    """Return all that a sale changes: balance, counters, budgets, measures."""
    account = balance(member)
    return (
        account.available + account.pending + account.locked - account.debt,
        {c.promotion: c.amount for c in LimitCounter.objects.exclude(amount=0)},
        sum(BudgetSlot.objects.values_list("rest", flat=True)),
        {
            (m.measure, m.point_type): m.amount
            for m in TierMeasure.objects.filter(member_id=member.pk).exclude(amount=0)
        },
    )


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


def points_of(answer):
    return sum(each["points"] for each in answer["points"])


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
    from promotions.services.authoring import set_status

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


@contextmanager
def undone():
    """Run in a savepoint that is rolled back, so that each example finds the same world."""
    around = transaction.atomic()
    around._from_testcase = True  # Use cases may run inside, as they do in the test's own block.
    with around:
        yield
        transaction.set_rollback(True)
    configuration._loaded = snapshot._loaded = None


def programme(chance):
    """Make promotions of every kind that returns have to get right."""
    promotion("BASE", combination={"base": True})
    promotion(
        "TWICE",
        award={"kind": "MULTIPLIER", "type": "PTS", "factor": "2"},
        lines={"include": {"category": ["TEA"]}},
    )
    promotion("OVER", award=FIXED, minimum={"amount": "20.00"}, limits=[ONCE_A_DAY])
    promotion(
        "ITEMS",
        award={"kind": "PER_ITEM", "type": "PTS", "points": 3},
        budget={"measure": "POINTS", "at_most": chance.choice([5, 1000])},
    )
    promotion(
        "BANDS",
        award={
            "kind": "BANDED",
            "type": "PTS",
            "bands": [{"from": "5.00", "points": 7}, {"from": "15.00", "points": 3, "per": "1.00"}],
        },
        not_tenders=["GIFT_CARD"],
    )
    promotion(
        "BEST",
        award={**PER_EURO, "points": 2},
        combination={"group": "G"},
        minimum={"quantity": "4"},
    )
    promotion("ELSE", award={**PER_EURO, "scope": "BASKET"}, combination={"group": "G"})


def basket(chance):
    lines = [
        {"line": number, "category": chance.choice(["TEA", "FOOD"]), "quantity": str(chance.randint(1, 4)),
         "amount": f"{chance.randint(1, 2000) / 100:.2f}"}
        for number in range(1, chance.randint(2, 5))
    ]  # fmt: skip
    total = round(sum(float(line["amount"]) for line in lines) * 100)
    discount = chance.randint(0, total // 4)
    gift = chance.choice([0, (total - discount) // 3])
    tenders = [
        {"type": "GIFT_CARD", "amount": f"{gift / 100:.2f}"},
        {"type": "CASH", "amount": f"{(total - discount - gift) / 100:.2f}"},
    ]
    return {"lines": lines, "discount": f"{discount / 100:.2f}", "tenders": tenders}


def pieces(chance, lines, *, everything):
    """Return single pieces to come back, in a random order."""
    found = [(line["line"], "1") for line in lines for _ in range(int(line["quantity"]))]
    chance.shuffle(found)
    return found if everything else found[: chance.randint(1, len(found))]


@settings(max_examples=3, phases=[Phase.generate], deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])  # fmt: skip
@given(seed=st.integers(0, 10_000))
def test_any_order_and_any_split_ends_the_same(sell, give_back, member, seed):
    ends = []
    for turn in range(3):
        with undone():
            chance = random.Random(seed)
            programme(chance)
            bought = basket(chance)
            back = pieces(chance, bought["lines"], everything=False)
            sale = sell(**bought)
            order = random.Random(seed + turn)
            order.shuffle(back)
            if turn == 0:  # all in one call
                together = {line: sum(1 for each, _ in back if each == line) for line, _ in back}
                back_calls = [[(line, str(count)) for line, count in together.items()]]
            else:  # piece by piece
                back_calls = [[each] for each in back]
            for items in back_calls:
                answer = give_back(sale, *items)
                assert answer.status_code == 201, answer.json()
            ends.append(state(member))
    assert ends[0] == ends[1] == ends[2]


@settings(max_examples=3, phases=[Phase.generate], deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])  # fmt: skip
@given(seed=st.integers(0, 10_000), split=st.booleans())
def test_everything_returned_leaves_everything_as_before(sell, give_back, member, seed, split):
    with undone():
        chance = random.Random(seed)
        programme(chance)
        give(member, 7)
        sell([{"line": 1, "category": "FOOD", "amount": "3.00"}])
        before = state(member)
        bought = basket(chance)
        sale = sell(**bought)
        back = pieces(chance, bought["lines"], everything=True)
        if split:
            for each in back:
                assert give_back(sale, each).status_code == 201
        else:
            together = [(line["line"], line["quantity"]) for line in bought["lines"]]
            assert give_back(sale, *together).status_code == 201
        assert state(member) == before
