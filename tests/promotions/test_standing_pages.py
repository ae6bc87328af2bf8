"""Merging, parting and closing members, and moving many, at the back office."""

import pytest
from django.urls import reverse

from ledger.models import Transaction
from ledger.tasks import change_stages
from loyalty.models import Job, User
from members.models import Activity, Member
from tests.factories.ledger import balance, give
from tests.factories.members import MemberFactory


@pytest.fixture
def other(program):
    return MemberFactory()


def page(name, *arguments):
    return reverse(f"admin:members_member_{name}", args=arguments)


def test_a_merge_is_shown_before_it_is_made(office, member, other):
    give(member, 1234)
    form = {"into": other.number, "reason": "One person."}
    url = page("merge", member.pk)
    assert office.get(url).status_code == 200

    shown = office.post(url, {**form, "preview": "1"}).content.decode()
    assert "1,234" in shown
    assert not Transaction.objects.filter(kind="TRANSFER").exists()

    assert office.post(url, {**form, "confirm": "1"}).status_code == 302
    assert Member.objects.get(pk=member.pk).merged_into == other
    assert balance(other).available == 1234
    line = Activity.objects.get(member=member, kind="MERGED")
    assert (line.actor_kind, line.actor, line.reason) == ("STAFF", "boss", "One person.")
    assert office.get(page("change", member.pk)).status_code == 200

    parted = office.post(page("unmerge", member.pk), {"reason": "Two.", "confirm": "1"})
    assert parted.status_code == 302
    assert balance(member).available == 1234


@pytest.mark.parametrize("into", ["9999999999", "itself", ""])
def test_a_merge_that_is_refused_says_so_and_changes_nothing(into, office, member):
    into = member.number if into == "itself" else into
    form = {"into": into, "reason": "x", "confirm": "1"}

    answer = office.post(page("merge", member.pk), form)

    assert answer.status_code == 200
    assert Member.objects.get().stage == "ACTIVE"
    assert not Transaction.objects.exists()


def test_closing_shows_what_is_forfeited(office, member):
    give(member, 777)
    url = page("close", member.pk)

    assert "777" in office.post(url, {"reason": "Left.", "preview": "1"}).content.decode()
    assert Member.objects.get().stage == "ACTIVE"
    office.post(url, {"reason": "Left.", "confirm": "1"})

    assert Member.objects.get().stage == "CLOSED"
    assert balance(member).expired == 777


def test_many_are_moved_by_a_job(office, member, other):
    Member.objects.filter(pk=other.pk).update(stage="SUSPENDED")
    form = {"stage": "DISABLED", "only": ["SUSPENDED"], "reason": "Fraud.", "numbers": ""}
    url = page("move_many")

    assert "1 fit" in office.post(url, {**form, "preview": "1"}).content.decode()
    assert not Job.objects.exists()
    assert office.post(url, {**form, "confirm": "1"}).status_code == 302

    job = Job.objects.get()
    change_stages(job_id=str(job.pk))
    assert Member.objects.get(pk=other.pk).stage == "DISABLED"
    assert Member.objects.get(pk=member.pk).stage == "ACTIVE"


def test_a_form_that_names_nobody_moves_nobody(office, member):
    form = {"stage": "DISABLED", "reason": "x", "numbers": "", "confirm": "1"}

    assert office.post(page("move_many"), form).status_code == 200

    assert not Job.objects.exists()


@pytest.mark.parametrize("name", ["merge", "unmerge", "close"])
def test_who_may_only_look_cannot(name, client, member):
    from django.contrib.auth.models import Group

    auditor = User.objects.create_user("ann", password="secret", is_staff=True)
    auditor.groups.add(Group.objects.get(name="Auditor"))
    client.force_login(auditor)

    answer = client.post(page(name, member.pk), {"reason": "x", "confirm": "1"})

    assert answer.status_code in (302, 403)
    assert Member.objects.get().stage == "ACTIVE"
