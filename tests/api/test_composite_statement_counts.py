"""How many statements a call of several parts sends, counted at the driver."""

import pytest

from tests.api.all_transaction.calls import URL, of_sale, sell, visit, voucher
from tests.factories.ledger import give
from tests.factories.promotions import promotion
from tests.factories.vouchers import BenefitFactory

__all__ = ["sell", "visit", "voucher"]
pytestmark = pytest.mark.usefixtures("member")
FIFTY = [{"line": 1, "sku": "A", "quantity": "5", "amount": "50.00"}]


@pytest.fixture
def parts(member, voucher, sell):
    """What a call may hold; each with what it needs to be there."""
    promotion()
    give(member, 1000)
    BenefitFactory(code="PARKING", tiers=["BASE"], quota=20)
    sales, codes = [sell() for _ in range(4)], [voucher() for _ in range(4)]
    return {
        "nothing": lambda turn: {},
        "points": lambda turn: {"burn": [{"type": "PTS", "points": 10}]},
        "a voucher": lambda turn: {"vouchers": [{"code": codes[turn]}]},
        "a benefit": lambda turn: {"benefits": [{"code": "PARKING"}]},
        "a return": lambda turn: {"returns": [of_sale(sales[turn])]},
    }


@pytest.mark.parametrize(
    ("part", "committed", "evaluated"),
    [("nothing", 2, 4), ("points", 2, 4), ("a voucher", 11, 8), ("a benefit", 22, 10), ("a return", 8, 9)],
)  # fmt: skip
def test_a_call_sends_few(till, visit, statements, parts, part, committed, evaluated):
    sent = []
    for turn, mode in enumerate(["evaluate", "commit", "evaluate", "commit"]):
        body = visit(mode, lines=FIFTY, **parts[part](turn))
        statements.sent.clear()
        answer = till.post(URL, body)
        assert answer.status_code in (200, 201), answer.json()
        sent.append(list(statements.sent))

    assert (len(sent[3]), len(sent[2])) == (committed, evaluated), sent


def test_a_void_sends_more_for_each_part(till, visit, statements, parts, now):
    def void(part, turn):
        call = visit(lines=FIFTY, **parts[part](turn))
        made = till.post(URL, call).json()
        body = {"original": {"id": made["id"]}, "occurred_at": now.isoformat()}
        statements.sent.clear()
        answer = till.post("/transactions/void/", {**body, "reference": f"V-{made['id']}"})
        assert answer.status_code == 201, answer.json()
        return len(statements.sent)

    sent = {part: [void(part, turn) for turn in (0, 1)][1] for part in parts}

    assert sent == {
        "nothing": 15,
        "points": 17,
        "a voucher": 20,
        "a benefit": 26,
        "a return": 21,
    }
