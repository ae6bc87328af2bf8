"""A till that sells and takes back."""

import pytest

from tests.promotions.returns.calls import EARN, RETURN, TWO_LINES, counter


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
