"""Liability and journal: what finance reads is the ledger, to the point."""

import csv
from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction

from ledger.models import JournalAccount, PointType, PointValue
from ledger.queries.configuration import configuration
from ledger.queries.journal import Journal, journal_rows
from ledger.queries.liability import grouped, liability, money
from ledger.services.bootstrap import install
from loyalty.services import epoch
from members.models import Activity, Tier
from tests.factories.ledger import give
from tests.factories.members import MemberFactory
from tests.ledger.settlement_story import Story

START, END = datetime(2026, 9, 30, 22, tzinfo=UTC), datetime(2026, 10, 31, 23, tzinfo=UTC)


@pytest.fixture
def story(program):
    return Story().play()


def reported(at, *by):
    settings = configuration()
    return list(grouped(liability(at, settings.zone).held, by, settings, at))


def printed(name, *arguments):
    out = StringIO()
    call_command(name, *arguments, stdout=out)
    return list(csv.DictReader(StringIO(out.getvalue())))


def test_what_is_outstanding_in_points_and_money(story):
    assert reported(END) == [("PTS", 0, 783, 0, 0, 783, Decimal("7.83"), "EUR")]
    assert liability(END, configuration().zone).untied == []


def test_by_cohort_and_month_of_expiry(story):
    give(story.ann, 40, at=datetime(2026, 11, 2, tzinfo=UTC), lives=None)

    rows = reported(datetime(2026, 11, 3, tzinfo=UTC), "cohort", "expiry")

    assert [(row[1], row[2], row[7]) for row in rows] == [
        ("2026-10", "2027-10", 713),
        ("2026-10", "2027-11", 70),
        ("2026-11", "", 40),
    ]


def test_pending_and_locked_are_shown_apart_and_debt_lowers_it(program, house, now):
    ann, bob = MemberFactory(), MemberFactory()
    give(ann, 100, at=now - timedelta(days=2))
    give(ann, 50, at=now - timedelta(days=1), pending=timedelta(days=9))
    give(bob, 30, at=now - timedelta(days=1))
    lock = {
        "member": {"number": ann.number},
        "type": "PTS",
        "points": 60,
        "reference": "L",
        "class": "FRAUD",
        "reason": "Looked at",
    }
    assert house.post("/transactions/lock/", lock).status_code == 201

    [row] = reported(now + timedelta(minutes=1))

    assert row[1:6] == (50, 70, 60, 0, 180)


def test_as_of_the_past_it_is_what_it_was_then(story):
    before = reported(datetime(2026, 10, 4, tzinfo=UTC), "cohort")

    assert before == [("PTS", "2026-10", 0, 1050, 0, 0, 1050, Decimal("10.50"), "EUR")]


def test_a_member_is_in_the_tier_of_then(story):
    gold = Tier.objects.get(code="GOLD")
    Activity.objects.create(
        member=story.ann,
        kind="TIER_CHANGED",
        at=datetime(2026, 11, 2, tzinfo=UTC),
        actor_kind="SYSTEM",
        actor="test",
        data={"from": "BASE", "to": "GOLD"},
    )
    story.ann.tier = gold
    story.ann.save()

    then = reported(END, "tier")
    since = reported(datetime(2026, 11, 3, tzinfo=UTC), "tier")

    assert [(row[1], row[6]) for row in then] == [("BASE", 783)]
    assert [(row[1], row[6]) for row in since] == [("BASE", 70), ("GOLD", 713)]


def test_breakage_and_redemption_by_cohort(story):
    [cohort] = liability(END, configuration().zone).cohorts

    assert (cohort.month, cohort.issued, cohort.reversed) == (date(2026, 10, 1), 1653, 220)
    assert (cohort.redeemed, cohort.expired, cohort.outstanding) == (600, 50, 783)
    assert (cohort.matured, cohort.breakage) == (50, Decimal(1))
    assert cohort.redemption_rate == Decimal(600) / Decimal(1433)


def test_points_that_paid_a_debt_are_told_apart(program, now):
    from promotions.services.reversals import reverse_earn

    story = Story()
    first = story.earn(2, story.ann, story.grocer, 100)
    story.redeem(3, story.ann, story.cafe, 80)
    reverse_earn(story.back(4, first, story.grocer), at=story.day(4))
    story.earn(5, story.ann, story.grocer, 30)

    found = liability(END, configuration().zone)

    assert found.untied == []
    [cohort] = found.cohorts
    assert cohort.issued - cohort.reversed - cohort.redeemed - cohort.expired == -50
    assert (cohort.paid_debt, cohort.outstanding) == (-50, 0)
    assert [each.outstanding for each in found.held] == [-50]


def test_the_command_says_that_it_is_tied(story, capsys):
    rows = printed("liability", "--as-of", "2026-11-01", "--by", "cohort", "--csv")

    assert rows[0]["outstanding"] == "783"
    assert "to the point" in capsys.readouterr().err


@pytest.mark.broken_books
def test_the_command_exits_with_one_where_it_is_not_tied(story):
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute("UPDATE ledger_account SET available = available + 1")

    with pytest.raises(SystemExit, match="1"):
        call_command("liability", stdout=StringIO())


@pytest.mark.parametrize(
    "arguments", [["--by", "color"], ["--as-of", "2026-10-01T12:00:00"], ["--as-of", "tomorrow"]]
)
def test_the_command_refuses_what_it_does_not_know(program, arguments):
    with pytest.raises(CommandError):
        call_command("liability", *arguments)


def booked(journal):
    """Return each account's balance, in points and in money, as the lines make it."""
    points, amounts = defaultdict(int), defaultdict(Decimal)
    for _, debit, credit, _, _, moved, amount, _, _ in journal_rows(journal):
        points[debit] += moved
        points[credit] -= moved
        amounts[debit] += amount
        amounts[credit] -= amount
    return dict(points), dict(amounts)


def test_opening_and_movements_are_closing(story):
    journal = Journal(START, END, configuration())

    points, amounts = booked(journal)

    [balance] = journal.balances.values()
    assert journal.tied
    assert (balance.opening, balance.moved, balance.closing) == (0, 783, 783)
    assert (balance.closing_amount, sum(amounts.values()), sum(points.values())) == (
        Decimal("7.83"),
        0,
        0,
    )
    assert points == {
        "2400": -783,  # Owed.
        "6400": 1653 - 200,
        "2410": -200,
        "2420": -400,
        "4400": -50,
        "6410": -20,
    }


def test_lines_are_of_a_day_and_name_the_partner(story):
    rows = printed("journal", "--month", "2026-10")

    assert rows[0] == {
        "date": "2026-10-02",
        "debit": "6400",
        "credit": "2400",
        "movement": "EARNED",
        "type": "PTS",
        "points": "1000",
        "amount": "10.00",
        "currency": "EUR",
        "partner": "GROCER",
    }
    assert [row["partner"] for row in rows if row["movement"] == "EXCHANGED"] == ["AIR"]


def test_accounts_are_the_programmes_own(story):
    JournalAccount.objects.filter(movement="EXPIRED").update(account="8123")
    install()  # What is there stays.

    rows = printed("journal", "--month", "2026-10")

    [expired] = [row for row in rows if row["movement"] == "EXPIRED"]
    assert (expired["debit"], expired["credit"]) == ("2400", "8123")


def value_from(instant, value):
    points = PointType.objects.get(code="PTS")
    PointValue.objects.filter(point_type=points, valid_to=None).update(valid_to=instant)
    PointValue.objects.create(point_type=points, currency="EUR", value=value, valid_from=instant)
    epoch.bump()


def test_a_new_value_revalues_what_is_outstanding(story):
    value_from(datetime(2026, 10, 17, tzinfo=UTC), "0.02")

    journal = Journal(START, END, configuration())
    rows = list(journal_rows(journal))

    assert journal.tied
    # 1,233 were outstanding then: a cent more each.
    [revalued] = [row for row in rows if row[3] == "REVALUED"]
    assert revalued[:3] == (date(2026, 10, 17), "6420", "2400")
    assert (revalued[5], revalued[6]) == (0, Decimal("12.33"))
    assert sum(journal.balances[key].closing_amount for key in journal.balances) == Decimal("15.66")


def test_rounding_differences_are_a_line_of_their_own(story):
    PointValue.objects.update(value="0.0045")
    epoch.bump()

    journal = Journal(START, END, configuration())
    rows = list(journal_rows(journal))

    assert journal.tied
    [rounding] = [row for row in rows if row[3] == "ROUNDING"]
    assert (rounding[1:3], rounding[5:7]) == (("2400", "6430"), (0, Decimal("0.01")))
    closing = sum(balance.closing_amount for balance in journal.balances.values())
    assert closing == money(783, Decimal("0.0045"), "EUR")


def test_months_follow_each_other(story):
    give(story.ann, 40, at=datetime(2026, 11, 2, tzinfo=UTC))
    middle = datetime(2026, 10, 16, tzinfo=UTC)
    settings = configuration()
    whole, first, second = (
        Journal(*period, settings) for period in ((START, END), (START, middle), (middle, END))
    )
    for journal in (whole, first, second):
        list(journal.lines())

    [a], [b], [c] = (list(j.balances.values()) for j in (whole, first, second))
    assert (a.opening, a.closing) == (b.opening, c.closing)
    assert (b.closing, b.closing_amount) == (c.opening, c.opening_amount)


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--from", "2026-10-01"],
        ["--month", "2026"],
        ["--from", "2026-10-02", "--to", "2026-10-01"],
        ["--month", "2099-01"],
    ],
)
def test_the_journal_is_of_a_period_that_is_over(program, arguments):
    with pytest.raises(CommandError):
        call_command("journal", *arguments)


def test_the_journal_goes_into_a_file(story, tmp_path):
    call_command("journal", "--month", "2026-10", "--out", str(tmp_path / "october.csv"))

    assert (tmp_path / "october.csv").read_text().startswith("date,debit,credit,movement")


@pytest.mark.django_db(transaction=True)
def test_a_long_journal_is_read_in_pieces(committed_program, monkeypatch):
    monkeypatch.setattr("ledger.queries.journal.ROWS_AT_ONCE", 2)
    Story().play()

    journal = Journal(START, END, configuration())

    assert len(list(journal.lines())) == 11
    assert journal.tied
    assert not transaction.get_connection().in_atomic_block
