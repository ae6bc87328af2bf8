"""How many statements subscriptions, vouchers and benefits send, BEGIN and COMMIT aside."""

import pytest

from tests.factories.ledger import give
from tests.factories.vouchers import BenefitFactory, PlanFactory, VoucherTypeFactory


@pytest.fixture
def world(member):
    PlanFactory(code="CLUB", benefits=["PARKING", "LOUNGE"])
    PlanFactory(code="MORE")
    BenefitFactory(code="GATE", tiers=["BASE"], quota=100)
    VoucherTypeFactory(code="FIVE", stock=100)
    give(member, 50_000)
    return member


def paid(plan, reference):
    return {"plan": plan, "reference": reference, "payment": {"status": "PAID"}}


def counted(statements, call):
    """Return how many statements a call sends that goes through."""
    statements.sent.clear()
    answer = call()
    assert answer.status_code in (200, 201), answer.json()
    return len(statements.sent)


def test_a_subscription_and_its_end(world, till, statements):
    url = f"/members/{world.number}/subscriptions/"
    till.post(url, paid("MORE", "S0"))
    first = {}

    def subscribe():
        answer = till.post(url, paid("CLUB", "S1"))
        first.update(answer.json())
        return answer

    assert counted(statements, subscribe) <= 16
    cancel = {"subscriptions": [first["id"]], "when": "NOW", "reference": "C1"}
    assert counted(statements, lambda: till.post(f"{url}cancel/", cancel)) <= 16


def test_vouchers_however_many(world, till, statements):
    def buy(quantity, reference):
        body = {
            "member": {"number": world.number},
            "reference": reference,
            "voucher_type": "FIVE",
            "quantity": quantity,
        }
        return lambda: till.post("/vouchers/redeem/", body)

    buy(1, "B0")()
    one, ten = counted(statements, buy(1, "B1")), counted(statements, buy(10, "B2"))

    assert one <= 9
    assert ten <= one + 3  # Where one slot of the stock lacks, the others are asked, too.


def test_a_voucher_at_the_till(world, till, statements):
    body = {"member": {"number": world.number}, "reference": "B", "voucher_type": "FIVE"}
    code = till.post("/vouchers/redeem/", body).json()["vouchers"][0]["code"]

    def act(action, **fields):
        sent = {"code": code, "action": action, **fields}
        return lambda: till.post("/vouchers/authenticate/", sent)

    assert counted(statements, act("check")) <= 5
    assert counted(statements, act("use", reference="U")) <= 12


def test_a_benefit_at_the_till(world, till, statements):
    url = f"/members/{world.number}/benefits/GATE/"
    till.post(url, {"action": "check"})

    assert counted(statements, lambda: till.post(url, {"action": "check"})) <= 9
    avail = {"action": "avail", "reference": "A"}
    assert counted(statements, lambda: till.post(url, avail)) <= 21


@pytest.mark.parametrize(
    ("path", "most"),
    [
        ("/members/{}/subscriptions/?ended=true", 6),
        ("/members/{}/vouchers/", 5),
        ("/members/{}/benefits/", 9),
        ("/program/subscription-plans/", 2),
        ("/program/voucher-types/", 4),
        ("/program/benefits/", 1),
    ],
)
def test_a_read_sends_few_however_much_there_is(path, most, world, till, statements):
    url = path.format(world.number)
    till.get(url)
    few = counted(statements, lambda: till.get(url))
    for number in range(3):
        till.post(f"/members/{world.number}/subscriptions/", paid("CLUB", f"S{number}"))
        body = {"member": {"number": world.number}, "reference": f"B{number}"}
        till.post("/vouchers/redeem/", {**body, "voucher_type": "FIVE", "quantity": 3})
        VoucherTypeFactory()

    assert few <= most
    assert counted(statements, lambda: till.get(url)) <= most
