"""One refresh token at once, and a sign-in beside a change of password: with real threads."""

import threading
from datetime import UTC, datetime

import pytest
from django.db import connection, transaction
from django.db.models import QuerySet

from loyalty.caller import Actor
from loyalty.secret import Secret
from members.models import Session
from members.services import passwords, sessions, sign_in
from tests.concurrency.test_redemption import race
from tests.factories.credentials import PASSWORD, with_password
from tests.factories.members import MemberFactory

CALLS = 8
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def ann(committed_program):
    return with_password(MemberFactory(email="ann@example.org"))


@pytest.fixture
def opened(ann):
    with transaction.atomic():
        return sessions.open_session(ann.pk, at=datetime.now(UTC))


def refresh_at_once(opened):
    token = Secret(opened.refresh)
    return race(lambda _: sessions.refresh(token, at=datetime.now(UTC)), CALLS)


def test_of_calls_with_one_refresh_token_one_is_served_and_the_session_ends(opened):
    outcomes = refresh_at_once(opened)

    assert outcomes == ["REFRESH_INVALID"] * (CALLS - 1) + ["done"]
    assert Session.objects.get().ended_at is not None


def test_without_the_lock_several_would_be_served(opened, monkeypatch):
    """Prove that the race above is a real one: without the row lock, all read the same hash."""
    read = threading.Barrier(CALLS)
    renewed = sessions._renewed

    def later(session, *, at):
        read.wait(timeout=10)
        return renewed(session, at=at)

    monkeypatch.setattr(QuerySet, "select_for_update", lambda self, **_: self)
    monkeypatch.setattr(sessions, "_renewed", later)

    assert refresh_at_once(opened).count("done") > 1


def sign_in_while_the_password_changes(ann, monkeypatch):
    """Let a sign-in compare the old password, and go on only after it was changed."""
    compared, changed = threading.Event(), threading.Event()
    verified = passwords.verified

    def slow(password, encoded):
        answer = verified(password, encoded)
        if threading.current_thread().name == "sign-in":
            compared.set()
            changed.wait(timeout=10)
        return answer

    monkeypatch.setattr(passwords, "verified", slow)
    outcome = []

    def enter():
        request = sign_in.SignInRequest("ann@example.org", Secret(PASSWORD))
        try:
            sign_in.sign_in(request, at=datetime.now(UTC))
            outcome.append("done")
        except sign_in.SignInFailed:
            outcome.append("SIGN_IN_FAILED")
        finally:
            connection.close()

    thread = threading.Thread(target=enter, name="sign-in")
    thread.start()
    assert compared.wait(timeout=10)
    now = datetime.now(UTC)
    with transaction.atomic():
        passwords.store(ann, Secret("a wholly new sentence"), at=now)
        sessions.end_sessions(ann.pk, at=now)
    changed.set()
    thread.join()
    return outcome


def test_the_old_password_opens_no_session_after_it_was_changed(ann, monkeypatch):
    assert sign_in_while_the_password_changes(ann, monkeypatch) == ["SIGN_IN_FAILED"]
    assert not Session.objects.exists()


def test_without_the_second_look_it_would(ann, monkeypatch):
    """Prove that the race above is a real one: opening without comparing the hash again."""

    def blind(named, upgraded, *, device, at):
        with transaction.atomic():
            opened = sessions.open_session(named.member_id, at=at, device=device)
        return sign_in.SignedIn(opened, named.number, named.stage, must_change_password=False)

    monkeypatch.setattr(sign_in, "_open", blind)

    assert sign_in_while_the_password_changes(ann, monkeypatch) == ["done"]
    assert Session.objects.filter(ended_at=None).count() == 1


def test_two_changes_of_one_password_are_made_once(ann, opened):
    def change(number):
        sign_in.change_password(
            ann.pk,
            opened.session.pk,
            old=Secret(PASSWORD),
            new=Secret(f"new sentence number {number}"),
            by=Actor.system("test"),
            at=datetime.now(UTC),
        )

    assert race(change, 4) == ["PASSWORD_WRONG"] * 3 + ["done"]
