"""What must be there is made once; the staff's groups may do what their work needs, and no more."""

import pytest
from django.contrib.auth.models import Group
from django.core.management import call_command
from django.db import transaction
from django.urls import reverse

from loyalty.models import IdentityProvider, Job, MasterEntity, Program
from loyalty.services import epoch, jobs
from loyalty.services.bootstrap import GROUPS
from members.models import Tier
from partners.models import Partner
from tests.factories.loyalty import UserFactory


def everything():
    return {
        model.__name__: list(model.objects.order_by("pk").values())
        for model in (Program, IdentityProvider, MasterEntity, Tier, Partner, Group)
    }


def test_a_new_programme_has_what_code_needs(program):
    assert Program.objects.values_list("pk", "currency", "epoch").get() == (1, "EUR", 1)
    assert Partner.objects.values_list("code", "is_house").get() == ("HOUSE", True)
    assert list(Tier.objects.order_by("rank").values_list("code", "is_base")) == [
        ("BASE", True),
        ("SILVER", False),
        ("GOLD", False),
    ]
    assert set(IdentityProvider.objects.values_list("code", flat=True)) == {"email", "phone", "app"}
    assert set(Group.objects.values_list("name", flat=True)) == set(GROUPS)


def test_doing_it_again_changes_nothing(program):
    before = everything()

    call_command("bootstrap")

    assert everything() == before


def test_what_the_programme_changed_stays(program):
    Program.objects.update(name="Corner Club", currency="CHF")
    Tier.objects.filter(code="GOLD").delete()
    Group.objects.get(name="Finance").permissions.clear()

    call_command("bootstrap")

    assert Program.objects.values_list("name", "currency").get() == ("Corner Club", "CHF")
    assert not Tier.objects.filter(code="GOLD").exists()
    assert not Group.objects.get(name="Finance").permissions.exists()


@pytest.mark.parametrize("group", GROUPS)
def test_no_group_can_make_itself_more(group, program):
    person = UserFactory(groups=[group])
    dangerous = ["user", "group", "permission", "application", "accesstoken", "session"]

    held = {each.split(".")[1] for each in person.get_all_permissions()}

    assert held
    assert (
        not {f"{verb}_{table}" for verb in ("add", "change", "delete") for table in dangerous}
        & held
    )


@pytest.mark.parametrize(
    ("group", "may", "may_not"),
    [
        ("Programme manager", "promotions.add_promotion", "loyalty.change_user"),
        ("Helpdesk", "members.change_member", "promotions.change_promotion"),
        ("Finance", "ledger.view_transaction", "ledger.change_pointtype"),
        ("Partner manager", "partners.change_outlet", "members.view_member"),
        ("Auditor", "ledger.view_lot", "members.change_card"),
    ],
)
def test_a_group_may_do_its_work(group, may, may_not, program):
    person = UserFactory(groups=[group])

    assert person.has_perm(may)
    assert not person.has_perm(may_not)


def test_an_auditor_only_looks(program):
    person = UserFactory(groups=["Auditor"])

    assert {each.split(".")[1].split("_")[0] for each in person.get_all_permissions()} == {"view"}


@pytest.mark.parametrize(
    ("group", "status"), [("Auditor", "PENDING"), ("Programme manager", "CANCELLED")]
)
def test_who_may_only_read_jobs_does_not_stop_them(group, status, program, client, now):
    job = jobs.start("tests.count", at=now)
    client.force_login(UserFactory(groups=[group]))

    client.post(
        reverse("admin:loyalty_job_changelist"), {"action": "cancel", "_selected_action": [job.pk]}
    )

    assert Job.objects.get().status == status


def test_a_failed_job_runs_again_from_the_back_office(program, client, now):
    job = jobs.start("tests.count", at=now)
    Job.objects.update(status="FAILED", position=4, done=4)
    client.force_login(UserFactory(is_superuser=True))

    client.post(
        reverse("admin:loyalty_job_changelist"),
        {"action": "run_again", "_selected_action": [job.pk]},
    )

    assert Job.objects.values_list("status", "position", "done").get() == ("PENDING", 4, 4)


@pytest.mark.django_db(transaction=True)
def test_the_epoch_moves_with_the_change_it_announces(committed_program):
    with transaction.atomic():
        epoch.bump()
        transaction.set_rollback(True)
    undone = Program.objects.get().epoch
    with transaction.atomic():
        epoch.bump()

    assert (undone, Program.objects.get().epoch) == (1, 2)
    with pytest.raises(AssertionError, match="announces"):
        epoch.bump()
