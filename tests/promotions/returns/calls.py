"""What the tests of returns sell, and how they read what came of it."""

import itertools

from members.models import TierMeasure
from promotions.models import BudgetSlot, LimitCounter
from tests.factories.ledger import balance

EARN, RETURN, REVERSE = (
    "/transactions/earn/",
    "/transactions/return-items/",
    "/transactions/reverse-earn/",
)
PER_EURO = {"kind": "PER_AMOUNT", "type": "PTS", "points": 1, "per": "1.00"}


FIXED = {"kind": "FIXED", "type": "PTS", "points": 100}


ONCE_A_DAY = {"per": "MEMBER", "period": "DAY", "measure": "USES", "at_most": 1, "then": "SKIP"}


TWO_LINES = [
    {"line": 1, "sku": "A", "quantity": "3", "amount": "30.00"},
    {"line": 2, "sku": "B", "quantity": "1", "amount": "25.00"},
]


counter = itertools.count()


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


def points_of(answer):
    return sum(each["points"] for each in answer["points"])
