"""Two people approve one change at once: one does, and it becomes one version."""

import threading
from datetime import UTC, datetime

import pytest
from django.db import transaction

from loyalty.models import Program
from promotions.models import Promotion, PromotionApproval, PromotionVersion
from promotions.services.writing import approvals
from promotions.services.writing.authoring import write_promotion
from tests.concurrency.test_redemption import race

pytestmark = pytest.mark.django_db(transaction=True)
CONTENT = {"name": "Once", "award": {"kind": "FIXED", "type": "PTS", "points": 5}}


def write(**changes):
    with transaction.atomic():
        write_promotion(
            "ONCE", {**CONTENT, **changes}, status="LIVE", at=datetime.now(UTC), by="ann"
        )


@pytest.fixture
def change(committed_program):
    """A promotion that is live, and a change of it that waits."""
    write()
    Program.objects.update(four_eyes=True)
    write(name="More")


@pytest.fixture
def draft(committed_program):
    """A promotion that waits to go live for the first time."""
    Program.objects.update(four_eyes=True)
    write()


def approve(person):
    with transaction.atomic():
        approvals.approve("ONCE", by=f"person {person}", at=datetime.now(UTC))


def reject(person):
    with transaction.atomic():
        approvals.reject("ONCE", by=f"person {person}", at=datetime.now(UTC))


def approvals_told():
    return Promotion.objects.get().statuses.filter(reason__contains="approved by").count()


def test_of_many_approvers_one_makes_one_version(change):
    assert race(approve, 4) == ["NOTHING_WAITS"] * 3 + ["done"]

    assert PromotionVersion.objects.count() == 2
    assert PromotionApproval.objects.get().state == "APPROVED"
    assert approvals_told() == 1


def test_an_approval_and_a_rejection_do_not_both_stand(change):
    outcomes = race(lambda person: (approve, reject)[person % 2](person), 4)

    assert outcomes == ["NOTHING_WAITS"] * 3 + ["done"]
    approved = PromotionApproval.objects.get().state == "APPROVED"
    assert PromotionVersion.objects.count() == (2 if approved else 1)


def test_without_the_promotions_lock_two_would_approve(draft, monkeypatch):
    """The guard: two who both read that it waits, before either has judged, both approve."""
    seen = threading.Barrier(2)

    def unlocked(code, by):
        promotion = Promotion.objects.get(code=code)
        found = promotion, promotion.approvals.get(state="WAITING")
        seen.wait(timeout=30)
        return found

    monkeypatch.setattr(approvals, "_locked", unlocked)

    assert race(approve, 2) == ["done", "done"]
    assert approvals_told() == 2
