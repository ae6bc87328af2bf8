"""The promotion builder: a form that holds all of a definition, and says where it is wrong."""

import re
from datetime import UTC, datetime, timedelta
from html import unescape

import pytest
from django.contrib.auth.models import Permission
from django.db import transaction
from django.urls import reverse
from django.utils import timezone

from loyalty.models import Job, Program, User
from loyalty.services import jobs
from members.models import Tier
from promotions.admin import written
from promotions.admin.comparison import differences
from promotions.admin.promotion_form import PromotionForm
from promotions.models import EventType, Promotion, PromotionVersion
from promotions.services.authoring import read_definition, write_promotion
from promotions.services.backtest import run_backtest
from tests.factories.members import MemberFactory
from tests.factories.partners import PartnerFactory
from tests.factories.promotions import promotion
from tests.factories.segments import SegmentFactory
from tests.factories.vouchers import VoucherTypeFactory

ADD = "admin:promotions_promotion_add"
POINTS = {"kind": "PER_AMOUNT", "type": "PTS", "points": 1, "per": "1.00"}
TEST = {
    "name": "two coffees",
    "basket": {
        "occurred_at": "2026-01-05T12:00:00Z",
        "lines": [{"amount": "5.98", "quantity": "2", "sku": "1095275", "category": "COFFEE"}],
    },
    "member": {"tier": "BASE"},
    "points": [{"type": "PTS", "points": 5}],
}
WHOLE = {
    "name": "Coffee, everything",
    "active_from": "2026-01-01T00:00:00.123456+01:00",
    "active_to": "2031-01-01T00:00:00Z",
    "weekdays": ["MON", "SUN"],
    "hours": {"from": "08:00:00", "to": "20:30:00"},
    "audience": {
        "segments": ["VIP"],
        "not_segments": ["STAFF"],
        "tiers": ["BASE"],
        "stages": ["ACTIVE"],
        "partners": ["GROCER"],
        "outlets": ["S1", "S2"],
        "channels": ["POS"],
    },
    "coupons": ["SPRING", "MAY"],
    "not_tenders": ["GIFT_CARD"],
    "lines": {
        "include": {"category": ["COFFEE"], "brand": ["Own brand"]},
        "exclude": {"sku": ["1"]},
    },
    "minimum": {"amount": "2.00", "quantity": "1"},
    "condition": "basket.amount >= 2.0",
    "award": {**POINTS, "rounding": "HALF_UP", "scope": "BASKET"},
    "combination": {"priority": 7, "group": "G", "stackable": False, "base": True},
    "limits": [
        {"per": "MEMBER", "period": "DAY", "measure": "USES", "at_most": 1, "then": "SKIP"},
        {"per": "TRANSACTION", "measure": "AMOUNT", "at_most": "9.50"},
    ],
    "budget": {"measure": "POINTS", "at_most": 1000, "then": "SKIP"},
    "funded_by": "GROCER",
    "pending": "P14D",
    "expiry": {"after": "P12M", "from": "AVAILABLE", "round_up": "MONTH"},
    "texts": {"en": {"title": "Coffee", "body": "Two lines\nof text", "terms": ""}},
    "visible": False,
    "tests": [
        TEST,
        {**TEST, "name": "a guest", "member": None, "points": []},
        {
            "name": "an amount",
            "basket": {"occurred_at": "2026-01-05T12:00:00Z", "amount": "9.00"},
            "member": {"segments": [], "attributes": {"size": 3}},
            "rewards": [{"kind": "VOUCHER", "code": "FIVE", "quantity": 1}],
        },
    ],
}
OTHERS = [
    {"name": "Bands", "award": {"kind": "BANDED", "type": "PTS",
        "bands": [{"from": "10.00", "points": 5}, {"from": "50.00", "points": 1, "per": "2.00"}]}},
    {"name": "Twice", "award": {"kind": "MULTIPLIER", "type": "PTS", "factor": "2"}},
    {"name": "Voucher", "award": {"kind": "VOUCHER", "voucher_type": "FIVE", "quantity": 2}},
    {"name": "Event", "trigger": "EVENT", "event": "SURVEY",
        "award": {"kind": "FIXED", "type": "PTS", "points": 9}},
]  # fmt: skip


@pytest.fixture
def world(program):
    PartnerFactory(code="GROCER", outlets=["S1", "S2"])
    SegmentFactory(code="VIP")
    SegmentFactory(code="STAFF")
    VoucherTypeFactory(code="FIVE")
    EventType.objects.get_or_create(code="SURVEY", defaults={"name": "Survey"})


def sent(form):
    """Return what a browser sends of a form that nobody touched."""
    data = {}
    for field in form:
        html = unescape(str(field))
        for tag, body in re.findall(r"<(input|select|textarea)\b([^>]*)>", html):
            attributes = dict(re.findall(r'(\S+?)="([^"]*)"', body))
            name = attributes.get("name")
            if name is None or "__place__" in name:
                continue
            kind = attributes.get("type")
            if tag == "input" and (
                kind not in ("checkbox", "radio") or re.search(r"\schecked(=|\s|$)", body)
            ):
                box = "on" if kind in ("checkbox", "radio") else ""
                data.setdefault(name, []).append(attributes.get("value", box))
        for name, text in re.findall(
            r'<textarea[^>]*name="([^"]*)"[^>]*>\r?\n?(.*?)</textarea>', html, re.S
        ):
            data[name] = [text]
        for start, body in re.findall(r"<select([^>]*)>(.*?)</select>", html, re.S):
            name = re.search(r'name="([^"]*)"', start)[1]
            data[name] = re.findall(r'<option value="([^"]*)" selected', body)
            if not data[name] and " multiple" not in start:
                data[name] = re.findall(r'<option value="([^"]*)"', body)[:1]
    return {name: values for name, values in data.items() if "__place__" not in name}


def form_data(**definition):
    """Return what the form of a new promotion with this definition would send."""
    with transaction.atomic():
        made = write_promotion("FORM", definition, status="DRAFT", at=datetime.now(UTC))
        data = sent(PromotionForm(instance=made.promotion))
        transaction.set_rollback(True)
    return data


def inlines():
    return {
        f"{name}-{part}": "0"
        for name in ("versions", "statuses")
        for part in ("TOTAL_FORMS", "INITIAL_FORMS")
    }


def text_of(page):
    return unescape(page.content.decode())


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
