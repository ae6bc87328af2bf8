"""The ladder in the back office: shown first who would move, then put in effect."""

import pytest
from django.urls import reverse

from members.models import LadderVersion, Member, TierOverride
from tests.factories.loyalty import UserFactory
from tests.factories.members import MemberFactory
from tests.factories.tiers import ladder

FORM = {
    "measure": "SPEND",
    "window": "ROLLING_MONTHS",
    "months": "12",
    "counts": "POSTED",
    "thresholds": "SILVER 100\nGOLD 300.00",
    "downgrade": "BY_MEASURE",
}


def write(client, **changes):
    return client.post(reverse("admin:members_ladderversion_write"), {**FORM, **changes})


@pytest.fixture
def manager(client, program):
    client.force_login(UserFactory(groups=["Programme manager"]))
    return client


def test_a_ladder_is_shown_before_it_is_in_effect(manager):
    MemberFactory()

    shown = write(manager)

    assert shown.status_code == 200
    assert "Nobody moves" in shown.content.decode()
    assert not LadderVersion.objects.exists()
    assert write(manager, confirm="yes").status_code == 302
    version = LadderVersion.objects.get()
    assert version.definition["thresholds"] == [
        {"tier": "SILVER", "at_least": "100"},
        {"tier": "GOLD", "at_least": "300.00"},
    ]


@pytest.mark.parametrize(
    "changes",
    [
        {"thresholds": "SILVER"},
        {"thresholds": "PLATINUM 100.00"},
        {"thresholds": "SILVER 300.00\nGOLD 100.00"},
        {"months": ""},
        {"grace": "a while"},
    ],
)
def test_what_cannot_be_is_said_and_not_written(manager, changes):
    answer = write(manager, **changes, confirm="yes")

    assert answer.status_code == 200
    assert not LadderVersion.objects.exists()


def test_the_help_desk_may_not_write_it(client, program):
    client.force_login(UserFactory(groups=["Helpdesk"]))

    assert write(client, confirm="yes").status_code in (302, 403)
    assert not LadderVersion.objects.exists()


def test_a_member_is_given_a_tier(manager):
    member = MemberFactory()
    ladder()
    url = reverse("admin:members_member_give_tier", args=[member.pk])
    form = {"tier": "GOLD", "reason": "A friend of the house"}

    shown = manager.post(url, form)
    done = manager.post(url, {**form, "confirm": "yes"})

    assert "goes from BASE to GOLD" in shown.content.decode()
    assert done.status_code == 302
    assert Member.objects.get().tier.code == "GOLD"
    override = TierOverride.objects.get()
    assert (override.reason, override.actor_kind) == ("A friend of the house", "STAFF")
