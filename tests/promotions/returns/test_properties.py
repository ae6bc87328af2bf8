"""Whatever is sold and however it comes back, the end is the same."""

import random
from contextlib import contextmanager

import pytest
from django.db import transaction
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from ledger.queries import configuration
from promotions.services import snapshot
from tests.factories.ledger import give
from tests.factories.promotions import promotion
from tests.promotions.returns.calls import FIXED, ONCE_A_DAY, PER_EURO, state

pytestmark = pytest.mark.usefixtures("member")


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
