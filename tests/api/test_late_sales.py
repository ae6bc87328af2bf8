"""Sales on a card that no longer works: late ones are the member's, within the grace."""

from datetime import timedelta

import pytest

from ledger.models import Transaction
from loyalty.models import Program
from members.models import Card
from tests.factories.ledger import balance, give
from tests.factories.promotions import promotion

NUMBER = "6275000000000017"


@pytest.fixture
def reported(member, now):
    """Return a maker of the card's status, reported two days ago."""
    promotion()

    def make(status):
        Card.objects.filter(number=NUMBER).update(
            status=status, reported_at=now - timedelta(days=2)
        )

    return make


def redeem(till, now, **changes):
    body = {
        "member": {"card": NUMBER},
        "reference": "X-1",
        "occurred_at": now.isoformat(),
        "outlet": "S1",
        "type": "PTS",
        "points": 10,
    }
    return till.post("/transactions/redeem/", {**body, **changes})


@pytest.mark.parametrize("status", ["LOST", "REPLACED"])
def test_a_late_sale_is_the_members(status, reported, till, purchase, member):
    reported(status)

    answer = till.post("/transactions/earn/", purchase())

    assert answer.status_code == 201
    assert answer.json()["member"] == member.number
    assert balance(member).available == 4


@pytest.mark.parametrize("status", ["STOLEN", "BLOCKED", "CLOSED"])
def test_a_card_that_is_not_lost_is_refused_whenever_the_sale_was(
    status, reported, till, purchase, member, now
):
    reported(status)
    before = (now - timedelta(days=5)).isoformat()

    for body in (purchase(), purchase(occurred_at=before)):
        answer = till.post("/transactions/earn/", body)

        assert answer.status_code == 422
        assert answer.json()["code"] == "CARD_BLOCKED"
        assert answer.json()["card_status"] == status
    assert not Transaction.objects.exists()


@pytest.mark.parametrize("status", ["LOST", "REPLACED"])
def test_after_the_grace_a_sale_is_refused(status, reported, till, purchase, member, now):
    reported(status)
    Program.objects.update(lost_card_grace=timedelta(days=1))
    last = now - timedelta(days=1, seconds=1)
    first_refused = now - timedelta(days=1)

    accepted = till.post("/transactions/earn/", purchase(occurred_at=last.isoformat()))
    refused = till.post("/transactions/earn/", purchase(occurred_at=first_refused.isoformat()))

    assert [accepted.status_code, refused.status_code] == [201, 422]
    assert refused.json()["code"] == "CARD_BLOCKED"
    assert Transaction.objects.count() == 1


def test_nothing_is_spent_with_a_lost_card(reported, till, member, now):
    give(member, 100)
    reported("LOST")

    answers = [
        redeem(till, now),
        redeem(till, now - timedelta(days=3)),
        till.post(
            "/transactions/lock/",
            {"member": {"card": NUMBER}, "type": "PTS", "points": 5, "reference": "L-1"},
        ),
    ]

    assert [answer.json()["code"] for answer in answers] == ["CARD_BLOCKED"] * 3
    assert (balance(member).available, balance(member).locked) == (100, 0)


def test_a_replaced_card_still_spends_within_the_grace(reported, till, member, now):
    give(member, 100)
    reported("REPLACED")

    assert redeem(till, now).status_code == 201
    Program.objects.update(lost_card_grace=timedelta(days=2), epoch=99)
    assert redeem(till, now, reference="X-2").json()["code"] == "CARD_BLOCKED"
    assert balance(member).available == 90


def test_a_fraud_desk_freezes_by_a_stolen_card(reported, house, member):
    give(member, 100)
    reported("STOLEN")
    body = {"member": {"card": NUMBER}, "type": "PTS", "points": 100, "reference": "F-1"}

    answer = house.post("/transactions/lock/", {**body, "class": "FRAUD", "reason": "Stolen."})

    assert answer.status_code == 201
    assert balance(member).locked == 100


def test_a_batch_judges_cards_as_a_lone_earn_does(reported, till, purchase, member):
    reported("LOST")
    items = [{"operation": "earn", "body": purchase()}]

    first = till.post("/transactions/batch/", {"items": items}).json()["items"]
    reported("STOLEN")
    second = till.post(
        "/transactions/batch/", {"items": [{"operation": "earn", "body": purchase()}]}
    ).json()["items"]

    assert [first[0]["status"], second[0]["status"]] == [201, 422]
    assert second[0]["problem"]["code"] == "CARD_BLOCKED"
