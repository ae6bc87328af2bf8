"""A month is settled with partners once, and what is settled is the ledger."""

import random
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, transaction
from django.db.models import Sum

from ledger.errors import InsufficientPoints, MonthNotOver
from ledger.models import Account, Entry, Statement, StatementLine, Transaction
from ledger.queries.configuration import configuration
from ledger.queries.liability import liability
from ledger.services import partner_settlement
from ledger.services.exchange_settlement import settle_exchange
from ledger.services.partner_settlement import settle_month
from ledger.services.settlement import settle_chunk
from ledger.tasks import settle_partners, start_settlement, start_settling
from loyalty.caller import Actor
from loyalty.models import Job, Program
from promotions.services.membership.merging import MergeRequest, merge
from promotions.services.reversals import reverse_earn
from tests.factories.ledger import give
from tests.factories.members import MemberFactory
from tests.ledger.settlement_story import NOW, OCTOBER, Story, documented, lines


@pytest.fixture
def story(program):
    return Story().play()


def test_the_month_of_the_documentation(story):
    settled = settle_month(OCTOBER, at=NOW)

    assert settled.statements == settled.new == 4
    assert lines() == documented()
    amounts = dict(Statement.objects.values_list("partner__code", "amount"))
    assert amounts == {
        "GROCER": Decimal("17.60"),
        "CAFE": Decimal("-2.20"),
        "AIR": Decimal("-3.20"),
        "HOUSE": Decimal(0),
    }
    held = Account.objects.aggregate(Sum("available"))["available__sum"]
    assert held == sum(row[2] for row in lines()) == 783


def test_a_month_is_settled_once(story):
    first = settle_month(OCTOBER, at=NOW)
    before = lines()

    again = settle_month(OCTOBER, at=NOW + timedelta(days=1))

    assert (first.new, again.new, again.statements) == (4, 0, 4)
    assert lines() == before


def test_a_month_that_is_not_over_is_not_settled(story):
    with pytest.raises(MonthNotOver):
        settle_month(OCTOBER, at=datetime(2026, 10, 31, 12, tzinfo=UTC))

    assert Statement.objects.count() == 0
    assert Program.objects.get().books_closed_until is None


def test_what_is_posted_after_the_close_belongs_to_the_next_month(story):
    settle_month(OCTOBER, at=NOW)

    late = give(story.ann, 40, at=datetime(2026, 10, 30, tzinfo=UTC), partner=story.cafe)

    assert late.posted_at == Program.objects.get().books_closed_until
    assert lines() == documented()
    settle_month(date(2026, 11, 1), at=datetime(2026, 12, 1, 2, tzinfo=UTC))
    assert lines(date(2026, 11, 1)) == [("CAFE", "EARNED", 40, Decimal("0.011"), Decimal("0.44"))]


def test_the_sweep_posts_nothing_into_a_closed_month(story):
    give(story.bob, 30, at=story.day(28), lives=timedelta(days=2), partner=story.cafe)
    settle_month(OCTOBER, at=NOW)

    # A job goes on at the instant at which it began, however long ago that was.
    settle_chunk(after=0, at=datetime(2026, 10, 31, tzinfo=UTC))

    expired = Transaction.objects.filter(kind="EXPIRY").latest("posted_at")
    assert expired.posted_at == Program.objects.get().books_closed_until


def test_a_reversal_moves_back_the_money_that_was_moved(story):
    settle_month(OCTOBER, at=NOW)
    sale = Transaction.objects.get(member_id=story.bob.pk, partner=story.grocer, kind="EARN")
    early = story.earn(8, MemberFactory(), story.grocer, 100)
    rate_now = Decimal("0.015")

    reverse_earn(story.back(22, early, story.grocer), at=NOW)
    settle_month(date(2026, 11, 1), at=datetime(2026, 12, 2, tzinfo=UTC))

    assert sale.posted_at < early.posted_at
    # Both were posted in November, into which the close moved the sale: at the rate of then.
    assert lines(date(2026, 11, 1)) == [
        ("GROCER", "EARNED", 100, rate_now, Decimal("1.50")),
        ("GROCER", "REVERSED", -100, rate_now, Decimal("-1.50")),
    ]


def test_an_earn_of_before_is_reversed_at_the_rate_of_then(story):
    early = story.earn(8, MemberFactory(), story.grocer, 100)
    settle_month(OCTOBER, at=NOW)

    reverse_earn(story.back(22, early, story.grocer), at=NOW)
    settle_month(date(2026, 11, 1), at=datetime(2026, 12, 2, tzinfo=UTC))

    assert lines(date(2026, 11, 1)) == [
        ("GROCER", "REVERSED", -100, Decimal("0.012"), Decimal("-1.20"))
    ]


def test_killed_between_closing_and_counting_it_goes_on(story, monkeypatch):
    def killed(*arguments, **more):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(partner_settlement, "write_statements", killed)
        with pytest.raises(KeyboardInterrupt):
            settle_month(OCTOBER, at=NOW)
    assert Statement.objects.count() == 0

    settle_month(OCTOBER, at=NOW)

    assert lines() == documented()


def test_a_statement_cannot_be_changed(story):
    settle_month(OCTOBER, at=NOW)

    for model in (Statement, StatementLine):
        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
            model.objects.update(amount=0)


def test_the_sum_of_all_partners_is_the_ledger_over_a_random_history(program):
    story, chance, start = Story(), random.Random(7), datetime(2026, 10, 2, tzinfo=UTC)
    members = [story.ann, story.bob, MemberFactory()]
    shops = [story.grocer, story.cafe, story.house]
    given = []
    for number in range(120):
        at = start + timedelta(hours=9 * number)
        story.day = lambda _, at=at: at  # The story's clock is the history's.
        member, shop = chance.choice(members), chance.choice(shops)
        what = chance.random()
        if what < 0.5 or not given:
            lives = timedelta(days=chance.randint(3, 40))
            pending = timedelta(days=chance.choice([0, 0, 2]))
            drafted = give(
                member, chance.randint(1, 500), at=at, lives=lives, pending=pending, partner=shop
            )
            given.append((drafted, shop))
        elif what < 0.75:
            held = Account.objects.filter(member=member).values_list("available", flat=True)
            points = max(1, (list(held) or [1])[0] // 3)
            with suppress(InsufficientPoints):
                story.redeem(0, member, shop, points, reference=f"P{number}")
        elif what < 0.9:
            drafted, owner = given.pop(chance.randrange(len(given)))
            reverse_earn(story.back(number, drafted, owner), at=at)
        else:
            story.adjust(number, member, "CREDIT", 10)

    for month in (OCTOBER, date(2026, 11, 1)):
        settle_month(month, at=datetime(2026, 12, 1, 3, tzinfo=UTC))

    settled = StatementLine.objects.aggregate(Sum("points"))["points__sum"]
    accounts = Account.objects.aggregate(
        held=Sum("available") + Sum("pending") + Sum("locked") - Sum("debt")
    )
    assert settled == accounts["held"]
    issued = Entry.objects.filter(source=1).aggregate(Sum("points"))["points__sum"]
    earned = StatementLine.objects.filter(movement="EARNED").aggregate(Sum("points"))
    assert earned["points__sum"] == issued
    redeemed = Entry.objects.filter(target=5).aggregate(Sum("points"))["points__sum"]
    paid = StatementLine.objects.filter(movement="REDEEMED").aggregate(Sum("points"))
    assert -paid["points__sum"] == redeemed


def test_the_job_settles_last_month_once(story, monkeypatch):
    monkeypatch.setattr("ledger.tasks.timezone.now", lambda: NOW)
    start_settlement()
    start_settlement()
    job = Job.objects.get()

    settle_partners(job_id=str(job.pk))

    job.refresh_from_db()
    assert (job.status, job.result) == ("DONE", {"statements": 4, "new": 4})


def test_a_month_without_postings_is_left_alone(program, monkeypatch):
    monkeypatch.setattr("ledger.tasks.timezone.now", lambda: NOW)

    start_settlement()

    assert not Job.objects.exists()
    assert Program.objects.get().books_closed_until is None


def test_the_command_prints_the_statements(story):
    out = StringIO()
    call_command("settle_partners", "--month", "2026-10", "--csv", stdout=out)

    rows = out.getvalue().splitlines()
    assert rows[0] == "partner,month,movement,type,transactions,points,rate,amount,currency"
    assert "AIR,2026-10,EXCHANGED,PTS,1,-400,0.008,-3.20,EUR" in rows
    assert "GROCER,2026-10,TOTAL,,,,,17.60,EUR" in rows


@pytest.mark.parametrize("month", ["2026-13", "October", "2099-01"])
def test_the_command_refuses_what_is_no_month_that_is_over(program, month):
    with pytest.raises(CommandError):
        call_command("settle_partners", "--month", month)


def exchanges_of(story):
    return Transaction.objects.get(partner=story.grocer, purpose="EXCHANGE")


def test_an_exchange_that_fails_gives_the_money_back(story):
    settle_month(OCTOBER, at=NOW)

    settle_exchange(exchanges_of(story).pk, "FAILED", partner_id=None, reason="No seat", at=NOW)
    settle_month(date(2026, 11, 1), at=datetime(2026, 12, 2, tzinfo=UTC))

    assert lines(date(2026, 11, 1)) == [
        ("AIR", "EXCHANGE_REVERSED", 400, Decimal("0.008"), Decimal("3.20"))
    ]


def test_points_stay_their_issuers_through_a_merge(story):
    settle_month(OCTOBER, at=NOW)
    later = NOW + timedelta(days=1)
    give(story.bob, 10, at=NOW, lives=timedelta(days=3), partner=story.cafe)
    merge(
        MergeRequest(
            giver={"id": story.bob.pk},
            taker={"id": story.ann.pk},
            reason="One person",
            by=Actor.system("test"),
        ),
        at=later,
    )
    settle_chunk(after=0, at=NOW + timedelta(days=9))
    settle_month(date(2026, 11, 1), at=datetime(2026, 12, 2, tzinfo=UTC))

    moved = {row[:3] for row in lines(date(2026, 11, 1))}
    assert moved == {
        ("CAFE", "EARNED", 10),
        ("CAFE", "EXPIRED", -10),
        ("CAFE", "TRANSFERRED", 0),
        ("HOUSE", "TRANSFERRED", 0),
    }
    found = liability(datetime(2026, 12, 2, tzinfo=UTC), configuration().zone)
    assert found.untied == []
    assert {each.cohort for each in found.held} == {OCTOBER}
    assert sum(each.available for each in found.held) == 783


def test_no_rate_is_added_to_a_month_that_is_settled(story, house):
    settle_month(OCTOBER, at=NOW)
    content = house.get("/partners/CAFE/").json()
    body = {name: content[name] for name in ("name", "currency", "outlets", "rates")}
    late = {"kind": "EARN", "type": "PTS", "rate": "0.5", "from": "2026-10-20T00:00:00Z"}
    body["rates"] = [*body["rates"], late]

    answer = house.put("/partners/CAFE/", body)

    assert (answer.status_code, answer.json()["code"]) == (422, "MONTH_CLOSED")
    assert house.get("/partners/CAFE/").json() == content


def test_a_settlement_that_failed_goes_on_when_it_is_asked_for_again(story):
    start_settling(OCTOBER, at=NOW)
    Job.objects.update(status="FAILED")

    start_settling(OCTOBER, at=NOW)

    assert Job.objects.get().status == "PENDING"
