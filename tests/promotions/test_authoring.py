"""Writing promotions: versions, statuses, rule tests, and that processes hear of it."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import DatabaseError, transaction

from loyalty.errors import ValidationFailed
from loyalty.models import Program
from promotions.errors import TestsFail as RuleTestsFail
from promotions.models import Promotion, PromotionVersion
from promotions.services.writing.authoring import set_status, write_promotion
from tests.factories.promotions import promotion

AWARD = {"kind": "PER_AMOUNT", "type": "PTS", "points": 1, "per": "1.00"}
BASKET = {"occurred_at": "2026-01-05T12:00:00Z", "lines": [{"amount": "2.50"}]}


def write(status="LIVE", at=None, **content):
    at = at or datetime.now(UTC)
    return write_promotion(
        "BASE", {"name": "Base", "award": AWARD, **content}, status=status, at=at
    )


def test_the_same_content_makes_no_version(program):
    first, second = write(), write()

    assert (first.new_version, second.new_version) == (True, False)
    assert PromotionVersion.objects.count() == 1


def test_another_content_makes_the_next_version_and_moves_the_epoch(program):
    write()
    before = Program.objects.get().epoch

    again = write(pending="P1D")

    assert (again.version.number, again.new_version) == (2, True)
    assert Program.objects.get().epoch > before


def test_a_version_cannot_be_changed(program):
    write()

    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        PromotionVersion.objects.update(number=7)


def test_a_promotion_whose_test_fails_does_not_go_live(program):
    tests = [{"name": "two and a half", "basket": BASKET, "points": [{"type": "PTS", "points": 3}]}]

    with pytest.raises(RuleTestsFail) as refusal, transaction.atomic():
        write(tests=tests)

    assert refusal.value.extra["failures"] == ["two and a half: 2 PTS in place of 3 PTS."]
    assert not Promotion.objects.exists()
    assert write(status="DRAFT", tests=tests).promotion.status == "DRAFT"


@pytest.mark.parametrize(
    ("content", "pointer"),
    [
        ({"award": {**AWARD, "type": "NONE"}}, "/award/type"),
        ({"audience": {"tiers": ["PLATINUM"]}}, "/audience/tiers"),
        ({"colour": "red"}, ""),
        ({"weekdays": ["SUNDAY"]}, "/weekdays/0"),
    ],
)
def test_a_wrong_definition_names_the_part(content, pointer, program):
    with pytest.raises(ValidationFailed) as refusal:
        write(**content)

    assert refusal.value.errors[0].pointer == pointer


def test_a_sale_sees_the_version_and_status_of_its_own_time(till, purchase, member, now):
    days_ago = now - timedelta(days=5)
    kept = promotion("OLD", award={"kind": "FIXED", "type": "PTS", "points": 5})
    set_status(kept.promotion, "PAUSED", at=now - timedelta(days=2))
    promotion(
        "NEW", award={"kind": "FIXED", "type": "PTS", "points": 7}, at=now - timedelta(days=2)
    )

    late = till.post("/transactions/earn/", purchase(occurred_at=days_ago.isoformat())).json()
    today = till.post("/transactions/earn/", purchase()).json()

    assert [a["promotion"] for a in late["awards"]] == ["OLD"]
    assert [a["promotion"] for a in today["awards"]] == ["NEW"]


def test_a_promotion_that_goes_live_counts_from_the_next_request(till, purchase, member, now):
    first = till.post("/transactions/earn/", purchase()).json()
    promotion(at=now - timedelta(hours=1))
    second = till.post("/transactions/earn/", purchase()).json()

    assert (first["points"], second["points"][0]["points"]) == ([], 4)


@pytest.mark.parametrize(
    "line", [{"amount": "x"}, {"amount": "1.00", "quantity": "many"}, {"amount": 1}, {"price": "1"}]
)
def test_a_rule_test_whose_basket_is_none_names_it(line, program):
    tests = [{"name": "x", "basket": {**BASKET, "lines": [line]}, "points": []}]

    with pytest.raises(ValidationFailed) as refusal:
        write(tests=tests)

    assert refusal.value.errors[0].pointer == "/tests/0/basket"


def test_a_multiplier_that_stands_alone_is_warned_of(program):
    award = {"kind": "MULTIPLIER", "type": "PTS", "factor": "2"}

    written = write(status="DRAFT", award=award, combination={"stackable": False})

    assert [text.partition(":")[0] for text in written.warnings] == [
        "NEVER_AWARDS",
        "NO_CAP",
        "NO_END",
        "NO_TESTS",
    ]
