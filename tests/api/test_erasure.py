"""Erasing a member: nothing tells who it was, and every book balances."""

import json
from datetime import UTC, datetime

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction

from loyalty.caller import Actor
from loyalty.models import OutboxEvent, Program
from loyalty.secret import Secret
from members.models import (
    Activity,
    Alias,
    Card,
    Consent,
    Credential,
    DuplicateFlag,
    Enrolment,
    Member,
    Session,
)
from members.services import activity, passwords
from promotions.models import Evaluation
from tests.factories.ledger import balance, give
from tests.factories.members import AliasFactory, MemberFactory
from tests.factories.promotions import promotion

AT = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
WHO = ("Ann", "Lee", "ann@example.org", "660123", "1990", "Vienna", "Ring 1", "form 7", "her phone")


@pytest.fixture
def ann(till, partner, purchase, session_of):
    """A member with everything that tells who she is."""
    promotion()
    ann = MemberFactory(
        card="6275000000000017",
        enrolled_by=partner,
        first_name="Ann",
        last_name="Lee",
        birth_date="1990-02-03",
        email="ann@example.org",
        email_confirmed_at=AT,
        phone="+43660123456",
        address={"lines": ["Ring 1"], "city": "Vienna"},
        attributes={"nickname": "Annie Lee"},
        referrer=MemberFactory(),
    )
    AliasFactory(member=ann, value="ann@example.org")
    Consent.objects.create(
        member=ann,
        category="marketing",
        given=True,
        at=AT,
        source="Ann's mail",
        proof="form 7",
        recorded_at=AT,
    )
    with transaction.atomic():
        passwords.store(ann, Secret("correct horse battery"), at=AT)
        activity.record(
            ann.pk, "CALLED", by=Actor.staff("boss"), at=AT, reason="Ann Lee lost her phone"
        )
    session_of(ann)
    Enrolment.objects.create(
        partner=partner,
        reference="E-1",
        digest=b"x" * 32,
        member=ann,
        result={"card": "6275000000000017"},
        at=AT,
    )
    DuplicateFlag.objects.create(earlier=ann, later=MemberFactory(), matched="email", flagged_at=AT)
    assert till.post("/transactions/earn/", purchase()).status_code == 201
    give(ann, 300)
    return ann


def erase(api, member, reason="Asked for it"):
    return api.post(f"/members/{member.number}/erase/", {"reason": reason})


def everything_about(member):
    """Return all rows of all tables that name a member, as text."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT table_name, column_name FROM information_schema.columns"
            " WHERE table_schema = 'public' AND (column_name IN ('member_id', 'earlier_id')"
            " OR (table_name = 'members_member' AND column_name = 'id'))"
        )
        rows = []
        for table, column in cursor.fetchall():
            cursor.execute(
                f'SELECT to_jsonb(t)::text FROM "{table}" t WHERE "{column}" = %s',  # noqa: S608
                [member.pk],
            )
            rows += [f"{table} {row[0]}" for row in cursor.fetchall()]
    return rows


def test_no_table_tells_who_it_was(house, ann):
    answer = erase(house, ann)

    told = [(row, each) for row in everything_about(ann) for each in WHO if each in row]
    assert answer.status_code == 200
    assert told == []
    ann.refresh_from_db()
    assert (ann.stage, ann.birth_date, ann.address, ann.attributes) == ("CLOSED", None, {}, {})
    assert (ann.referrer, ann.email_confirmed_at) == (None, None)
    for table in (Alias, Credential, Session):
        assert not table.objects.filter(member=ann).exists()


def test_a_pseudonym_the_card_and_the_history_stay(house, ann):
    answer = erase(house, ann)

    assert answer.json() == {
        "number": ann.number,
        "stage": "CLOSED",
        "erased_at": answer.json()["erased_at"],
        "merged_from": [],
        "forfeited": [{"type": "PTS", "points": 304}],
    }
    assert Card.objects.values_list("status", flat=True).get(member=ann) == "CLOSED"
    consent = Consent.objects.get()
    assert (consent.category, consent.given, consent.at) == ("marketing", True, AT)
    assert [(a.kind, a.reason, a.data) for a in Activity.objects.filter(member=ann).order_by("pk")][
        -1
    ] == ("ERASED", "Asked for it", {})
    assert DuplicateFlag.objects.get().status == "DISMISSED"


def test_the_books_balance_and_nothing_is_left(house, ann):
    erase(house, ann)

    account = balance(ann)
    assert (account.available, account.pending, account.locked, account.debt) == (0, 0, 0, 0)
    assert Evaluation.objects.get().inputs is None
    assert Evaluation.objects.get().result["awards"]


def test_points_may_stay_until_they_expire(house, ann):
    Program.objects.update(closing_balance="KEEP")

    answer = erase(house, ann)

    assert answer.json()["forfeited"] == []
    assert balance(ann).available == 304


def test_again_it_does_nothing(house, ann):
    first = erase(house, ann)
    lines, events = Activity.objects.count(), OutboxEvent.objects.count()

    again = erase(house, ann)

    assert again.status_code == 200
    assert again.json() == {**first.json(), "forfeited": []}
    assert (Activity.objects.count(), OutboxEvent.objects.count()) == (lines, events)


def test_who_was_merged_into_it_goes_along(house, ann):
    survivor = MemberFactory(last_name="Lee")
    Member.objects.filter(pk=ann.pk).update(stage="MERGED", merged_into=survivor)

    answer = erase(house, survivor)

    assert answer.json()["merged_from"] == [ann.number]
    assert not [row for row in everything_about(ann) for each in WHO if each in row]
    ann.refresh_from_db()
    assert (ann.stage, ann.merged_into) == ("MERGED", survivor)


def test_a_session_ends_with_it(house, session_of, ann):
    hers = session_of(ann)
    assert hers.get("/members/me/").status_code == 200

    erase(house, ann)

    assert hers.get("/members/me/").status_code == 401


def test_she_may_come_again(house, till, ann):
    erase(house, ann)

    again = till.post("/members/", {"profile": {"email": "ann@example.org"}})

    assert again.status_code == 201
    assert again.json()["number"] != ann.number


def test_a_retry_of_her_enrolment_is_a_conflict(house, till, ann):
    erase(house, ann)

    answer = till.post("/members/", {"reference": "E-1"})

    assert (answer.status_code, answer.json()["code"]) == (409, "REFERENCE_CONFLICT")


@pytest.mark.parametrize("body", [{}, {"reason": ""}, {"reason": "x", "points": 1}])
def test_it_needs_a_reason_and_nothing_else(body, house, ann):
    answer = house.post(f"/members/{ann.number}/erase/", body)

    assert answer.status_code == 400
    ann.refresh_from_db()
    assert (ann.stage, ann.last_name) == ("ACTIVE", "Lee")


def test_partners_may_not(till, ann):
    assert erase(till, ann).status_code == 403


def test_history_is_emptied_and_not_rewritten(ann):
    with pytest.raises(DatabaseError), transaction.atomic():
        Consent.objects.update(given=False, source="", proof="")
    with pytest.raises(DatabaseError), transaction.atomic():
        Consent.objects.all().delete()
    assert Consent.objects.get().proof == "form 7"


def test_the_command_asks_twice(ann, monkeypatch, capsys):
    monkeypatch.setattr("builtins.input", lambda question: "no")

    with pytest.raises(CommandError, match="Nothing was erased"):
        call_command("erase_member", ann.number, reason="Letter of 2 May")
    assert Member.objects.filter(last_name="Lee").exists()

    monkeypatch.setattr("builtins.input", lambda question: ann.number)
    call_command("erase_member", ann.number, reason="Letter of 2 May")

    assert not Member.objects.filter(last_name="Lee").exists()
    assert ann.number in capsys.readouterr().out


def test_the_command_knows_who_is_not_there(program):
    with pytest.raises(CommandError, match="No member"):
        call_command("erase_member", "1", reason="x", no_input=True)


def test_an_erasure_leaves_no_name_in_the_ledger_or_the_outbox(house, ann):
    erase(house, ann, reason="Asked for it")

    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT coalesce(string_agg(to_jsonb(t)::text, ''), '') FROM ledger_transaction t"
        )
        ledger = cursor.fetchone()[0]
    events = json.dumps(list(OutboxEvent.objects.values_list("payload", flat=True)))
    assert not [each for each in WHO if each in ledger + events]


def test_the_statements_do_not_grow_with_what_there_was(house, statements):
    def erased(lines):
        member = MemberFactory()
        for number in range(lines):
            AliasFactory(member=member)
            Card.objects.create(number=f"{member.number}{number}", member=member, issued_at=AT)
            with transaction.atomic():
                activity.record(member.pk, "CALLED", by=Actor.staff("boss"), at=AT)
        statements.sent.clear()
        assert erase(house, member).status_code == 200
        return len(statements.sent)

    erased(1)

    assert erased(1) == erased(12)
