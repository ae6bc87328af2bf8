"""The help desk unlocks, resets and signs out; each with a permission, a reason and a line."""

import pytest
from django.urls import reverse
from django.utils import timezone

from loyalty.errors import LockedOut
from loyalty.models import Attempt
from loyalty.secret import Secret
from members.models import Activity, Credential, Session
from members.services import pins
from members.sign_in_errors import PinWrong
from tests.factories.credentials import PASSWORD, with_password, with_pin
from tests.factories.loyalty import UserFactory

KINDS = {
    "unlock-sign-in": "SIGN_IN_UNLOCKED",
    "unlock-pin": "PIN_UNLOCKED",
    "reset-pin": "PIN_RESET",
    "end-sessions": "SESSIONS_ENDED",
}


@pytest.fixture
def ann(member):
    member.email = "ann@example.org"
    member.save()
    return with_password(with_pin(member))


@pytest.fixture
def helpdesk(client, program):
    client.force_login(UserFactory(username="desk", groups=["Helpdesk"]))
    return client


def act(client, name, member, **form):
    url = reverse("admin:members_member_change", args=[member.pk]).replace("change/", f"{name}/")
    return client.post(url, form) if form else client.get(url)


@pytest.mark.parametrize("name", KINDS)
def test_each_action_asks_for_a_reason_and_writes_a_line(name, helpdesk, ann):
    asked = act(helpdesk, name, ann)
    refused = act(helpdesk, name, ann, reason=" ")
    done = act(helpdesk, name, ann, reason="Called from home.")

    assert [asked.status_code, refused.status_code, done.status_code] == [200, 200, 302]
    line = Activity.objects.get()
    assert (line.kind, line.actor_kind, line.actor, line.reason) == (
        KINDS[name], "STAFF", "desk", "Called from home."
    )  # fmt: skip


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("group", ["Finance", "Auditor", "Programme manager"])
def test_others_may_not(name, group, client, ann):
    client.force_login(UserFactory(groups=[group]))

    assert act(client, name, ann, reason="x").status_code == 403
    assert not Activity.objects.exists()


def test_sign_in_is_unlocked_by_every_name(helpdesk, app, ann):
    for login in ("ann@example.org", "6275000000000017"):
        for _ in range(5):
            app.post("/sessions/", {"login": login, "password": "wrong"})

    act(helpdesk, "unlock-sign-in", ann, reason="Forgot it.")

    for login in ("ann@example.org", "6275000000000017", ann.number):
        assert app.post("/sessions/", {"login": login, "password": PASSWORD}).status_code == 200
    assert not Attempt.objects.exclude(kind="SIGN_IN_ADDRESS").exists()


def guess(ann):
    with pytest.raises((PinWrong, LockedOut)) as refused:
        pins.check_pin(ann.pk, Secret("9999"), at=timezone.now())
    return refused.type


def test_a_pin_is_unlocked_and_stays(helpdesk, ann):
    before = Credential.objects.get().pin
    for _ in range(6):
        guess(ann)

    act(helpdesk, "unlock-pin", ann, reason="Forgot it.")

    assert guess(ann) is PinWrong
    assert Credential.objects.get().pin == before


def test_a_pin_is_taken_away_and_a_first_one_set(helpdesk, house, ann):
    act(helpdesk, "reset-pin", ann, reason="Passport seen.")

    assert Credential.objects.get().pin == ""
    assert house.put(f"/members/{ann.number}/pin/", {"pin": "1937"}).status_code == 200


def test_all_sessions_end(helpdesk, session_of, ann):
    here, there = session_of(ann), session_of(ann)

    act(helpdesk, "end-sessions", ann, reason="Phone lost.")

    assert here.get("/members/me/points/").status_code == 401
    assert there.get("/members/me/points/").status_code == 401
    assert not Session.objects.filter(ended_at=None).exists()
