"""A draft on history: what it would have given, beside what really happened, and nothing moved."""

import json
import random
from datetime import timedelta

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import transaction

from ledger.models import Transaction
from loyalty.errors import NotFound, ValidationFailed
from loyalty.models import Job, OutboxEvent, Program
from loyalty.services import jobs
from members.models import Member, SegmentMember
from promotions.models import BudgetSlot, Evaluation, LimitCounter, Promotion, PromotionVersion
from promotions.services.history.backtest import definition_of, run_backtest, start_backtest
from promotions.services.history.backtest_rows import csv_rows
from tests.factories.members import MemberFactory
from tests.factories.promotions import promotion
from tests.factories.segments import SegmentFactory
from tests.factories.vouchers import VoucherTypeFactory

BONUS = {"name": "Bonus", "award": {"kind": "FIXED", "type": "PTS", "points": 10}}


@pytest.fixture
def buys(till, purchase, now):
    """Return a way to buy something for 5.00, so many hours ago."""

    def buy(member, *, hours, amount="5.00", **changes):
        Member.objects.filter(pk=member.pk).update(joined_at=now - timedelta(days=400))
        body = purchase(
            member={"number": member.number},
            occurred_at=(now - timedelta(hours=hours)).isoformat(),
            lines=[{"line": 1, "sku": "A", "quantity": "1", "amount": amount}],
            discount=None,
            tenders=None,
            **changes,
        )
        answer = till.post("/transactions/earn/", body)
        assert answer.status_code == 201, answer.json()
        return answer.json()

    return buy


def start(definition, now, *, code="NEW", days=20, number=None):
    with transaction.atomic():
        return start_backtest(
            code, definition, begins=now - timedelta(days=days), ends=now, at=now, number=number
        )


def run(job, **options):
    with jobs.resume(str(job.pk)) as running:
        run_backtest(running, **options)
    return Job.objects.get(pk=job.pk).result


def tried(definition, now, **options):
    return run(start(definition, now, **options))


def rows(report, name):
    return {row["name"]: row for row in report[name]}


def test_the_version_that_was_live_comes_out_as_it_did(buys, member, now):
    promotion(
        award={"kind": "PER_AMOUNT", "type": "PTS", "points": 1, "per": "1.00"},
        limits=[{"per": "MEMBER", "period": "LIFE", "measure": "POINTS", "at_most": 12}],
    )
    for hours in (50, 40, 30):
        buys(member, hours=hours)
    definition, number = definition_of("BASE", None)

    report = tried(definition, now, code="BASE", number=number)

    assert (report["total"]["given"], report["replaced"]) == (12, 12)
    assert (report["total"]["before"], report["total"]["after"]) == (12, 12)


def test_a_draft_is_counted_by_sale_member_tier_week_and_promotion(buys, member, now):
    promotion()
    other = MemberFactory()
    member.joined_at = now - timedelta(days=9)
    member.save()
    buys(member, hours=1)
    buys(member, hours=24 * 8)
    buys(other, hours=2, amount="1.00")

    report = tried({**BONUS, "minimum": {"amount": "2.00"}}, now)

    total = report["total"]
    assert (total["sales"], total["touched"], total["members"], total["given"]) == (3, 2, 1, 20)
    assert (total["before"], total["after"]) == (11, 31)
    assert report["members"] == 2
    assert sum(week["given"] for week in report["weeks"]) == 20
    assert [week["given"] for week in report["weeks"] if week["given"]] == [10, 10]
    assert rows(report, "tiers")["BASE"]["members"] == 1
    (beside,) = report["others"]
    assert (beside["promotion"], beside["together"], beside["lost"]) == ("BASE", 2, 0)
    assert (beside["before"], beside["after"]) == (11, 11)


def test_a_trial_writes_nothing_but_its_job(buys, member, now):
    promotion(budget={"measure": "POINTS", "at_most": 1000})
    buys(member, hours=3)
    tables = [
        *(Transaction, Evaluation, LimitCounter, Promotion, PromotionVersion, OutboxEvent),
        *(BudgetSlot, Member),
    ]
    before = [list(table.objects.order_by("pk").values()) for table in tables]

    limits = [{"per": "MEMBER", "period": "DAY", "measure": "USES", "at_most": 1}]
    tried({**BONUS, "limits": limits, "budget": {"measure": "USES", "at_most": 1}}, now)

    assert [list(table.objects.order_by("pk").values()) for table in tables] == before


def test_a_members_limit_counts_in_order_of_posting(buys, member, now):
    other = MemberFactory()
    for hours in (30, 29, 28):
        buys(member, hours=hours)
    buys(other, hours=27)

    limits = [{"per": "MEMBER", "period": "LIFE", "measure": "POINTS", "at_most": 15}]
    report = tried({**BONUS, "limits": limits}, now)

    assert (report["total"]["given"], report["total"]["touched"]) == (25, 3)


@pytest.mark.parametrize(
    ("budget", "given", "used"),
    [
        ({"measure": "POINTS", "at_most": 25, "then": "REDUCE"}, 25, 25),
        ({"measure": "POINTS", "at_most": 25, "then": "SKIP"}, 20, 20),
        ({"measure": "USES", "at_most": 3, "then": "SKIP"}, 30, 3),
        ({"measure": "POINTS", "at_most": 500, "then": "REDUCE"}, 40, 40),
    ],
)
def test_a_budget_runs_out_in_its_hour_and_is_never_passed(budget, given, used, buys, member, now):
    other = MemberFactory()
    buys(other, hours=90)
    buys(member, hours=80)
    buys(other, hours=70)
    buys(member, hours=60)

    report = tried({**BONUS, "budget": budget}, now)

    assert report["total"]["given"] == given
    assert (report["budget"]["used"], report["budget"]["at_most"]) == (used, budget["at_most"])
    assert (report["budget"]["gone_at"] is None) == (budget["at_most"] == 500)


def test_the_earlier_sale_has_the_budget_whoever_made_it(buys, member, now):
    late, early = member, MemberFactory()
    assert late.pk < early.pk
    buys(late, hours=10)
    buys(early, hours=50)
    SegmentFactory(code="EARLY", members=[early])

    report = tried({**BONUS, "budget": {"measure": "USES", "at_most": 1}}, now)

    assert report["total"]["given"] == 10
    assert rows(report, "segments")["EARLY"]["given"] == 10


def test_a_limit_of_the_programme_begins_again_with_each_day(buys, member, now):
    for hours in (49, 25, 1):
        buys(member, hours=hours)
        buys(member, hours=hours)

    limits = [{"per": "PROGRAM", "period": "DAY", "measure": "USES", "at_most": 1}]
    report = tried({**BONUS, "limits": limits}, now)

    assert report["total"]["given"] == 30


@pytest.mark.parametrize(
    "limits",
    [
        [{"per": "MEMBER", "period": "DAY", "measure": "USES", "at_most": 1, "then": "SKIP"}],
        [{"per": "MEMBER", "period": "WEEK", "measure": "POINTS", "at_most": 13}],
        [{"per": "MEMBER", "period": "MONTH", "measure": "AMOUNT", "at_most": "21.50"}],
        [{"per": "MEMBER", "period": "LIFE", "measure": "POINTS", "at_most": 20, "then": "SKIP"}],
        [
            {"per": "MEMBER", "period": "DAY", "measure": "POINTS", "at_most": 9},
            {"per": "MEMBER", "period": "YEAR", "measure": "USES", "at_most": 4},
            {"per": "TRANSACTION", "measure": "POINTS", "at_most": 7},
        ],
    ],
)
def test_whatever_limits_a_live_version_had_it_comes_out_as_it_did(limits, buys, member, now):
    promotion(limits=limits)
    promotion("TWICE", award={"kind": "MULTIPLIER", "type": "PTS", "factor": "2"})
    people, chance = [member, MemberFactory()], random.Random(str(limits))
    for hours in sorted((chance.randrange(1, 24 * 12) for _ in range(14)), reverse=True):
        buys(chance.choice(people), hours=hours, amount=f"{chance.randrange(100, 1500) / 100:.2f}")
    definition, number = definition_of("BASE", None)

    report = tried(definition, now, code="BASE", number=number)

    assert report["total"]["given"] == report["replaced"] > 0
    assert report["total"]["after"] == report["total"]["before"]


def test_money_below_a_step_is_carried_over_where_the_programme_does_so(buys, member, now):
    Program.objects.update(carries_remainders=True, epoch=99)
    buys(member, hours=9, amount="6.00")
    buys(member, hours=8, amount="6.00")

    award = {"kind": "PER_AMOUNT", "type": "PTS", "points": 1, "per": "10.00", "scope": "BASKET"}
    report = tried({"name": "Tens", "award": award}, now)

    assert (report["total"]["given"], report["total"]["touched"]) == (1, 1)


def test_vouchers_are_counted_by_their_number(buys, member, now):
    VoucherTypeFactory(code="FIVE")
    buys(member, hours=9)

    award = {"kind": "VOUCHER", "voucher_type": "FIVE", "quantity": 2}
    report = tried({"name": "Two", "award": award}, now)

    assert (report["gives"], report["total"]["given"]) == ("VOUCHER FIVE", 2)
    assert report["total"]["value"] is None


def test_what_a_draft_pushes_out_is_told(buys, member, now):
    promotion(
        "OLD", award={"kind": "FIXED", "type": "PTS", "points": 4}, combination={"group": "G"}
    )
    buys(member, hours=5)

    report = tried({**BONUS, "combination": {"group": "G", "priority": 5}}, now)

    (old,) = report["others"]
    assert (old["promotion"], old["lost"], old["before"], old["after"]) == ("OLD", 1, 4, 0)
    assert (report["total"]["before"], report["total"]["after"]) == (4, 10)


def test_facts_that_nobody_asked_for_then_are_those_of_today(buys, member, now):
    other = MemberFactory()
    buys(member, hours=5)
    buys(other, hours=4)
    SegmentFactory(code="VIP", members=[other])

    report = tried({**BONUS, "audience": {"segments": ["VIP"]}}, now)

    assert (report["total"]["given"], report["completed"]) == (10, 2)
    assert any(note.startswith("FACTS_OF_TODAY") for note in report["notes"])


def test_facts_that_were_kept_stay_as_they_were(buys, member, now):
    vip = SegmentFactory(code="VIP")
    promotion("OTHER", audience={"segments": ["VIP"]})
    buys(member, hours=5)
    SegmentMember.objects.create(segment=vip, member=member, since=now)

    report = tried({**BONUS, "audience": {"segments": ["VIP"]}}, now)

    assert (report["total"]["given"], report["completed"]) == (0, 0)


def test_a_profile_that_nobody_asked_for_is_that_of_today(buys, member, now):
    Member.objects.filter(pk=member.pk).update(birth_date="1980-02-03", language="de")
    buys(member, hours=5)

    report = tried({**BONUS, "condition": "member.age >= 18 && member.language == 'de'"}, now)

    assert (report["total"]["given"], report["completed"]) == (10, 1)


def test_a_promotion_of_next_year_is_tried_without_its_dates(buys, member, now):
    buys(member, hours=5)
    next_year = (now + timedelta(days=365)).isoformat()

    report = tried({**BONUS, "active_from": next_year}, now)

    assert report["total"]["given"] == 10
    assert report["notes"][0].startswith("DATES_LEFT_OUT")


def test_a_draft_for_an_occasion_sees_only_occasions_of_its_kind(house, buys, member, now):
    promotion("WELCOME", trigger="ENROLMENT", award={"kind": "FIXED", "type": "PTS", "points": 7})
    buys(member, hours=5)
    house.post("/members/", {"profile": {"first_name": "Ann"}, "reference": "E-1"})

    welcome, birthday = (
        run(start({**BONUS, "trigger": trigger}, now + timedelta(minutes=5)))
        for trigger in ("ENROLMENT", "BIRTHDAY")
    )

    assert (welcome["total"]["sales"], welcome["total"]["given"]) == (1, 10)
    assert (birthday["total"]["sales"], birthday["total"]["given"]) == (0, 0)
    assert any(note.startswith("ONLY_POSTED") for note in welcome["notes"])


def test_sales_that_came_back_are_named(buys, till, member, now):
    sold = buys(member, hours=5)
    till.post(
        "/transactions/reverse-earn/",
        {
            "original": {"id": sold["id"]},
            "reference": "BACK",
            "occurred_at": now.isoformat(),
            "reason": "x",
        },
    )

    report = tried(BONUS, now)

    assert (report["total"]["given"], report["returned"]) == (10, 1)


class Killed(BaseException):
    """The process is gone."""


@pytest.mark.parametrize("after", range(1, 8))
def test_a_trial_that_is_killed_goes_on_and_ends_the_same(after, buys, member, now):
    promotion()
    people = [member, MemberFactory(), MemberFactory()]
    for place, each in enumerate(people):
        buys(each, hours=20 - place)
        buys(each, hours=10 + place)
    limits = [{"per": "MEMBER", "period": "LIFE", "measure": "USES", "at_most": 5}]
    draft = {**BONUS, "limits": limits, "budget": {"measure": "POINTS", "at_most": 35}}
    whole = run(start(draft, now), chunk=1)
    job, seen = start(draft, now), []

    def kill(running):
        seen.append(running.done)
        if len(seen) == after:
            raise Killed

    try:
        run(job, chunk=1, on_progress=kill)
    except Killed:
        Job.objects.filter(pk=job.pk).update(status=Job.Status.RUNNING)
    else:
        assert after > 6
    again = run(job, chunk=1) if Job.objects.get(pk=job.pk).status == "RUNNING" else None

    assert again in (whole, None)
    assert whole["total"]["given"] == 35
    assert Job.objects.get(pk=job.pk).done == 12


@pytest.mark.parametrize(("days", "ahead", "pointer"), [(0, 0, "/to"), (-2, 5, "/from")])
def test_a_period_that_is_none_is_refused(days, ahead, pointer, program, now):
    with pytest.raises(ValidationFailed) as refusal, transaction.atomic():
        start_backtest(
            "NEW",
            BONUS,
            begins=now - timedelta(days=days),
            ends=now + timedelta(days=ahead),
            at=now,
        )

    assert refusal.value.errors[0].pointer == pointer
    assert not Job.objects.exists()


def test_a_promotion_without_that_version_cannot_be_tried(program):
    promotion()

    for code, number in (("BASE", 9), ("NOTHING", None)):
        with pytest.raises(NotFound):
            definition_of(code, number)


def test_the_command_shows_the_report_and_writes_it_to_a_file(buys, member, now, tmp_path, capsys):
    promotion("BASE")
    buys(member, hours=5)
    (tmp_path / "draft.json").write_text(json.dumps(BONUS))
    file = tmp_path / "report.csv"
    first = (now - timedelta(days=3)).date().isoformat()
    options = {"file": tmp_path / "draft.json", "csv": file, "stdout": None}

    call_command("backtest_promotion", "NEW", "--from", first, f"--file={options['file']}",
                 f"--csv={file}")  # fmt: skip

    shown = capsys.readouterr().out
    assert "NEW (Bonus), PTS" in shown
    assert "BEHAVIOUR" in shown
    lines = file.read_text().splitlines()
    assert lines[0].startswith("kind,name,gives,sales,touched")
    assert lines[1].startswith("TOTAL,NEW,PTS,1,1,1,10,")
    with pytest.raises(CommandError, match="no promotion NOTHING"):
        call_command("backtest_promotion", "NOTHING", "--from", first)


def test_a_report_in_a_spreadsheet_is_never_a_formula(program, now):
    report = tried({**BONUS, "name": "=1+1"}, now, code="NEW")

    assert b"=1" not in b"".join(csv_rows(report))
