"""The back office's pages of members: what may be picked, what stays, what a list costs."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from members.models import Member, Tier
from tests.factories.loyalty import MasterFactory, UserFactory
from tests.factories.members import AliasFactory, CardFactory, MemberFactory
from tests.factories.partners import PartnerFactory


@pytest.fixture
def office(client, program):
    client.force_login(UserFactory(is_superuser=True))
    return client


def form(member, **changes):
    inlines = {
        f"{name}-{count}_FORMS": 0
        for name in ("cards", "aliases")
        for count in ("TOTAL", "INITIAL")
    }
    return {
        "stage": member.stage,
        "tier": member.tier_id,
        "first_name": member.first_name,
        "last_name": member.last_name,
        **inlines,
        **changes,
    }


def change(member):
    return reverse("admin:members_member_change", args=[member.pk])


def test_helpdesk_suspends_a_member(client, program):
    client.force_login(UserFactory(groups=["Helpdesk"]))
    member = MemberFactory()

    answer = client.post(change(member), form(member, stage="SUSPENDED", last_name="Lee"))

    assert answer.status_code == 302
    member.refresh_from_db()
    assert (member.stage, member.last_name) == ("SUSPENDED", "Lee")


@pytest.mark.parametrize("stage", ["MERGED", "CLOSED"])
def test_a_final_stage_is_not_picked_from_a_list(stage, office):
    member = MemberFactory()

    answer = office.post(change(member), form(member, stage=stage))

    assert answer.status_code == 200
    assert "Select a valid choice" in answer.content.decode()
    assert Member.objects.get().stage == "ACTIVE"


def test_a_final_stage_is_final(office):
    member = MemberFactory(stage="CLOSED")

    answer = office.post(change(member), form(member, stage="ACTIVE", last_name="Lee"))

    assert answer.status_code == 403
    assert Member.objects.values_list("stage", "last_name").get() == ("CLOSED", "")


def test_there_is_always_a_base_tier(office):
    base = Tier.objects.get(is_base=True)
    url = reverse("admin:members_tier_change", args=[base.pk])

    office.post(url, {"code": "ENTRY", "name": "Entry", "rank": 0})
    deleted = office.post(reverse("admin:members_tier_delete", args=[base.pk]), {"post": "yes"})
    selected = list(Tier.objects.values_list("pk", flat=True))
    office.post(
        reverse("admin:members_tier_changelist"),
        {"action": "delete_selected", "_selected_action": selected, "post": "yes"},
    )

    assert deleted.status_code == 403
    assert Tier.objects.values_list("code", "name").get(is_base=True) == ("BASE", "Entry")


def some_of_each(many):
    for _ in range(many):
        AliasFactory(member=CardFactory().member)
        MasterFactory()
        PartnerFactory(outlets=["S1"])


@pytest.mark.parametrize(
    "page", ["members_member", "members_card", "members_tier", "loyalty_master", "partners_partner"]
)
def test_a_list_costs_the_same_however_long_it_is(page, office):
    url = reverse(f"admin:{page}_changelist")
    some_of_each(1)
    office.get(url)
    with CaptureQueriesContext(connection) as few:
        office.get(url)
    some_of_each(6)

    with CaptureQueriesContext(connection) as many:
        office.get(url)

    assert len(many) == len(few)
