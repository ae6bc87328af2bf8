"""The back office through its own forms: every page opens; changes go through the services."""

import pytest
from django.contrib import admin
from django.urls import reverse

from ledger.models import PointType
from loyalty.models import Program
from promotions.models import Promotion
from tests.factories.ledger import give
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


def test_the_landing_page_shows_the_programmes_figures(office, member):
    give(member, 1234)

    page = office.get(reverse("admin:index")).content.decode()

    assert 'data-figure="Points outstanding">1,234<' in page


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
