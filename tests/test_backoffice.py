"""The back office through its own forms: every page opens; changes go through the services."""

from datetime import UTC, datetime
from uuid import uuid4

import pytest
from django.contrib import admin
from django.core.cache import cache
from django.urls import reverse
from django.utils import timezone
from redis.exceptions import ConnectionError as RedisConnectionError

from config import dashboard
from ledger.models import PointType
from loyalty.models import Job, Program
from members.models import Member
from promotions.models import Promotion
from tests.factories.ledger import give
from tests.factories.loyalty import UserFactory
from tests.factories.promotions import promotion

PAGES = [
    f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist"
    for model in admin.site._registry
]


@pytest.mark.parametrize("page", PAGES)
def test_a_page_and_its_first_row_open(page, office, member):
    promotion()
    give(member, 100)

    listed = office.get(reverse(page))

    assert listed.status_code == 200
    model = next(
        m for m in admin.site._registry if page.endswith(f"{m._meta.model_name}_changelist")
    )
    if row := model.objects.first():
        detail = reverse(page.replace("_changelist", "_change"), args=[row.pk])
        assert office.get(detail).status_code == 200


@pytest.fixture
def landing(office):
    """Return what gets the landing page, read anew."""

    def get():
        cache.delete(dashboard.KEY)
        return office.get(reverse("admin:index")).content.decode()

    return get


def test_the_landing_page_shows_the_programmes_figures(landing, till, purchase, member):
    promotion()
    till.post("/transactions/earn/", purchase())
    give(member, 1230)

    page = landing()

    assert 'data-figure="Points outstanding">1,234<' in page
    assert 'data-figure="Earned in 30 days">1<' in page
    assert "PTS in the last 30 days: 1,234 earned, 0 redeemed, 0 expired, 0 taken back" in page
    assert "What promotions gave in these days" in page


def test_the_landing_page_tells_what_waits(landing, program):
    assert "Waits for somebody" not in landing()
    Job.objects.create(id=uuid4(), kind="x.y", status=Job.Status.FAILED, created_at=timezone.now())

    page = landing()

    assert "Failed jobs of the last week: 1" in page
    assert reverse("admin:loyalty_job_changelist") in page


def test_figures_are_kept_for_a_while_and_read_anew_where_there_is_no_cache(
    landing, office, member, monkeypatch
):
    give(member, 100)
    landing()
    give(member, 100)
    index = reverse("admin:index")
    assert 'data-figure="Points outstanding">100<' in office.get(index).content.decode()

    def away(*arguments):
        raise RedisConnectionError

    monkeypatch.setattr(dashboard.cache, "get", away)

    assert 'data-figure="Points outstanding">200<' in office.get(index).content.decode()


def test_pausing_a_promotion_moves_the_epoch(office):
    promotion()
    before = Program.objects.get().epoch

    office.post(
        reverse("admin:promotions_promotion_changelist"),
        {"action": "pause", "_selected_action": [Promotion.objects.get().pk]},
    )

    assert Promotion.objects.get().status == "PAUSED"
    assert Program.objects.get().epoch == before + 1


def test_the_ledger_can_be_read_and_not_edited(office, member):
    earned = give(member, 100)
    url = reverse("admin:ledger_transaction_change", args=[earned.id])

    assert office.post(url, {"reference": "changed"}).status_code == 403
    assert office.get(reverse("admin:ledger_transaction_add")).status_code == 403


def test_a_point_type_keeps_its_code_and_needs_a_policy(office, program):
    kept = PointType.objects.get()
    url = reverse("admin:ledger_pointtype_change", args=[kept.pk])
    form = {
        "name": "Points",
        "redeemable": "on",
        "expiry": "soon",
        "minimum": 1,
        "step": 1,
        "debt_policy": "DEBT",
        "values-TOTAL_FORMS": 0,
        "values-INITIAL_FORMS": 0,
        "code": "OTHER",
    }

    refused = office.post(url, form)
    accepted = office.post(url, {**form, "expiry": "P6M/EARNED/MONTH"})

    assert (refused.status_code, accepted.status_code) == (200, 302)
    kept.refresh_from_db()
    assert (kept.code, kept.expiry) == ("PTS", "P6M/EARNED/MONTH")


def test_the_back_office_reads_and_writes_the_programmes_own_time(office, member):
    Program.objects.update(time_zone="America/New_York")
    Member.objects.update(joined_at=datetime(2026, 1, 1, 3, 30, tzinfo=UTC))

    page = office.get(reverse("admin:members_member_change", args=[member.pk])).content.decode()

    assert "2025-12-31 22:30" in page


def test_who_signs_in_without_an_aim_lands_at_home(client, program):
    person = UserFactory(username="ann")
    person.set_password("correct horse")
    person.save()

    answer = client.post(reverse("admin:login"), {"username": "ann", "password": "correct horse"})

    assert (answer.status_code, answer["Location"]) == (302, reverse("admin:index"))
