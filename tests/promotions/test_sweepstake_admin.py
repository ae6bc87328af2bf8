"""Sweepstakes in the back office: written as drafts, published, drawn, and shown."""

import pytest
from django.urls import reverse
from django.utils import timezone

from loyalty.models import Job
from promotions import tasks
from promotions.models import Draw, Prize, Sweepstake, Ticket
from tests.factories.loyalty import UserFactory
from tests.factories.members import MemberFactory
from tests.factories.sweepstakes import DAY, drawn, over, sweepstake

LIST = reverse("admin:promotions_sweepstake_changelist")


@pytest.fixture
def manager(client, program):
    client.force_login(UserFactory(groups=["Programme manager"]))
    return client


def page_of(found):
    return reverse("admin:promotions_sweepstake_change", args=[found.pk])


def act(browser, action, *found):
    answer = browser.post(
        LIST, {"action": action, "_selected_action": [each.pk for each in found]}, follow=True
    )
    return " ".join(str(each) for each in answer.context["messages"])


def form(**changes):
    now = timezone.now()
    times = {"opens_at": now, "closes_at": now + DAY, "draws_at": now + 2 * DAY}
    fields = {
        "code": "SPRING",
        "name": "Spring",
        "translations": "{}",
        "free_per_member": "1",
        "one_prize_each": "on",
        "tells_total": "on",
        "visible": "on",
        "prizes-TOTAL_FORMS": "1",
        "prizes-INITIAL_FORMS": "0",
        "prizes-0-place": "1",
        "prizes-0-quantity": "2",
        "prizes-0-name": "A bicycle",
        "prizes-0-translations": "{}",
    }
    for name, at in {**times, **{k: v for k, v in changes.items() if k in times}}.items():
        fields[f"{name}_0"], fields[f"{name}_1"] = at.strftime("%Y-%m-%d"), at.strftime("%H:%M:%S")
    return fields | {k: v for k, v in changes.items() if k not in times}


def test_a_draft_is_written_with_its_prizes_and_published(manager):
    answer = manager.post(f"{LIST}add/", form())

    assert answer.status_code == 302, answer.context["adminform"].form.errors
    found = Sweepstake.objects.get()
    assert (found.published_at, found.prizes.get().quantity) == (None, 2)
    assert act(manager, "publish", found).endswith("SPRING: published.")
    found.refresh_from_db()
    assert len(found.commitment) == 64
    assert act(manager, "publish", found) == "SPRING: The sweepstake was published before."


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"closes_at": timezone.now() - DAY}, "closes_at"),
        ({"draws_at": timezone.now()}, "draws_at"),
        ({"points": "5"}, "points"),
        ({"countries": "at"}, "countries"),
        ({"translations": "[]"}, "translations"),
        ({"translations": '{"de": "Hallo"}'}, "translations"),
        ({"terms_url": "javascript:alert(1)"}, "terms_url"),
    ],
)
def test_what_cannot_be_is_said_at_its_field(manager, changes, field):
    answer = manager.post(f"{LIST}add/", form(**changes))

    assert field in answer.context["adminform"].form.errors
    assert not Sweepstake.objects.exists()


def test_the_rules_of_a_published_one_stay(manager):
    found = sweepstake()

    manager.post(page_of(found), form(name="Easter", at_most="1", **{"prizes-TOTAL_FORMS": "0"}))

    found.refresh_from_db()
    assert (found.name, found.at_most, found.free_per_member) == ("Easter", None, 3)
    assert Prize.objects.get().name == "A bicycle"
    delete = reverse("admin:promotions_sweepstake_delete", args=[found.pk])
    assert manager.post(delete, {"post": "yes"}).status_code == 403


def test_it_is_drawn_by_hand_only_when_its_time_has_come(manager, partner):
    found, who = sweepstake(), MemberFactory()
    assert "as was published" in act(manager, "draw_now", found)
    assert not Job.objects.exists()
    over(found)

    assert "is being drawn" in act(manager, "draw_now", found)

    tasks.run_draw(job_id=str(Job.objects.get().pk))
    assert act(manager, "draw_now", found) == "SPRING: It was drawn before."
    assert act(manager, "issue_prizes", found) == "SPRING: 0 issued."
    assert Draw.objects.count() == 1
    assert who.pk


def test_pages_show_tickets_and_winners(manager, house, member):
    found = sweepstake()
    body = {"member": {"number": member.number}, "reference": "F", "source": "FREE"}
    house.post("/sweepstakes/SPRING/tickets/", {**body, "quantity": 2})
    drawn(found)

    page = manager.get(page_of(found)).content.decode()

    assert "A bicycle" in page
    assert member.number in page
    assert Draw.objects.get().seed in page
    tickets = manager.get(reverse("admin:promotions_ticket_changelist"), {"q": member.number})
    assert tickets.status_code == 200
    row = manager.get(reverse("admin:promotions_ticket_change", args=[Ticket.objects.first().pk]))
    assert row.status_code == 200
    shown = manager.get(reverse("admin:members_member_change", args=[member.pk]))
    assert "SPRING" in shown.content.decode()


def test_withdrawing_is_for_those_who_may_change_it(manager, client, program):
    found = sweepstake()
    client.force_login(UserFactory(groups=["Helpdesk"]))
    client.post(LIST, {"action": "withdraw", "_selected_action": [found.pk]})
    found.refresh_from_db()
    assert found.withdrawn_at is None
    assert client.get(page_of(found)).status_code == 200
    client.force_login(UserFactory(groups=["Programme manager"]))

    assert act(client, "withdraw", found) == "SPRING: withdrawn."
