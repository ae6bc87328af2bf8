"""The back office's pages of statements, liability and journal."""

import json

import pytest
from django.test import Client
from django.urls import reverse

from ledger.models import JournalAccount, Statement, StatementLine
from ledger.services.partner_settlement import settle_month
from loyalty.models import Job
from tests.factories.ledger import give
from tests.factories.loyalty import UserFactory
from tests.ledger.settlement_story import Story
from tests.ledger.test_partner_settlement import NOW, OCTOBER


@pytest.fixture
def story(program):
    told = Story().play()
    settle_month(OCTOBER, at=NOW)
    return told


@pytest.fixture
def statement(story):
    return Statement.objects.get(partner=story.grocer)


def visitor(*groups):
    client = Client()
    client.force_login(UserFactory(groups=groups))
    return client


def streamed(answer):
    return b"".join(answer.streaming_content).decode()


def test_a_statement_shows_its_lines_and_a_chart(office, statement):
    page = office.get(reverse("admin:ledger_statement_change", args=[statement.pk]))

    content = page.content.decode()
    assert "17.60 EUR" in content
    assert [row[3:] for row in page.context["lines"]["rows"]][1:3] == [
        ["1,050", "0.012", "12.60 EUR"],
        ["333", "0.015", "5.00 EUR"],
    ]
    chart = json.loads(page.context["chart"])
    assert chart["labels"] == ["2026-10"]
    assert [(each["label"], each["data"]) for each in chart["datasets"]] == [("Earned", [17.6])]


def test_a_line_leads_to_its_transactions(office, statement):
    line = StatementLine.objects.get(statement=statement, rate="0.012")
    url = reverse("admin:ledger_statement_transactions", args=[statement.pk, line.pk])

    rows = office.get(url).context["table"]["rows"]

    assert [(row[1], row[4]) for row in rows] == [("EARN", "50"), ("EARN", "1,000")]


def test_a_long_line_has_pages(office, statement, story, monkeypatch):
    monkeypatch.setattr("ledger.admin.settlement.ROWS_SHOWN", 1)
    line = StatementLine.objects.get(statement=statement, rate="0.012")
    url = reverse("admin:ledger_statement_transactions", args=[statement.pk, line.pk])

    first = office.get(url)
    second = office.get(url, {"before": first.context["more"]})

    assert [page.context["table"]["rows"][0][4] for page in (first, second)] == ["50", "1,000"]
    assert second.context["more"] == ""


def test_a_line_of_another_statement_is_not_found(office, statement, story):
    other = StatementLine.objects.exclude(statement=statement).first()
    url = reverse("admin:ledger_statement_transactions", args=[statement.pk, other.pk])

    assert office.get(url).status_code == 404


def test_a_statement_is_downloaded(office, statement):
    answer = office.get(reverse("admin:ledger_statement_download", args=[statement.pk]))

    rows = streamed(answer).splitlines()
    assert answer["Content-Disposition"] == 'attachment; filename="GROCER-2026-10.csv"'
    assert "GROCER,2026-10,ADJUSTED,PTS,1,-20,,0.00,EUR" in rows
    assert rows[-1] == "GROCER,2026-10,TOTAL,,,,,17.60,EUR"


def test_a_statement_cannot_be_edited(office, statement):
    url = reverse("admin:ledger_statement_change", args=[statement.pk])

    assert office.post(url, {"amount": 1}).status_code == 403


@pytest.mark.parametrize(
    ("month", "jobs"), [("2026-10", 1), ("2099-01", 0), ("2026-13", 0), ("soon", 0)]
)
def test_a_month_is_settled_from_the_list(office, program, month, jobs):
    office.post(reverse("admin:ledger_statement_settle"), {"month": month})

    assert Job.objects.count() == jobs


@pytest.mark.parametrize(
    ("group", "reads", "settles"),
    [
        ("Finance", 200, 200),
        ("Partner manager", 200, 200),
        ("Auditor", 200, 403),
        ("Helpdesk", 200, 403),
    ],
)
def test_who_may_settle(group, reads, settles, statement):
    client = visitor(group)

    page = client.get(reverse("admin:ledger_statement_change", args=[statement.pk]))
    settle = client.get(reverse("admin:ledger_statement_settle"))

    assert page.status_code == reads
    assert settle.status_code == settles


def test_the_liability_is_shown_and_tied(office, story):
    url = reverse("admin:ledger_liabilityreport_changelist")

    page = office.get(url, {"as_of": "2026-11-01", "by": ["cohort", "expiry"]})

    assert 'data-tied="yes"' in page.content.decode()
    assert [row[0:3] + row[6:] for row in page.context["table"]["rows"]] == [
        ["PTS", "2026-10", "2027-10", "0", "713", "7.13 EUR"],
        ["PTS", "2026-10", "2027-11", "0", "70", "0.70 EUR"],
    ]
    assert json.loads(page.context["chart"])["labels"] == ["2027-10", "2027-11"]
    assert page.context["cohorts"]["rows"][0][-2:] == ["100.0 %", "41.9 %"]


def test_the_liability_is_downloaded(office, story):
    url = reverse("admin:ledger_liabilityreport_changelist")

    answer = office.get(url, {"as_of": "2026-11-01", "by": "cohort", "format": "csv"})

    assert streamed(answer).splitlines() == [
        "type,cohort,pending,available,locked,debt,outstanding,amount,currency",
        "PTS,2026-10,0,783,0,0,783,7.83,EUR",
    ]


def test_the_journal_is_shown_and_downloaded(office, story):
    url = reverse("admin:ledger_journalaccount_journal")
    period = {"start": "2026-10-01", "end": "2026-11-01"}

    page = office.get(url, period)
    file = streamed(office.get(url, {**period, "csv": "1"}))

    assert 'data-tied="yes"' in page.content.decode()
    assert page.context["table"]["rows"] == [["PTS", "0", "+783", "783", "7.83 EUR"]]
    assert file.splitlines()[1] == "2026-10-02,6400,2400,EARNED,PTS,1000,10.00,EUR,GROCER"


@pytest.mark.parametrize(
    "period", [{"start": "2026-11-01", "end": "2026-10-01"}, {"start": "2026-10-01"}, {"end": "x"}]
)
def test_a_period_that_is_none_is_refused_on_the_page(office, story, period):
    page = office.get(reverse("admin:ledger_journalaccount_journal"), {**period, "csv": "1"})

    assert page.status_code == 200
    assert page.context["form"].errors


def test_an_account_is_changed_by_finance_and_not_by_an_auditor(program):
    row = JournalAccount.objects.get(movement="EXPIRED")
    url = reverse("admin:ledger_journalaccount_change", args=["EXPIRED"])

    auditor = visitor("Auditor").post(url, {"account": "1", "name": "x"})
    finance = visitor("Finance").post(url, {"account": "8123", "name": "Breakage"})

    assert (auditor.status_code, finance.status_code) == (403, 302)
    row.refresh_from_db()
    assert row.account == "8123"


def test_finance_pages_are_not_for_everybody(program):
    client = visitor()

    for name in ("statement_changelist", "liabilityreport_changelist", "journalaccount_journal"):
        assert client.get(reverse(f"admin:ledger_{name}")).status_code == 403


def test_a_month_without_anything_is_a_page_too(office, member):
    give(member, 10)

    page = office.get(reverse("admin:ledger_liabilityreport_changelist"), {"as_of": "2020-01-01"})

    assert page.status_code == 200
    assert page.context["table"]["rows"] == []
