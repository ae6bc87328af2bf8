"""Items that come back of a purchase that nobody can name: refused, or at what base gives."""

import pytest
from django.core.management import call_command
from django.db import transaction

from ledger.models import Transaction
from loyalty.models import Program
from loyalty.services import epoch
from members.models import TierMeasure
from promotions.models import LimitCounter
from tests.factories.currencies import rate
from tests.factories.ledger import balance, give
from tests.factories.promotions import promotion

pytestmark = pytest.mark.usefixtures("member")
GIFT = {"kind": "FIXED", "type": "PTS", "points": 500}


@pytest.fixture
def allowed(program):
    """A programme that takes such returns, with a base promotion and one that is none."""
    with transaction.atomic():
        Program.objects.update(returns_without_original="BASE")
        epoch.bump()
    promotion("BASE", combination={"base": True})
    promotion("GIFT", award=GIFT)


def body_of(now, reference="B1", **changes):
    body = {
        "member": {"card": "6275000000000017"},
        "reference": reference,
        "occurred_at": now.isoformat(),
        "lines": [
            {"line": 1, "quantity": "2", "amount": "20.50", "sku": "A"},
            {"line": 2, "quantity": "1", "amount": "5.00", "category": "COFFEE"},
        ],
    }
    return {key: value for key, value in {**body, **changes}.items() if value is not None}


def bring_back(till, body, status=201):
    response = till.post("/transactions/return-items/", body)
    assert response.status_code == status, response.json()
    return response.json()


def test_by_default_a_return_names_its_purchase(till, member, now):
    give(member, 100)

    answer = bring_back(till, body_of(now), 422)

    assert answer["code"] == "ORIGINAL_NEEDED"
    assert balance(member).available == 100
    assert Transaction.objects.filter(kind="RETURN").count() == 0


def test_what_base_promotions_would_give_is_taken(till, member, now, allowed, capsys):
    give(member, 100)

    answer = bring_back(till, body_of(now, reason="No receipt."))

    assert (answer["kind"], answer["original"], answer["reason"]) == ("RETURN", None, "No receipt.")
    assert [(a["promotion"], a["line"], a["points"]) for a in answer["awards"]] == [
        ("BASE", 1, -20),
        ("BASE", 2, -5),
    ]
    assert answer["points"][0]["points"] == -25
    assert (answer["shortfall"], answer["kept"]) == ([], {"lines": []})
    assert balance(member).available == 75
    call_command("replay_evaluations", "--quiet")
    assert "1 the same, 0 without their facts, 0 differ" in capsys.readouterr().out


def test_it_is_never_more_than_there_is(till, member, now, allowed):
    give(member, 12)

    answer = bring_back(till, body_of(now))

    assert [a["points"] for a in answer["awards"]] == [-12]
    assert answer["shortfall"] == [{"type": "PTS", "points": 13, "treated": "FORGIVEN"}]
    assert (balance(member).available, balance(member).debt) == (0, 0)


def test_a_member_without_points_may_bring_things_back(till, member, now, allowed):
    answer = bring_back(till, body_of(now))

    assert (answer["points"], answer["awards"]) == ([], [])
    assert answer["shortfall"] == [{"type": "PTS", "points": 25, "treated": "FORGIVEN"}]


def test_sent_again_it_is_answered_again_whatever_the_programme_says_now(
    till, member, now, allowed
):
    give(member, 100)
    first = bring_back(till, body_of(now))
    with transaction.atomic():
        Program.objects.update(returns_without_original="REFUSE")
        epoch.bump()

    assert bring_back(till, body_of(now), 200) == first
    assert bring_back(till, body_of(now, reason="Other."), 409)["code"] == "REFERENCE_CONFLICT"
    assert balance(member).available == 75


def test_limits_and_tiers_stay_as_they_are(till, purchase, member, now, allowed):
    limit = {"per": "MEMBER", "period": "DAY", "measure": "POINTS", "at_most": 30}
    promotion("BASE", combination={"base": True}, limits=[limit])
    till.post("/transactions/earn/", purchase())
    before = [list(model.objects.order_by("pk").values()) for model in (LimitCounter, TierMeasure)]

    bring_back(till, body_of(now))

    after = [list(model.objects.order_by("pk").values()) for model in (LimitCounter, TierMeasure)]
    assert after == before


def test_another_currency_is_converted(till, member, now, allowed):
    rate("USD", "0.5")
    give(member, 100)

    answer = bring_back(till, body_of(now, currency="USD"))

    assert [a["points"] for a in answer["awards"]] == [-10, -2]
    assert bring_back(till, body_of(now, "B2", currency="GBP"), 422)["code"] == "NO_RATE"


def line(**changes):
    whole = {"line": 1, "quantity": "1", "amount": "5.00", **changes}
    return [{key: value for key, value in whole.items() if value is not None}]


@pytest.mark.parametrize(
    ("changes", "pointer", "code"),
    [
        ({"member": None}, "/member", "MISSING_FIELD"),
        ({"lines": line(amount=None)}, "/lines/0/amount", "MISSING_FIELD"),
        ({"lines": line(amount="5.001")}, "/lines/0/amount", "OUT_OF_RANGE"),
        ({"lines": line(quantity="0")}, "/lines/0/quantity", "OUT_OF_RANGE"),
        ({"lines": line() + line()}, "/lines/1/line", "REPEATED"),
        ({"lines": []}, "/lines", "TOO_FEW"),
        ({"original": {"reference": "R"}}, "/member", "NOT_HERE"),
        (
            {"original": {"reference": "R"}, "member": None, "currency": "EUR"},
            "/currency",
            "NOT_HERE",
        ),
        ({"original": {"reference": "R"}, "member": None}, "/lines/0/sku", "NOT_HERE"),
    ],
)
def test_what_does_not_fit_is_refused_with_its_pointer(
    till, member, now, allowed, changes, pointer, code
):
    give(member, 100)

    answer = bring_back(till, body_of(now, **changes), 400)

    [error] = answer["errors"]
    assert (error["pointer"], error["code"]) == (pointer, code)
    assert balance(member).available == 100


def test_it_may_come_in_a_batch(till, member, now, allowed):
    give(member, 100)
    items = [
        {"operation": "return-items", "body": body_of(now)},
        {"operation": "return-items", "body": body_of(now, "B2", member=None)},
    ]

    answers = till.post("/transactions/batch/", {"items": items}).json()["items"]

    assert [each["status"] for each in answers] == [201, 400]
    assert balance(member).available == 75


def test_few_statements(till, member, now, allowed, statements):
    give(member, 100)
    bring_back(till, body_of(now))
    statements.sent.clear()

    bring_back(till, body_of(now, "B2"))

    assert len(statements.sent) <= 3, statements.sent
