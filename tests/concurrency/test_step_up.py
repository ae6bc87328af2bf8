"""Many small redemptions at once, one step-up at many tills, one PIN guessed by many."""

import threading
from datetime import UTC, datetime

import pytest

from ledger.models import Transaction
from ledger.services import checks, redemption
from loyalty.secret import Secret
from members.models import StepUp
from members.queries.sessions import hash_of
from members.services import pins, step_ups
from members.services.step_ups import Leave
from members.sign_in_errors import StepUpInvalid
from partners.models import Partner
from tests.concurrency.test_redemption import race
from tests.factories.credentials import PIN, limits, with_pin
from tests.factories.ledger import balance, give
from tests.factories.members import MemberFactory

TILLS = 10
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def ann(committed_program):
    member = with_pin(MemberFactory())
    give(member, 1000)
    return member


def redeem(member, points, reference, step_up=None):
    now = datetime.now(UTC)
    request = redemption.RedemptionRequest(
        member={"id": member.pk},
        partner_id=Partner.objects.get(is_house=True).pk,
        reference=reference,
        digest=b"one",
        occurred_at=now,
        point_type="PTS",
        points=points,
        step_up=Secret(step_up) if step_up else None,
    )
    return redemption.redeem_points(request, at=now)


def verified(member, pin=PIN):
    leave = Leave("REDEEM", Partner.objects.get(is_house=True).pk, "", 100, "PTS")
    request = pins.VerifyRequest({"id": member.pk}, Secret(pin), None, leave)
    return pins.verify(request, at=datetime.now(UTC))


def test_small_redemptions_at_once_do_not_get_round_the_limit_by_day(ann):
    limits(ann, per_day="1.00")

    outcomes = race(lambda till: redeem(ann, 30, f"T{till}"), TILLS)

    assert outcomes == ["STEP_UP_REQUIRED"] * (TILLS - 3) + ["done"] * 3
    assert balance(ann).available == 910


def test_looked_at_before_the_lock_they_would(ann, monkeypatch):
    """Prove that the race above is a real one: the day's sum as it was before the lock."""
    limits(ann, per_day="1.00")
    read = threading.Barrier(TILLS)
    monkeypatch.setattr(checks, "redeemed_today", lambda book, settings: 0)

    def act(till):
        read.wait(timeout=10)
        return redeem(ann, 30, f"T{till}")

    assert race(act, TILLS) == ["done"] * TILLS


def test_one_step_up_lets_one_redemption_through(ann):
    limits(ann, per_transaction="0.10")
    token = verified(ann).token

    outcomes = race(lambda till: redeem(ann, 30, f"T{till}", token), TILLS)

    assert outcomes == ["STEP_UP_INVALID"] * (TILLS - 1) + ["done"]
    spent = Transaction.objects.get(kind="REDEMPTION").reference
    assert StepUp.objects.get().spent_on == spent


def test_read_first_and_spent_later_it_would_let_more_through(ann, monkeypatch):
    """Prove that the race above is a real one: tills of two members' books meet at the row alone."""
    token = verified(ann).token
    read = threading.Barrier(2)

    def naive(member_id, token, leave, *, on, at, covers=None):
        row = StepUp.objects.filter(token_hash=hash_of(token.reveal()), spent_at=None).first()
        read.wait(timeout=10)
        if row is None:
            raise StepUpInvalid
        StepUp.objects.filter(pk=row.pk).update(spent_at=at, spent_on=on)

    monkeypatch.setattr(step_ups, "spend", naive)
    others = [ann, MemberFactory()]
    give(others[1], 1000)

    assert race(lambda till: redeem(others[till], 30, f"T{till}", token), 2) == ["done", "done"]


def test_of_many_guesses_at_once_five_are_judged(ann):
    outcomes = race(lambda till: verified(ann, f"90{till:02}"), TILLS)

    assert outcomes == ["LOCKED_OUT"] * (TILLS - 5) + ["PIN_WRONG"] * 5
