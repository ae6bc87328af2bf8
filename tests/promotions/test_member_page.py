"""A member's page in the back office: all about one, changed by the same services as the API."""

import pytest
from django.contrib.auth.models import Permission
from django.contrib.messages import get_messages
from django.urls import reverse
from django.utils import timezone

from ledger.models import Transaction
from loyalty.models import Program
from members.models import Activity, Card, DuplicateFlag, Member
from tests.factories.ledger import give
from tests.factories.loyalty import UserFactory
from tests.factories.members import MemberFactory


@pytest.fixture
def helpdesk(client, program):
    client.force_login(UserFactory(username="joe", groups=["Helpdesk"]))
    return client


def page(member):
    return reverse("admin:members_member_change", args=[member.pk])


def form(**fields):
    return {"address": "{}", "attributes": "{}", "stage": "ACTIVE", **inlines(), **fields}


def inlines():
    return {
        f"{name}-{count}_FORMS": 0
        for name in ("cards", "aliases")
        for count in ("TOTAL", "INITIAL")
    }


def messages_of(answer):
    return [str(each) for each in get_messages(answer.wsgi_request)]


def test_the_page_shows_points_and_what_happened(helpdesk):
    member = MemberFactory(first_name="Ann", last_name="Lee")
    give(member, 1234)
    helpdesk.post(page(member), form(first_name="Ann", last_name="Ray"))

    shown = helpdesk.get(page(member)).content.decode()

    assert "1,234" in shown
    assert "PROFILE_CHANGED" in shown
    assert "STAFF joe" in shown


@pytest.fixture
def manager(client, program):
    client.force_login(UserFactory(username="mia", groups=["Programme manager"]))
    return client


def adjustment(**fields):
    return {
        "direction": "CREDIT",
        "points": 50,
        "type": "PTS",
        "reason": "A long wait",
        "reference": "0190a2d1-6c8f-7c4e-9a53-4f0c2b1d8e77",
        **fields,
    }


def test_points_are_given_by_hand_once_however_often_the_page_is_sent(manager):
    member = MemberFactory()
    url = reverse("admin:members_member_adjust", args=[member.pk])

    shown = manager.post(url, {**adjustment(), "preview": "1"}).content.decode()
    before = Transaction.objects.count()
    manager.post(url, {**adjustment(), "confirm": "1"})
    manager.post(url, {**adjustment(), "confirm": "1"})

    posted = Transaction.objects.get()
    assert "is given 50 PTS" in shown
    assert before == 0
    assert (posted.kind, posted.reason, posted.member_id) == (
        "ADJUSTMENT",
        "A long wait",
        member.pk,
    )
    assert posted.effects[0]["available"] == 50


def test_no_more_is_taken_by_hand_than_is_there(manager):
    member = MemberFactory()
    give(member, 20)
    url = reverse("admin:members_member_adjust", args=[member.pk])

    answer = manager.post(url, {**adjustment(direction="DEBIT"), "confirm": "1"})

    assert len(messages_of(answer)) == 1
    assert Transaction.objects.count() == 1


def test_the_helpdesk_may_not_give_points(helpdesk):
    member = MemberFactory()
    url = reverse("admin:members_member_adjust", args=[member.pk])

    assert helpdesk.post(url, {**adjustment(), "confirm": "1"}).status_code == 403
    assert not Transaction.objects.exists()


def test_a_change_is_the_staffs_in_the_history(helpdesk):
    member = MemberFactory(last_name="Lee", email="ann@example.org")

    helpdesk.post(page(member), form(last_name="Lee", email="ANN.LEE@example.org"))

    member.refresh_from_db()
    line = Activity.objects.get()
    assert (member.email, member.version) == ("ann.lee@example.org", 2)
    assert (line.kind, line.actor_kind, line.actor, line.data) == (
        "PROFILE_CHANGED",
        "STAFF",
        "joe",
        {"fields": ["email"]},
    )


def test_the_same_again_makes_no_version(helpdesk):
    member = MemberFactory(last_name="Lee")

    helpdesk.post(page(member), form(last_name="Lee"))

    member.refresh_from_db()
    assert (member.version, Activity.objects.count()) == (1, 0)


def test_a_stage_is_changed_with_a_reason(helpdesk):
    member = MemberFactory()

    helpdesk.post(page(member), form(stage="SUSPENDED", reason="Card found at the till"))

    member.refresh_from_db()
    line = Activity.objects.get()
    assert member.stage == "SUSPENDED"
    assert (line.kind, line.reason) == ("STAGE_CHANGED", "Card found at the till")


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"email": "ann"}, "not an e-mail address"),
        ({"phone": "1"}, "not a phone number"),
        ({"language": "tlh"}, "languages are en"),
        ({"attributes": '{"shoes": 44}'}, "no such attribute"),
        ({"address": "{"}, "valid JSON"),
        ({"address": '{"street": "Ring"}'}, "unknown field"),
    ],
)
def test_what_is_wrong_stands_at_its_field(fields, told, helpdesk):
    member = MemberFactory(last_name="Lee")

    answer = helpdesk.post(page(member), form(**{"last_name": "Ray", **fields}))

    assert answer.status_code == 200
    assert told in answer.content.decode()
    member.refresh_from_db()
    assert member.last_name == "Lee"


def test_a_refusal_is_told_and_changes_nothing(helpdesk):
    MemberFactory(email="bob@example.org")
    member = MemberFactory(last_name="Lee")

    answer = helpdesk.post(page(member), form(last_name="Ray", email="bob@example.org"))

    assert messages_of(answer) == ["Somebody with these contacts is a member already."]
    member.refresh_from_db()
    assert (member.last_name, member.email) == ("Lee", "")


def test_the_helpdesk_enrols(helpdesk):
    referrer = MemberFactory()

    answer = helpdesk.post(
        reverse("admin:members_member_add"),
        form(
            last_name="Lee", email="ann@example.org", issue_card="on", referred_by=referrer.number
        ),
    )

    assert answer.status_code == 302
    member = Member.objects.get(last_name="Lee")
    assert (member.email, member.referrer, member.enrolled_by.is_house) == (
        "ann@example.org",
        referrer,
        True,
    )
    assert Card.objects.get().member == member
    assert Activity.objects.get(kind="ENROLLED").actor == "joe"


def test_who_is_a_member_already_is_shown(helpdesk):
    Program.objects.update(duplicate_policy="RETURN")
    member = MemberFactory(email="ann@example.org")

    answer = helpdesk.post(
        reverse("admin:members_member_add"), form(last_name="Lee", email="ann@example.org")
    )

    assert "This person was a member already." in messages_of(answer)
    assert Member.objects.get() == member


def test_whoever_may_not_erase_does_not(helpdesk):
    member = MemberFactory(last_name="Lee")

    answer = helpdesk.post(
        reverse("admin:members_member_erase", args=[member.pk]),
        {"number": member.number, "reason": "Letter"},
    )

    assert answer.status_code == 403
    assert Member.objects.get().last_name == "Lee"


class TestErasing:
    """The person goes when somebody types the number again and says why."""

    @pytest.fixture
    def office(self, client, program):
        user = UserFactory(username="jane", groups=["Helpdesk"])
        user.user_permissions.add(Permission.objects.get(codename="erase_member"))
        client.force_login(user)
        return client

    def test_it_is_asked_for_twice(self, office):
        member = MemberFactory(last_name="Lee")
        url = reverse("admin:members_member_erase", args=[member.pk])

        assert "Erase this person" in office.get(url).content.decode()
        assert office.post(url, {"number": "1", "reason": "Letter"}).status_code == 200
        assert office.post(url, {"number": member.number, "reason": ""}).status_code == 200
        assert Member.objects.get().last_name == "Lee"

        answer = office.post(url, {"number": member.number, "reason": "Letter of 2 May"})

        assert answer.status_code == 302
        member.refresh_from_db()
        assert (member.stage, member.last_name) == ("CLOSED", "")
        assert Activity.objects.get(kind="ERASED").actor == "jane"


def test_two_persons_are_taken_from_the_list(helpdesk):
    one, other = MemberFactory(last_name="Lee"), MemberFactory(last_name="Leigh")
    flag = DuplicateFlag.objects.create(
        earlier=one, later=other, matched="phone", flagged_at=timezone.now()
    )
    url = reverse("admin:members_duplicateflag_changelist")
    assert page(other) in helpdesk.get(url).content.decode()

    helpdesk.post(url, {"action": "dismiss", "_selected_action": [flag.pk]})

    flag.refresh_from_db()
    assert (flag.status, flag.resolved_by) == ("DISMISSED", "joe")
