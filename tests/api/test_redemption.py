"""Redemption and its reversal."""

from datetime import timedelta

import pytest

from ledger.models import Entry, Transaction
from tests.factories.ledger import balance, give

URL = "/transactions/redeem/"
pytestmark = pytest.mark.usefixtures("member")


@pytest.fixture
def redemption(member, now):
    def make(**changes):
        body = {
            "member": {"number": member.number},
            "reference": "X1",
            "occurred_at": now.isoformat(),
            "type": "PTS",
            "points": 60,
        }
        return {key: value for key, value in {**body, **changes}.items() if value is not None}

    return make


def test_points_that_expire_soonest_are_spent_first(till, redemption, member):
    give(member, 100, lives=timedelta(days=90))
    soon = give(member, 50, lives=timedelta(days=5))

    answer = till.post(URL, redemption()).json()

    assert [lot["points"] for lot in answer["lots"]] == [50, 10]
    assert Entry.objects.filter(source=3, lot__transaction_id=soon.id).get().points == 50
    assert answer["points"][0]["points"] == -60
    assert answer["value"] == {"amount": "0.60", "currency": "EUR"}
    assert balance(member).available == 90


def test_by_value_it_takes_the_points_that_are_worth_it(till, redemption, member):
    give(member, 500)

    body = redemption(points=None, value={"amount": "1.25", "currency": "EUR"})
    answer = till.post(URL, body).json()

    assert answer["points"][0]["points"] == -125


def test_too_few_points_say_how_many_are_missing(till, redemption, member):
    give(member, 50)

    response = till.post(URL, redemption())

    problem = response.json()
    assert response.status_code == 422
    assert (problem["code"], problem["available"], problem["missing"]) == (
        "INSUFFICIENT_POINTS",
        50,
        10,
    )
    assert balance(member).available == 50
    assert Transaction.objects.count() == 1


def test_pending_points_and_points_past_their_date_are_not_spent(till, redemption, member, now):
    give(member, 60, at=now - timedelta(days=9), pending=timedelta(days=30))
    give(member, 60, at=now - timedelta(days=9), lives=timedelta(days=2))

    response = till.post(URL, redemption())

    assert response.json()["available"] == 0
    assert not Transaction.objects.filter(kind="EXPIRY").exists(), "a refusal settles nothing"


def test_a_redemption_settles_first(till, redemption, member, now):
    give(member, 60, at=now - timedelta(days=9), pending=timedelta(days=2))

    answer = till.post(URL, redemption()).json()

    assert answer["version"] == 3
    assert list(Transaction.objects.order_by("version").values_list("kind", flat=True)) == [
        "EARN",
        "RELEASE",
        "REDEMPTION",
    ]


def test_a_reversal_gives_points_back_to_their_lots(till, redemption, member, now):
    give(member, 100, lives=timedelta(days=90))
    give(member, 50, lives=timedelta(days=5))
    till.post(URL, redemption())

    body = {
        "original": {"reference": "X1"},
        "reference": "V1",
        "occurred_at": now.isoformat(),
        "points": 20,
    }
    answer = till.post("/transactions/reverse-redemption/", body).json()

    # The last spent come back first: as if only 40 had been redeemed.
    assert [lot["points"] for lot in answer["lots"]] == [10, 10]
    assert balance(member).available == 110
    rest = {**body, "reference": "V2", "points": None}
    del rest["points"]
    assert till.post("/transactions/reverse-redemption/", rest).status_code == 201
    assert balance(member).available == 150
    again = till.post("/transactions/reverse-redemption/", {**rest, "reference": "V3"})
    assert (again.status_code, again.json()["code"]) == (409, "ALREADY_REVERSED")


def test_another_partner_cannot_reverse_it(till, redemption, member, now, api_of):
    from tests.factories.partners import PartnerFactory

    give(member, 100)
    till.post(URL, redemption())
    other = api_of(PartnerFactory())

    response = other.post(
        "/transactions/reverse-redemption/",
        {"original": {"reference": "X1"}, "reference": "V1", "occurred_at": now.isoformat()},
    )

    assert (response.status_code, response.json()["code"]) == (404, "TRANSACTION_NOT_FOUND")
    assert balance(member).available == 40


def test_a_lock_is_captured_and_its_rest_released(till, redemption, member):
    give(member, 100)
    hold = {
        "member": {"number": member.number},
        "type": "PTS",
        "points": 80,
        "reference": "L1",
    }
    lock = till.post("/transactions/lock/", hold).json()
    assert lock["locked"] == 80
    assert till.post(URL, redemption()).json()["available"] == 20

    answer = till.post(URL, redemption(lock=lock["lock"]))

    assert answer.status_code == 201
    account = balance(member)
    assert (account.available, account.locked) == (40, 0)
    captured = till.post(URL, redemption(reference="X2", lock=lock["lock"], points=1))
    assert (captured.status_code, captured.json()["code"]) == (409, "LOCK_RESOLVED")


def test_offline_what_the_balance_lacks_becomes_debt(till, redemption, member, now):
    from loyalty.models import Program

    Program.objects.update(offline_floor="5.00")
    give(member, 40)

    answer = till.post(URL, redemption(offline=True)).json()

    assert answer["points"][0]["debt_after"] == 20
    give(member, 30)
    account = balance(member)
    assert (account.available, account.debt) == (10, 0)
    body = {"original": {"reference": "X1"}, "reference": "V1", "occurred_at": now.isoformat()}
    assert till.post("/transactions/reverse-redemption/", body).status_code == 201
    assert balance(member).available == 70
