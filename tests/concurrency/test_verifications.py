"""One code, one token, many at once: each works once, and five guesses are judged."""

import threading
from datetime import UTC, datetime

import pytest
from django.db import transaction
from django.db.models import QuerySet

from loyalty.secret import Secret
from members.models import StepUp, Verification
from members.services import password_reset, passwords, verifications
from members.services.verifications import Wanted
from partners.models import Partner
from tests.concurrency.test_redemption import race
from tests.factories.credentials import with_password
from tests.factories.members import MemberFactory
from tests.factories.messages import code_in, deliver, mailed, token_in

CALLS = 8
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def ann(committed_program):
    return with_password(MemberFactory(email="ann@example.org"))


def sent(member, purpose):
    with transaction.atomic():
        row = verifications.ask(member.pk, Wanted(purpose, "EMAIL"), at=datetime.now(UTC))
    deliver()
    return row


def confirm(row, code):
    return verifications.confirm(
        row.pk,
        Secret(code),
        of=None,
        partner_id=Partner.objects.get(is_house=True).pk,
        client_id="app",
        at=datetime.now(UTC),
    )


def test_a_code_gives_one_proof(ann):
    row = sent(ann, "PIN")
    code = code_in(mailed().body)

    outcomes = race(lambda _: confirm(row, code), 5)

    assert outcomes == ["CODE_WRONG"] * 4 + ["done"]
    assert StepUp.objects.count() == 1


def test_looked_at_first_and_used_later_it_would_give_more(ann, monkeypatch):
    """Prove that the race above is a real one: without the conditional update all are served."""
    row = sent(ann, "PIN")
    code, judged = code_in(mailed().body), threading.Barrier(5)

    def naive(row, *, at):
        judged.wait(timeout=10)
        Verification.objects.filter(pk=row.pk).update(used_at=at)
        return ann

    monkeypatch.setattr(verifications, "use", naive)

    assert race(lambda _: confirm(row, code), 5) == ["done"] * 5


def test_of_many_guesses_at_once_five_are_judged(ann, monkeypatch):
    row = sent(ann, "CONTACT")
    wrong = f"{(int(code_in(mailed().body)) + 1) % 10**6:06}"
    judged, compare = [], verifications.constant_time_compare
    monkeypatch.setattr(
        verifications, "constant_time_compare", lambda *pair: judged.append(1) or compare(*pair)
    )

    assert race(lambda _: confirm(row, wrong), 12) == ["CODE_WRONG"] * 12
    assert len(judged) == 5


def reset_at_once(ann):
    sent(ann, "PASSWORD")
    token = Secret(token_in(mailed().body))
    return race(
        lambda number: password_reset.reset(
            token, Secret(f"new sentence number {number}"), address="", at=datetime.now(UTC)
        ),
        CALLS,
    )


def test_a_token_sets_one_password(ann):
    assert reset_at_once(ann) == ["RESET_INVALID"] * (CALLS - 1) + ["done"]


def test_without_the_rows_lock_it_would_set_several(ann, monkeypatch):
    """Prove that the race above is a real one: without the lock, all see an unused token."""
    together, store = threading.Barrier(CALLS), passwords.store

    def later(member, password, *, at):
        together.wait(timeout=10)
        store(member, password, at=at)

    monkeypatch.setattr(QuerySet, "select_for_update", lambda self, **_: self)
    monkeypatch.setattr(passwords, "store", later)

    assert reset_at_once(ann).count("done") > 1
