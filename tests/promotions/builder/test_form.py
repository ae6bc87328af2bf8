"""The promotion builder: a form that holds all of a definition, and says where it is wrong."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from django.db import transaction
from django.urls import reverse

from promotions.admin import written
from promotions.admin.comparison import differences
from promotions.admin.promotion_form import PromotionForm
from promotions.models import Promotion, PromotionVersion
from promotions.services.writing.authoring import read_definition, write_promotion
from tests.factories.promotions import promotion
from tests.promotions.builder.calls import (
    ADD,
    OTHERS,
    POINTS,
    TEST,
    WHOLE,
    form_data,
    inlines,
    sent,
    text_of,
)


@pytest.mark.parametrize("definition", [WHOLE, *OTHERS], ids=lambda each: each["name"])
def test_a_form_that_nobody_touched_says_the_same_and_makes_no_version(definition, world, office):
    with transaction.atomic():
        made = write_promotion("COFFEE", definition, status="DRAFT", at=datetime.now(UTC))
    url = reverse("admin:promotions_promotion_change", args=[made.promotion.pk])
    data = sent(PromotionForm(instance=made.promotion))

    answer = office.post(url, {**data, **inlines()})

    assert answer.status_code == 302, re.findall("text-red.*?</", text_of(answer))
    assert PromotionVersion.objects.count() == 1


@pytest.mark.parametrize("definition", [WHOLE, *OTHERS], ids=lambda each: each["name"])
def test_a_new_promotion_is_built_from_the_form_alone(definition, world, office):
    data = form_data(**definition)

    answer = office.post(reverse(ADD), {**data, "code": "NEW", **inlines()})

    assert answer.status_code == 302, re.findall("text-red.*?</", text_of(answer))
    version = PromotionVersion.objects.get(promotion__code="NEW")
    assert version.promotion.status == "DRAFT"
    made, wanted = (read_definition(each) for each in (version.definition, definition))
    if wanted.active_from:
        assert abs(made.active_from - wanted.active_from) < timedelta(seconds=1)
        definition = {**definition, "active_from": version.definition["active_from"]}
    assert made == read_definition(definition)


def test_an_edit_makes_the_next_version_from_now_on(world, office):
    made = promotion("COFFEE", award=POINTS)
    url = reverse("admin:promotions_promotion_change", args=[made.promotion.pk])
    data = sent(PromotionForm(instance=made.promotion)) | {"award__points": "3"}

    assert office.post(url, {**data, **inlines()}).status_code == 302

    version = PromotionVersion.objects.get(number=2)
    assert version.definition["award"]["points"] == 3
    assert (version.created_by, version.promotion.status) == ("boss", "LIVE")
    assert version.effective_from > datetime.now(UTC) - timedelta(minutes=1)


@pytest.mark.parametrize(
    ("changes", "shown"),
    [
        ({"condition": "basket.amount >="}, "At character 17, basket.amount >=▸: "),
        ({"award__points": ""}, "PER_AMOUNT needs points."),
        ({"award__per": "none"}, "matching regex"),
        ({"active_to_0": "2020-01-01", "active_to_1": "00:00:00"}, "ends before it begins"),
        ({"limits-rows": "1", "limits-0-per": "MEMBER", "limits-0-period": "",
          "limits-0-measure": "USES", "limits-0-at_most": "1", "limits-0-then": "SKIP"},
         "Row 1: A limit per member needs a period."),
        ({"tests-rows": "1", "tests-0-name": "x", "tests-0-at": "2026-01-05T12:00:00Z",
          "tests-0-lines": "many", "tests-0-who": "MEMBER"}, "Line 1: begin with a price"),
        ({"tests-rows": "1", "tests-0-name": "x", "tests-0-at": "2026-01-05T12:00:00Z",
          "tests-0-lines": "1.00", "tests-0-expects": "lots", "tests-0-who": "MEMBER"},
         "lots is not like 12 PTS"),
        ({"use_expert": "on", "expert": "{"}, "This is not JSON"),
        ({"use_expert": "on", "expert": '{"name": "x", "award": {"kind": "FIXED", "type": "PTS"}}'},
         "/award/points: FIXED needs points."),
    ],
)  # fmt: skip
def test_what_is_wrong_is_shown_at_its_field_and_nothing_written(changes, shown, world, office):
    data = form_data(
        name="Coffee",
        award=POINTS,
        condition="basket.amount >= 2.0",
        active_from="2026-01-01T00:00:00Z",
    )

    answer = office.post(reverse(ADD), {**data, "code": "NEW", **inlines(), **changes})

    assert answer.status_code == 200
    assert shown in text_of(answer)
    assert not Promotion.objects.exists()


def test_a_row_that_is_marked_goes_and_a_row_left_empty_is_none(world, office):
    made = promotion("COFFEE", award=POINTS, limits=WHOLE["limits"])
    url = reverse("admin:promotions_promotion_change", args=[made.promotion.pk])
    data = sent(PromotionForm(instance=made.promotion))
    data |= {"limits-0-gone": "on", "limits-rows": "3", "limits-2-per": "MEMBER"}
    data |= {"limits-2-period": "DAY", "limits-2-measure": "USES", "limits-2-then": "REDUCE"}

    assert office.post(url, {**data, **inlines()}).status_code == 302

    (limit,) = PromotionVersion.objects.get(number=2).definition["limits"]
    assert limit["per"] == "TRANSACTION"


@pytest.mark.parametrize("count", ["9" * 5000, "-1", "many", "٣"])
def test_a_count_of_rows_that_is_none_breaks_nothing(count, world, office):
    data = form_data(name="Coffee", award=POINTS) | {"limits-rows": count, "code": "NEW"}

    assert office.post(reverse(ADD), {**data, **inlines()}).status_code == 302

    assert PromotionVersion.objects.get().definition["limits"] == []


def test_a_live_promotion_does_not_take_an_edit_whose_test_fails(world, office):
    made = promotion("COFFEE", award=POINTS, tests=[TEST])
    url = reverse("admin:promotions_promotion_change", args=[made.promotion.pk])
    data = sent(PromotionForm(instance=made.promotion)) | {"award__points": "3"}

    answer = office.post(url, {**data, **inlines()})

    assert "two coffees: 15 PTS in place of 5 PTS." in text_of(answer)
    assert PromotionVersion.objects.count() == 1


def test_differences_are_told_by_pointer():
    old = {"a": {"b": [1, 2]}, "c": None, "d": [{"e": 1}]}
    new = {"a": {"b": [1]}, "c": "x", "d": [{"e": 1}]}

    assert differences(old, new) == [("/a/b", "1, 2", "1"), ("/c", None, "x")]


def test_warnings_stand_above_the_form(world, office):
    made = promotion("COFFEE", award=POINTS)

    page = office.get(reverse("admin:promotions_promotion_change", args=[made.promotion.pk]))

    assert "NO_TESTS" in text_of(page)


@pytest.mark.parametrize(
    "lines",
    [
        [{"amount": "5.98", "quantity": "2", "sku": "1"}],
        [{"amount": "1", "category": "A", "brand": "B", "discount": "0.10", "tax": "0"}],
        [{"amount": "1.00"}, {"amount": "2.00"}],
    ],
)
def test_lines_are_written_and_read_back(lines):
    assert written.read_lines(written.write_lines(lines)) == lines


@pytest.mark.parametrize(
    "lines", [[{"amount": "1", "brand": "Own brand"}], [{"amount": "1", "line": 7}], [{}]]
)
def test_lines_that_words_cannot_say_stay_json(lines):
    assert written.write_lines(lines) is None
