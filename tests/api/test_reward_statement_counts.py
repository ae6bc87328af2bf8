"""How many statements rewards, sweepstakes and tickets send, BEGIN and COMMIT aside."""

import pytest

from tests.factories.ledger import give
from tests.factories.promotions import promotion
from tests.factories.sweepstakes import sweepstake
from tests.factories.vouchers import VoucherTypeFactory

EARN = "/transactions/earn/"


@pytest.fixture
def world(member):
    VoucherTypeFactory(code="FIVE", stock=1_000)
    sweepstake(at_most=1_000, free_per_member=1_000)
    give(member, 50_000)
    return member


def counted(statements, call):
    """Return how many statements a call sends that goes through."""
    statements.sent.clear()
    answer = call()
    assert answer.status_code in (200, 201), answer.json()
    return len(statements.sent)


@pytest.mark.parametrize(
    ("award", "most"),
    [
        ({"kind": "VOUCHER", "voucher_type": "FIVE"}, 7),
        ({"kind": "TICKET", "sweepstake": "SPRING"}, 8),
    ],
)
def test_a_reward_sends_a_few_more_however_many(world, till, purchase, statements, award, most):
    promotion("ONE", award={**award, "quantity": 1}, coupons=["ONE"])
    promotion("MANY", award={**award, "quantity": 20}, coupons=["MANY"])
    till.post(EARN, purchase(coupons=["ONE"]))

    one = counted(statements, lambda: till.post(EARN, purchase(coupons=["ONE"])))
    many = counted(statements, lambda: till.post(EARN, purchase(coupons=["MANY"])))
    none = counted(statements, lambda: till.post(EARN, purchase()))

    assert none == 2
    assert one == many <= most


def test_a_unit_of_many_sends_as_few(world, till, purchase, statements):
    promotion("ONE", award={"kind": "VOUCHER", "voucher_type": "FIVE", "quantity": 1})

    def batch(size, name):
        items = [
            {"operation": "earn", "body": purchase(reference=f"{name}-{number}")}
            for number in range(size)
        ]
        return lambda: till.post("/transactions/batch/", {"items": items})

    batch(1, "A")()
    few, many = counted(statements, batch(2, "B")), counted(statements, batch(40, "C"))

    # The answers read the codes of each item's vouchers: one statement each.
    assert many - 40 == few - 2


def test_a_return_that_takes_a_voucher_along(world, till, purchase, statements, now):
    promotion("ONE", award={"kind": "VOUCHER", "voucher_type": "FIVE", "quantity": 2})

    def back(reference):
        till.post(EARN, purchase(reference=reference))
        body = {
            "original": {"reference": reference},
            "reference": f"BACK-{reference}",
            "occurred_at": now.isoformat(),
        }
        return lambda: till.post("/transactions/reverse-earn/", body)

    back("S1")()

    assert counted(statements, back("S2")) <= 16


@pytest.mark.parametrize(("source", "most"), [("FREE", 13), ("POINTS", 15)])
def test_tickets_however_many(world, house, statements, source, most):
    def enter(quantity, reference):
        body = {
            "member": {"number": world.number},
            "reference": reference,
            "source": source,
            "quantity": quantity,
        }
        return lambda: house.post("/sweepstakes/SPRING/tickets/", body)

    enter(1, "E0")()
    one, many = counted(statements, enter(1, "E1")), counted(statements, enter(50, "E2"))

    assert one == many <= most


@pytest.mark.parametrize("path", ["/sweepstakes/", "/sweepstakes/?member={}"])
def test_a_list_sends_as_many_however_much_there_is(world, house, statements, path):
    url = path.format(world.number)
    house.get(url)
    few = counted(statements, lambda: house.get(url))
    for number in range(5):
        sweepstake(f"W{number}", prizes=3)

    assert counted(statements, lambda: house.get(url)) == few <= 12
