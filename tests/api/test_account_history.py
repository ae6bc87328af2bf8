"""Member Account History: newest first, in pages, and to each caller what it may know."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import transaction

from loyalty.caller import Actor
from members.models import Activity, Member
from members.services import activity
from tests.factories.members import MemberFactory
from tests.factories.partners import PartnerFactory

AT = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
BOSS = Actor.staff("boss")


def record(member, kind, by=BOSS, at=AT, **more):
    with transaction.atomic():
        activity.record(member.pk, kind, by=by, at=at, **more)


def till_of(partner):
    return Actor("CLIENT", "till-1", partner.pk)


def kinds(answer):
    assert answer.status_code == 200, answer.content
    return [line["kind"] for line in answer.json()["results"]]


def path(member):
    return f"/members/{member.number}/history/"


def test_a_line_says_what_when_by_whom_and_why(house, member):
    record(member, "STAGE_CHANGED", reason="Asked for it", data={"from": "ACTIVE", "to": "CLOSED"})

    line = house.get(path(member)).json()["results"][0]

    assert line == {
        "id": Activity.objects.get().pk,
        "member": member.number,
        "kind": "STAGE_CHANGED",
        "at": "2026-11-23T12:00:00Z",
        "actor": {"kind": "STAFF", "name": "boss", "partner": None},
        "reason": "Asked for it",
        "data": {"from": "ACTIVE", "to": "CLOSED"},
    }


def test_the_newest_stands_first_and_a_cursor_goes_on(house, member):
    for kind in "ABCDE":
        record(member, kind)

    first = house.get(path(member), limit=2)
    second = house.get(path(member), limit=2, cursor=first.json()["next"])
    third = house.get(path(member), limit=2, cursor=second.json()["next"])

    assert [kinds(first), kinds(second), kinds(third)] == [["E", "D"], ["C", "B"], ["A"]]
    assert third.json()["next"] is None


def test_a_cursor_belongs_to_its_filters(house, member):
    record(member, "A")
    record(member, "B")
    cursor = house.get(path(member), limit=1).json()["next"]

    answer = house.get(path(member), limit=1, cursor=cursor, kinds="A")

    assert (answer.status_code, answer.json()["code"]) == (400, "CURSOR_MISMATCH")


def test_times_and_kinds_narrow_it(house, member):
    for day, kind in enumerate(["A", "B", "C", "A"]):
        record(member, kind, at=AT + timedelta(days=day))

    since = house.get(path(member), **{"from": "2026-11-24T12:00:00Z"})
    until = house.get(path(member), to="2026-11-24T12:00:00Z")
    some = house.get(path(member), kinds="A,C")

    assert (kinds(since), kinds(until), kinds(some)) == (["A", "C", "B"], ["A"], ["A", "C", "A"])


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ({"from": "yesterday"}, "/from"),
        ({"to": "1999-01-01T00:00:00Z"}, "/to"),
        ({"kinds": "a"}, "/kinds"),
        ({"kinds": "A,,B"}, "/kinds"),
        ({"limit": 0}, "/limit"),
        ({"page": 2}, "/page"),
    ],
)
def test_filters_that_make_no_sense_are_named(query, pointer, house, member):
    answer = house.get(path(member), **query)

    assert answer.status_code == 400
    assert answer.json()["errors"][0]["pointer"] == pointer


def test_of_a_merged_member_both_histories_are_there(house, member):
    first, last = MemberFactory(), MemberFactory()
    record(member, "A")
    record(first, "B")
    record(last, "C")
    Member.objects.filter(pk=member.pk).update(stage="MERGED", merged_into=first)
    Member.objects.filter(pk=first.pk).update(stage="MERGED", merged_into=last)

    lines = house.get(path(member)).json()["results"]

    assert [(line["kind"], line["member"]) for line in lines] == [
        ("C", last.number),
        ("B", first.number),
        ("A", member.number),
    ]


def test_a_partner_sees_what_it_caused_and_the_bare_moves(till, partner, member):
    record(member, "ENROLLED", till_of(partner), reason="At the desk", data={"card": True})
    record(member, "CARD_REPLACED", till_of(PartnerFactory()))
    record(member, "PROFILE_CHANGED")
    record(member, "STAGE_CHANGED", reason="Fraud?", data={"from": "ACTIVE", "to": "X", "why": 1})

    moved, enrolled = till.get(path(member)).json()["results"]

    assert moved["kind"] == "STAGE_CHANGED"
    assert moved["actor"] == {"kind": "STAFF", "name": None, "partner": None}
    assert (moved["reason"], moved["data"]) == (None, {"from": "ACTIVE", "to": "X"})
    assert enrolled["actor"] == {"kind": "CLIENT", "name": "till-1", "partner": "GROCER"}
    assert (enrolled["reason"], enrolled["data"]) == ("At the desk", {"card": True})


def test_a_member_sees_all_of_it_but_no_name_of_the_staff(session_of, partner, member):
    record(member, "STAGE_CHANGED", reason="Moved away")
    record(member, "CARD_REPLACED", till_of(partner))
    record(member, "PROFILE_CHANGED", Actor("MEMBER", member.number))

    lines = session_of(member).get("/members/me/history/").json()["results"]

    assert [line["actor"] for line in lines] == [
        {"kind": "MEMBER", "name": member.number, "partner": None},
        {"kind": "CLIENT", "name": None, "partner": "GROCER"},
        {"kind": "STAFF", "name": None, "partner": None},
    ]
    assert lines[2]["reason"] == "Moved away"


def test_nobody_has_no_history(house):
    answer = house.get("/members/9999999999/history/")

    assert (answer.status_code, answer.json()["code"]) == (404, "MEMBER_NOT_FOUND")


def test_the_statements_do_not_grow_with_the_history(house, member, statements):
    def page():
        statements.sent.clear()
        assert house.get(path(member)).status_code == 200
        return len(statements.sent)

    record(member, "A")
    house.get(path(member))
    few = page()
    for number in range(20):
        merged = MemberFactory()
        record(merged, f"B{number}", till_of(PartnerFactory()))
        Member.objects.filter(pk=merged.pk).update(stage="MERGED", merged_into=member)

    assert page() == few == 4
