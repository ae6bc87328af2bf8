"""Card Validate: what a card is worth, and nothing that its holder need not know."""

from datetime import timedelta

import pytest

from ledger.services import card_validation
from loyalty.services.attempts import Policy
from members.models import Card, Member
from members.queries.cards import number_at
from tests.factories.ledger import give
from tests.factories.members import CardRangeFactory, MemberFactory
from tests.factories.partners import PartnerFactory

NUMBER = "6275000000000017"
NOBODY = {"replaced_by": None, "member": None, "stage": None, "name": None, "tier": None}
NOTHING = {"earn": False, "redeem": False}


@pytest.fixture
def ann(member):
    Member.objects.filter(pk=member.pk).update(first_name="Ann", last_name="Lee")
    return member


def validate(api, card=NUMBER, query="", **more):
    return api.post(f"/cards/validate/{query}", {"card": card, **more})


def test_a_card_that_works(till, ann):
    give(ann, 300)

    answer = validate(till, outlet="S1")

    assert answer.status_code == 200
    assert answer.json() == {
        "card": NUMBER,
        "valid": True,
        "status": "ACTIVE",
        "can_enrol": False,
        "replaced_by": None,
        "member": ann.number,
        "stage": "ACTIVE",
        "name": "A*** L***",
        "tier": "BASE",
        "may": {"earn": True, "redeem": True},
    }


def test_balances_are_there_when_asked_for(till, api_of, partner, ann):
    give(ann, 300)

    answer = validate(till, query="?include=points").json()

    assert answer["balances"] == [
        {"type": "PTS", "available": 300, "pending": 0, "locked": 0, "debt": 0}
    ]
    without = validate(api_of(partner, ["cards:validate"]), query="?include=points")
    assert (without.status_code, without.json()["scope"]) == (403, "points:read")
    assert validate(till, query="?include=tier").status_code == 400


@pytest.mark.parametrize(
    ("stage", "earn", "redeem"),
    [
        ("PENDING", True, False),
        ("SUSPENDED", False, False),
        ("EXPIRED", True, False),
        ("DISABLED", False, False),
        ("CLOSED", False, False),
    ],
)
def test_the_stage_says_what_may_be_done(stage, earn, redeem, till, ann):
    Member.objects.filter(pk=ann.pk).update(stage=stage)

    answer = validate(till).json()

    assert answer["valid"] is True
    assert (answer["stage"], answer["may"]) == (stage, {"earn": earn, "redeem": redeem})


@pytest.mark.parametrize(
    ("status", "earn", "redeem"),
    [
        ("LOST", True, False),
        ("REPLACED", True, True),
        ("STOLEN", False, False),
        ("BLOCKED", False, False),
        ("CLOSED", False, False),
    ],
)
def test_a_card_that_does_not_work_names_nobody_to_others(status, earn, redeem, till, ann, now):
    Card.objects.update(status=status, reported_at=now)

    answer = validate(till).json()

    assert answer == {
        "card": NUMBER,
        "valid": False,
        "status": status,
        "can_enrol": False,
        **NOBODY,
        "may": {"earn": earn, "redeem": redeem},
    }


def test_the_successor_is_for_those_who_may_know(till, house, ann, partner):
    new = house.post("/cards/replace/", {"card": NUMBER, "reason": "LOST"}).json()["card"]

    assert validate(till).json()["replaced_by"] is None
    assert validate(house).json()["replaced_by"] == new
    assert validate(house).json()["member"] == ann.number
    Member.objects.filter(pk=ann.pk).update(enrolled_by=partner)
    assert validate(till).json()["replaced_by"] == new


def test_after_the_grace_a_lost_card_earns_nothing(till, ann, now):
    Card.objects.update(status="LOST", reported_at=now - timedelta(days=7))

    assert validate(till).json()["may"] == NOTHING


def test_a_merged_members_card_is_the_survivors(till, ann):
    survivor = MemberFactory()
    Member.objects.filter(pk=ann.pk).update(stage="MERGED", merged_into=survivor)

    assert validate(till).json()["member"] == survivor.number


@pytest.mark.parametrize("card", ["4242424242424242", "ABC", "0"])
def test_a_number_of_nobody_is_unknown(card, till, ann):
    assert validate(till, card).json() == {
        "card": card,
        "valid": False,
        "status": "UNKNOWN",
        "can_enrol": False,
        **NOBODY,
        "may": NOTHING,
    }


def test_a_printed_number_of_nobody_can_enrol(till, house, ann, partner):
    ours, printed = CardRangeFactory(partner=partner), CardRangeFactory()
    others = CardRangeFactory(partner=PartnerFactory())
    withdrawn = CardRangeFactory(active=False)

    def told(api, source):
        answer = validate(api, number_at(source, 3)).json()
        return answer["status"], answer["can_enrol"]

    assert told(till, ours) == told(till, printed) == ("UNISSUED", True)
    assert told(till, others) == told(till, withdrawn) == ("UNISSUED", False)
    assert told(house, others) == ("UNISSUED", True)
    assert validate(till, "6275100000000003").json()["can_enrol"] is False  # Laurel gives these.


def test_a_mistyped_number_is_told_so(till, ann):
    number = number_at(CardRangeFactory(), 3)
    wrong = number[:-1] + str((int(number[-1]) + 1) % 10)

    assert validate(till, wrong).json()["status"] == "MISTYPED"


def test_looking_for_cards_is_limited_per_client(till, house, ann, monkeypatch):
    policy = Policy("CARD", 3, timedelta(minutes=5), timedelta(hours=1))
    monkeypatch.setattr(card_validation, "GUESSES", policy)
    assert validate(till).json()["valid"]  # What is right does not clear what was wrong.
    for guess in range(3):
        assert validate(till, f"99{guess}").status_code == 200

    locked = validate(till)

    assert (locked.status_code, locked.json()["code"]) == (423, "LOCKED_OUT")
    assert validate(house).json()["valid"] is True


def test_mistyped_numbers_lock_nobody_out(till, ann, monkeypatch):
    policy = Policy("CARD", 3, timedelta(minutes=5), timedelta(hours=1))
    monkeypatch.setattr(card_validation, "GUESSES", policy)
    number = number_at(CardRangeFactory(), 3)
    for _ in range(5):
        validate(till, number[:-1] + str((int(number[-1]) + 1) % 10))

    assert validate(till).json()["valid"] is True


def test_an_outlet_of_others_is_refused(till, ann):
    answer = validate(till, outlet="S9")

    assert (answer.status_code, answer.json()["code"]) == (422, "OUTLET_UNKNOWN")


def test_nobody_else_validates(session_of, app, ann):
    assert validate(session_of(ann)).status_code == 403
    assert validate(app).status_code == 403


@pytest.mark.parametrize(("query", "most"), [("", 2), ("?include=points", 3)])
def test_a_validation_sends_few_statements(query, most, till, ann, statements):
    give(ann, 10)
    validate(till, query=query)
    statements.sent.clear()

    assert validate(till, query=query, outlet="S1").status_code == 200

    assert len(statements.sent) == most, statements.sent
