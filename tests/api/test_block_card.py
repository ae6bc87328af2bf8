"""Block Card: blocked, lost, stolen, closed, and working again."""

import pytest

from loyalty.models import Program
from members.models import Activity, Card
from tests.factories.ledger import balance
from tests.factories.promotions import promotion

NUMBER = "6275000000000017"
LEGAL = {
    ("ACTIVE", "LOST"): "CARD_REPORTED",
    ("ACTIVE", "STOLEN"): "CARD_REPORTED",
    ("ACTIVE", "BLOCKED"): "CARD_BLOCKED",
    ("ACTIVE", "CLOSED"): "CARD_CLOSED",
    ("LOST", "ACTIVE"): "CARD_UNBLOCKED",
    ("LOST", "STOLEN"): "CARD_REPORTED",
    ("LOST", "BLOCKED"): "CARD_BLOCKED",
    ("LOST", "CLOSED"): "CARD_CLOSED",
    ("BLOCKED", "ACTIVE"): "CARD_UNBLOCKED",
    ("BLOCKED", "LOST"): "CARD_REPORTED",
    ("BLOCKED", "STOLEN"): "CARD_REPORTED",
    ("BLOCKED", "CLOSED"): "CARD_CLOSED",
    ("STOLEN", "CLOSED"): "CARD_CLOSED",
    ("REPLACED", "LOST"): "CARD_REPORTED",
    ("REPLACED", "STOLEN"): "CARD_REPORTED",
    ("REPLACED", "CLOSED"): "CARD_CLOSED",
}
BEFORE = ["ACTIVE", "LOST", "STOLEN", "REPLACED", "BLOCKED", "CLOSED"]
AFTER = ["ACTIVE", "LOST", "STOLEN", "BLOCKED", "CLOSED"]


def report(house, status, card=NUMBER, **changes):
    return house.post("/cards/block/", {"card": card, "status": status, "reason": "So.", **changes})


@pytest.mark.parametrize("before", BEFORE)
@pytest.mark.parametrize("after", AFTER)
def test_only_legal_moves_are_made(before, after, house, member):
    Card.objects.update(status=before)

    answer = report(house, after)

    card = Card.objects.get(number=NUMBER)
    if before == after:
        assert answer.status_code == 200
        assert not Activity.objects.exists()
    elif (before, after) in LEGAL:
        assert answer.status_code == 200
        assert answer.json()["status"] == card.status == after
        line = Activity.objects.get()
        assert (line.kind, line.reason) == (LEGAL[before, after], "So.")
        assert line.data == {"card": NUMBER, "before": before, "after": after}
    else:
        assert answer.status_code == 422
        assert answer.json()["code"] == "CARD_TRANSITION_FORBIDDEN"
        assert card.status == before
        assert not Activity.objects.exists()


def test_the_first_report_counts(house, member):
    first = report(house, "LOST").json()["reported_at"]
    later = report(house, "STOLEN").json()["reported_at"]

    assert first is not None
    assert later == first


def test_a_card_that_was_found_works_again(house, till, purchase, member):
    promotion()
    report(house, "BLOCKED")
    assert till.post("/transactions/earn/", purchase()).json()["code"] == "CARD_BLOCKED"

    report(house, "LOST")
    assert report(house, "ACTIVE").json()["reported_at"] is None

    assert till.post("/transactions/earn/", purchase()).status_code == 201
    assert balance(member).available == 4


def test_a_lost_card_with_a_successor_stays_lost(house, member):
    house.post("/cards/replace/", {"card": NUMBER, "reason": "LOST"})

    answer = report(house, "ACTIVE")

    assert answer.json()["code"] == "CARD_TRANSITION_FORBIDDEN"
    assert Card.objects.get(number=NUMBER).status == "LOST"
    assert report(house, "STOLEN").json()["replaced_by"] == "6275100000000003"


def test_a_found_card_does_not_work_beside_another_where_one_is_allowed(house, member):
    report(house, "LOST")
    house.post(f"/members/{member.number}/cards/", {})
    Program.objects.update(several_cards=False)

    assert report(house, "ACTIVE").json()["code"] == "SEVERAL_CARDS_FORBIDDEN"
    assert Card.objects.get(number=NUMBER).status == "LOST"


def test_an_unknown_card_is_not_found(house, member):
    answer = report(house, "LOST", "6275000000000025")

    assert (answer.status_code, answer.json()["code"]) == (404, "CARD_NOT_FOUND")


@pytest.mark.parametrize("status", ["REPLACED", "lost", "", 5])
def test_nothing_else_is_a_status(status, house, member):
    answer = report(house, status)

    assert answer.status_code == 400
    assert answer.json()["errors"][0]["pointer"] == "/status"


def test_partners_block_no_cards(till, member):
    assert report(till, "BLOCKED").status_code == 403
    assert Card.objects.get(number=NUMBER).status == "ACTIVE"


def test_a_report_sends_few_statements(house, member, statements):
    report(house, "LOST")
    statements.sent.clear()

    assert report(house, "STOLEN").status_code == 200

    assert len(statements.sent) <= 6, statements.sent
