"""Segments: made, changed, listed, refreshed."""

import pytest

from loyalty.models import Job
from members.models import Segment
from tests.factories.segments import SegmentFactory


def test_a_static_segment_is_made_and_read(house, program):
    made = house.put("/segments/VIP/", {"name": "Very important"})

    assert made.status_code == 201, made.content
    assert made["ETag"] == '"1"'
    expected = {
        "code": "VIP",
        "name": "Very important",
        "kind": "STATIC",
        "condition": "",
        "active": True,
        "size": 0,
        "refreshed_at": None,
        "version": 1,
    }
    assert made.json() == {**expected, "job": None}
    assert house.get("/segments/VIP/").json() == expected
    assert house.get("/segments/VIP/")["ETag"] == '"1"'


def test_a_dynamic_segment_starts_finding_its_members(house, program):
    body = {"name": "Grown up", "kind": "DYNAMIC", "condition": "member.age >= 18"}

    answer = house.put("/segments/ADULTS/", body)

    job = Job.objects.get()
    assert answer.status_code == 201
    assert answer.json()["job"] == f"/api/v1/jobs/{job.pk}/"
    assert house.get(f"/jobs/{job.pk}/").json()["status"] == "PENDING"


def test_the_same_content_again_changes_nothing(house, program):
    body = {"name": "Grown up", "kind": "DYNAMIC", "condition": "member.age >= 18"}
    house.put("/segments/ADULTS/", body)

    again = house.put("/segments/ADULTS/", body)

    assert (again.status_code, again.json()["version"], again.json()["job"]) == (200, 1, None)
    assert Job.objects.count() == 1


def test_another_condition_finds_its_members_anew_and_another_name_does_not(house, program):
    body = {"name": "Grown up", "kind": "DYNAMIC", "condition": "member.age >= 18"}
    house.put("/segments/ADULTS/", body)

    renamed = house.put("/segments/ADULTS/", {**body, "name": "Adults"})
    changed = house.put("/segments/ADULTS/", {**body, "condition": "member.age >= 21"})

    assert (renamed.json()["version"], renamed.json()["job"]) == (2, None)
    assert changed.json()["version"] == 3
    assert changed.json()["job"] is not None


def test_what_was_changed_meanwhile_is_not_overwritten(house, program):
    house.put("/segments/VIP/", {"name": "One"})
    house.put("/segments/VIP/", {"name": "Two"}, **{"If-Match": '"1"'})

    answer = house.put("/segments/VIP/", {"name": "Three"}, **{"If-Match": '"1"'})

    assert (answer.status_code, answer.json()["version"]) == (412, 2)
    assert Segment.objects.get().name == "Two"
    assert house.put("/segments/NEW/", {"name": "N"}, **{"If-Match": '"1"'}).status_code == 412
    assert not Segment.objects.filter(code="NEW").exists()


@pytest.mark.parametrize(
    ("condition", "position"),
    [("member.age >", 12), ("member.shoes > 1", 6), ("1 + 1", 0), ("(" * 21 + "true", 20)],
)
def test_a_condition_is_refused_at_the_character(condition, position, house, program):
    answer = house.put("/segments/X/", {"name": "X", "kind": "DYNAMIC", "condition": condition})

    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (422, "EXPRESSION_INVALID")
    assert (problem["pointer"], problem["position"]) == ("/condition", position)
    assert not Segment.objects.exists()


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"name": "X", "condition": "true"}, "NOT_HERE"),
        ({"name": "X", "kind": "DYNAMIC"}, "MISSING_FIELD"),
        ({"name": "X", "kind": "DYNAMIC", "condition": "  "}, "MISSING_FIELD"),
    ],
)
def test_a_condition_belongs_to_a_dynamic_segment(body, code, house, program):
    answer = house.put("/segments/X/", body)

    assert answer.status_code == 400
    [error] = answer.json()["errors"]
    assert (error["pointer"], error["code"]) == ("/condition", code)


def test_a_segments_kind_is_fixed(house, program):
    SegmentFactory(code="VIP")

    answer = house.put(
        "/segments/VIP/", {"name": "X", "kind": "DYNAMIC", "condition": "member.age > 1"}
    )

    assert (answer.status_code, answer.json()["code"]) == (422, "SEGMENT_KIND_FIXED")
    assert Segment.objects.get().kind == "STATIC"


def test_segments_are_listed_by_code_page_by_page(house, program):
    for code in ("C", "A", "B"):
        SegmentFactory(code=code)
    SegmentFactory(code="D", condition="member.age > 1")

    first = house.get("/segments/", limit=2, kind="STATIC").json()
    rest = house.get("/segments/", limit=2, kind="STATIC", cursor=first["next"]).json()

    assert [each["code"] for each in first["results"] + rest["results"]] == ["A", "B", "C"]
    assert rest["next"] is None
    assert house.get("/segments/", cursor=first["next"]).status_code == 400
    assert len(house.get("/segments/").json()["results"]) == 4


def test_partners_see_neither_condition_nor_size(till, program):
    SegmentFactory(code="D", condition="member.age > 1")

    assert till.get("/segments/D/").json()["condition"] is None
    assert till.get("/segments/").json()["results"][0]["size"] is None
    assert till.put("/segments/D/", {"name": "D"}).status_code == 403


def test_a_dynamic_segment_is_refreshed_on_demand_by_one_job(house, program):
    SegmentFactory(code="D", condition="member.age > 1")

    answer = house.post("/segments/D/refresh/", {})
    again = house.post("/segments/D/refresh/", {})

    assert answer.status_code == 202
    assert answer["Location"] == f"/api/v1/jobs/{answer.json()['id']}/"
    assert again.json()["id"] == answer.json()["id"]
    assert Job.objects.get().kind == "members.tasks.refresh_segment"


def test_a_static_segment_is_not_refreshed(house, program):
    SegmentFactory(code="VIP")

    assert house.post("/segments/VIP/refresh/", {}).json()["code"] == "SEGMENT_IS_STATIC"
    assert house.post("/segments/NONE/refresh/", {}).status_code == 404
    assert not Job.objects.exists()


def test_reads_send_one_statement_however_many_there_are(house, program, statements):
    for _ in range(3):
        SegmentFactory()
    house.get("/segments/")
    statements.sent.clear()

    house.get("/segments/")

    assert len(statements.sent) == 1
