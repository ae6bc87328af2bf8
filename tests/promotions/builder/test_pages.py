"""The builder's panel and the pages beside it: status, approval, comparison, trial."""

import re
from datetime import UTC, datetime

import pytest
from django.contrib.auth.models import Permission
from django.db import transaction
from django.urls import reverse
from django.utils import timezone

from loyalty.models import Job, Program, User
from loyalty.services import jobs
from members.models import Tier
from promotions.admin.promotion_form import PromotionForm
from promotions.models import Promotion, PromotionVersion
from promotions.services.history.backtest import run_backtest
from promotions.services.writing.authoring import write_promotion
from tests.factories.members import MemberFactory
from tests.factories.promotions import promotion
from tests.promotions.builder.calls import POINTS, TEST, form_data, sent, text_of


def test_the_panel_tries_the_form_as_it_stands_and_writes_nothing(world, office):
    promotion("BASE", combination={"base": True})
    member = MemberFactory()
    data = form_data(name="Bonus", award={"kind": "FIXED", "type": "PTS", "points": 77})
    basket = {"try-member": member.number, "try-partner": "GROCER", "try-lines": "2 x 5.98\n0.99"}

    page = office.post(reverse("admin:promotions_try"), {**data, "code": "NEW", **basket})

    text = re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", text_of(page)))
    assert "NEW (this form) basket PTS 77" in text
    assert "BASE 1 PTS 5" in text
    assert not Promotion.objects.filter(code="NEW").exists()


@pytest.mark.parametrize(
    ("changes", "shown"),
    [
        ({"try-lines": "free"}, "begin with a price"),
        ({"try-member": "99"}, "member"),
        ({"name": ""}, "Name: "),
        ({"audience__tiers": "GOLD"}, "This form does not apply"),
        ({"minimum__amount": "50.00"}, "MINIMUM_AMOUNT"),
    ],
)
def test_the_panel_says_why_nothing_is_earned(changes, shown, world, office):
    Tier.objects.get_or_create(code="GOLD", defaults={"name": "Gold", "rank": 9})
    data = form_data(name="Bonus", award={"kind": "FIXED", "type": "PTS", "points": 77})
    basket = {"try-member": MemberFactory().number, "try-lines": "5.00", "code": "NEW"}

    page = office.post(reverse("admin:promotions_try"), {**data, **basket, **changes})

    assert page.status_code == 200
    assert shown in text_of(page)


def test_the_rule_tests_of_the_form_are_run_without_saving(world, office):
    wrong = {**TEST, "name": "too much", "points": [{"type": "PTS", "points": 9}]}
    data = form_data(name="Coffee", award=POINTS, tests=[TEST, wrong])

    text = text_of(office.post(reverse("admin:promotions_tests"), {**data, "code": "NEW"}))

    assert (text.count("passes"), text.count("fails")) == (1, 1)
    assert not Promotion.objects.exists()


@pytest.mark.parametrize("page", ["promotions_try", "promotions_tests", "promotions_try_history"])
def test_the_panel_is_for_those_who_may_write_promotions(page, client, world):
    client.force_login(User.objects.create_user("viewer", password="x", is_staff=True))

    assert client.post(reverse(f"admin:{page}"), {}).status_code == 404


def test_a_promotion_goes_live_pauses_and_ends_with_its_reasons(world, office):
    with transaction.atomic():
        write_promotion("NEW", {"name": "N", "award": POINTS}, status="DRAFT", at=datetime.now(UTC))
    pk = Promotion.objects.get().pk

    for page, status in (("live", "LIVE"), ("pause", "PAUSED"), ("end", "ENDED")):
        url = reverse(f"admin:promotions_promotion_{page}_page", args=[pk])
        assert office.get(url).status_code == 200
        assert office.post(url, {"reason": f"For {page}."}).status_code == 302
        row = Promotion.objects.get().statuses.order_by("-pk")[0]
        assert (row.status, row.reason) == (status, f"For {page}.")


def test_a_second_person_approves_at_the_back_office_and_the_first_cannot(world, office, client):
    Program.objects.update(four_eyes=True)
    with transaction.atomic():
        write_promotion("NEW", {"name": "N", "award": POINTS}, status="DRAFT", at=datetime.now(UTC))
    pk = Promotion.objects.get().pk
    live, approve, change = (
        reverse(f"admin:promotions_promotion_{page}", args=[pk])
        for page in ("live_page", "approve_page", "change")
    )
    office.post(live, {"reason": "Please."})
    assert "Waits for a second person: boss asked" in text_of(office.get(change))
    assert office.post(approve, {}).status_code in (302, 403)
    assert Promotion.objects.get().status == "DRAFT"

    client.force_login(User.objects.create_superuser("ann", password="x"))
    assert "boss asks for it. Please." in text_of(client.get(approve))
    assert client.post(approve, {"reason": "Good."}).status_code == 302

    assert Promotion.objects.get().status == "LIVE"
    reason = Promotion.objects.get().statuses.order_by("-pk")[0].reason
    assert reason == "Version 1: asked for by boss, approved by ann. Good."


def test_two_versions_are_compared(world, office):
    made = promotion("COFFEE", award=POINTS)
    promotion("COFFEE", award={**POINTS, "points": 3}, at=datetime.now(UTC))

    page = office.get(reverse("admin:promotions_promotion_compare_page", args=[made.promotion.pk]))

    text = re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", text_of(page)))
    assert "/award/points 1 3" in text


def test_who_may_only_look_sees_the_definition_and_no_panel(world, client):
    made = promotion("COFFEE", award=POINTS)
    viewer = User.objects.create_user("viewer", password="x", is_staff=True)
    viewer.user_permissions.add(Permission.objects.get(codename="view_promotion"))
    client.force_login(viewer)

    page = client.get(reverse("admin:promotions_promotion_change", args=[made.promotion.pk]))

    assert page.status_code == 200
    assert "PER_AMOUNT" in text_of(page)
    assert "Try it" not in text_of(page)
    assert client.get(reverse("admin:promotions_promotion_changelist")).status_code == 200
    for action in ("live", "pause", "end", "history"):
        url = reverse(f"admin:promotions_promotion_{action}_page", args=[made.promotion.pk])
        assert client.post(url, {}).status_code == 403


def test_a_trial_is_started_watched_and_downloaded(office, till, purchase, member):
    made = promotion("COFFEE", award=POINTS)
    till.post("/transactions/earn/", purchase())
    today = timezone.localdate().isoformat()
    url = reverse("admin:promotions_promotion_history_page", args=[made.promotion.pk])
    backwards = {"version": "1", "begins": today, "ends": "2020-01-01"}
    assert "It ends before it begins." in text_of(office.post(url, backwards))
    early = {"version": "1", "begins": "0001-01-01", "ends": "9999-12-31"}
    assert "before anything was sold" in text_of(office.post(url, early))

    started = office.post(url, {"version": "1", "begins": today, "ends": today})
    job = Job.objects.get(kind="promotions.tasks.backtest_promotion")
    assert started.status_code == 302
    assert "sales evaluated" in text_of(office.get(started["Location"]))
    with jobs.resume(str(job.pk)) as running:
        run_backtest(running)

    page = text_of(office.get(started["Location"]))
    assert 'data-figure="PTS it gives">4<' in page
    csv = b"".join(office.get(f"{started['Location']}report.csv")).decode()
    assert csv.splitlines()[1].startswith("TOTAL,COFFEE,PTS,1,1,1,4,")
    assert str(job.pk) in text_of(office.get(url))


def test_an_edit_that_is_not_saved_is_tried_on_history(office, till, purchase, member):
    made = promotion("COFFEE", award=POINTS)
    till.post("/transactions/earn/", purchase())
    data = sent(PromotionForm(instance=made.promotion)) | {"award__points": "3"}
    url = f"{reverse('admin:promotions_try_history')}?id={made.promotion.pk}"

    page = text_of(office.post(url, {**data, "try-lines": "1.00", "try-weeks": "4"}))

    job = Job.objects.get(kind="promotions.tasks.backtest_promotion")
    assert str(job.pk) in page
    with jobs.resume(str(job.pk)) as running:
        run_backtest(running)
    total = Job.objects.get(pk=job.pk).result["total"]
    assert (total["given"], total["before"], total["after"]) == (12, 4, 12)
    assert PromotionVersion.objects.count() == 1
    assert "Name: " in text_of(office.post(url, {**data, "name": ""}))
    assert Job.objects.filter(kind=job.kind).count() == 1
