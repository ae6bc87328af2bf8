"""Add/Update Promotion, Get All Promotions, Promotion Segment Mapping."""

from datetime import timedelta

import pytest

from loyalty.models import OutboxEvent
from promotions.models import Promotion, PromotionVersion
from tests.factories.members import MemberFactory
from tests.factories.segments import SegmentFactory

URL = "/promotions/COFFEE/"
COFFEE = {
    "name": "Double coffee",
    "status": "LIVE",
    "lines": {"include": {"category": ["COFFEE"]}},
    "award": {"kind": "PER_AMOUNT", "type": "PTS", "points": 1, "per": "1.00"},
    "budget": {"measure": "POINTS", "at_most": 1000, "then": "REDUCE"},
    "texts": {"de": {"title": "Kaffee"}, "en": {"title": "Coffee"}},
}


def put(api, url=URL, **changes):
    headers = changes.pop("headers", {})
    return api.put(url, {**COFFEE, **changes}, **headers)


def test_a_promotion_is_made_and_told_whole_to_who_writes(house):
    answer = put(house)

    assert answer.status_code == 201, answer.json()
    content = answer.json()
    assert (content["code"], content["version"], content["status"]) == ("COFFEE", 1, "LIVE")
    assert content["title"] == "Coffee"
    assert content["budget_left"] == 1000
    assert content["definition"]["award"]["per"] == "1.00"
    assert any(text.startswith("NO_TESTS") for text in content["warnings"])
    assert house.get(URL).headers["ETag"] == '"1"'


def test_the_same_again_makes_no_version_and_other_content_the_next(house):
    put(house)

    same, other = put(house), put(house, name="Coffee for all")

    assert (same.status_code, same.json()["version"]) == (200, 1)
    assert (other.status_code, other.json()["version"]) == (200, 2)
    assert house.get(URL, version=1).json()["name"] == "Double coffee"


def test_a_stale_etag_is_refused_and_nothing_written(house):
    put(house)
    put(house, name="Coffee for all")

    answer = put(house, name="Other", headers={"If-Match": '"1"'})

    assert (answer.status_code, answer.json()["version"]) == (412, 2)
    assert PromotionVersion.objects.count() == 2


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"status": "GONE"}, "/status"),
        ({"award": {"kind": "FIXED", "type": "PTS"}}, "/award/points"),
        ({"audience": {"segments": ["NOBODY"]}}, "/audience/segments"),
        ({"audience": {"tiers": ["PLATINUM"]}}, "/audience/tiers"),
        ({"condition": "basket.amount >="}, "/condition"),
        ({"surprise": 1}, "/surprise"),
        ({"limits": [{"per": "MEMBER"}]}, "/limits/0/measure"),
        ({"effective_from": "9999-12-31T23:59:59-14:00"}, "/effective_from"),
        ({"active_from": "0001-01-01T00:00:00+14:00"}, "/active_from"),
        ({"active_to": "2100-01-01T00:00:00Z"}, "/active_to"),
        ({"pending": "P1D1D"}, "/pending"),
        (
            {"expiry": {"after": "P9999999Y", "from": "EARNED", "round_up": "MONTH"}},
            "/expiry/after",
        ),
    ],
)
def test_what_is_wrong_is_named_and_nothing_written(house, changes, pointer):
    answer = put(house, **changes)

    assert answer.status_code in (400, 422), answer.json()
    problem = answer.json()
    named = problem["errors"][0]["pointer"] if "errors" in problem else problem["pointer"]
    assert named == pointer
    assert not Promotion.objects.exists()


def test_going_live_needs_its_tests_to_pass(house):
    wrong = {
        "name": "one coffee",
        "basket": {"occurred_at": "2026-01-05T12:00:00Z", "lines": [{"amount": "2.00"}]},
        "points": [{"type": "PTS", "points": 99}],
    }

    answer = put(house, tests=[wrong])

    assert answer.json()["code"] == "RULE_TESTS_FAIL"
    assert not Promotion.objects.exists()
    assert put(house, tests=[wrong], status="DRAFT").status_code == 201


def test_a_promotion_is_paused_and_ended(house):
    put(house)

    paused = house.patch(URL, {"status": "PAUSED", "reason": "Out of coffee"})

    assert (paused.status_code, paused.json()["status"], paused.json()["version"]) == (
        200,
        "PAUSED",
        1,
    )
    row = Promotion.objects.get().statuses.order_by("-pk").first()
    assert (row.status, row.reason) == ("PAUSED", "Out of coffee")
    assert house.patch("/promotions/NOTHING/", {"status": "ENDED"}).status_code == 404


def test_segments_are_mapped_by_a_new_version(house):
    for code in ("VIP", "STAFF"):
        SegmentFactory(code=code)
    put(house)

    answer = house.post(f"{URL}segments/", {"include": ["VIP"], "exclude": ["STAFF"]})

    assert answer.status_code == 200, answer.json()
    assert answer.json()["version"] == 2
    assert answer.json()["audience"]["segments"] == ["VIP"]
    assert answer.json()["audience"]["not_segments"] == ["STAFF"]
    wrong = house.post(f"{URL}segments/", {"include": ["VIP"], "exclude": ["VIP"]})
    assert wrong.status_code == 400
    assert PromotionVersion.objects.count() == 2


def test_lists_are_filtered_and_cost_is_hidden(house, till, now):
    member = MemberFactory()
    SegmentFactory(code="VIP", members=[member])
    put(house)
    put(house, "/promotions/FOR-VIP/", audience={"segments": ["VIP"]})
    put(house, "/promotions/NEXT/", active_from=(now + timedelta(days=1)).isoformat())
    put(house, "/promotions/SECRET/", visible=False)
    put(house, "/promotions/DRAFT/", status="DRAFT")

    def codes(api, **query):
        answer = api.get("/promotions/", **query)
        assert answer.status_code == 200, answer.json()
        return [row["code"] for row in answer.json()["results"]]

    assert codes(house) == ["COFFEE", "DRAFT", "FOR-VIP", "NEXT", "SECRET"]
    assert codes(till) == ["COFFEE", "DRAFT", "FOR-VIP", "NEXT"]
    assert codes(house, status="DRAFT") == ["DRAFT"]
    assert codes(house, segment="VIP") == ["FOR-VIP"]
    assert codes(house, member=member.number) == ["COFFEE", "FOR-VIP", "SECRET"]
    assert codes(house, member=MemberFactory().number) == ["COFFEE", "SECRET"]
    row = till.get("/promotions/").json()["results"][0]
    assert "definition" not in row
    assert "budget_left" not in row
    assert till.get("/promotions/SECRET/").status_code == 404


def test_a_member_sees_what_is_open_to_it_in_its_language(house, session_of, member):
    SegmentFactory(code="VIP")
    put(house)
    put(house, "/promotions/FOR-VIP/", audience={"segments": ["VIP"]})

    results = session_of(member).get("/promotions/").json()["results"]

    assert [row["code"] for row in results] == ["COFFEE"]


def test_pages_follow_each_other(house):
    for code in ("A", "B", "C"):
        put(house, f"/promotions/{code}/")

    first = house.get("/promotions/", limit=2).json()
    second = house.get("/promotions/", limit=2, cursor=first["next"]).json()

    assert [row["code"] for row in first["results"] + second["results"]] == ["A", "B", "C"]
    assert second["next"] is None
    mismatch = house.get("/promotions/", cursor=first["next"], status="LIVE")
    assert mismatch.json()["code"] == "CURSOR_MISMATCH"


def test_subscribers_of_the_house_hear_of_a_change_and_of_nothing_else(house):
    put(house)
    put(house)
    house.patch(URL, {"status": "PAUSED"})
    house.patch(URL, {"status": "PAUSED"})

    told = OutboxEvent.objects.filter(type="promotion.changed").order_by("pk")

    assert [(row.payload["version"], row.payload["status"]) for row in told] == [
        (1, "LIVE"),
        (1, "PAUSED"),
    ]
    assert [(row.partner_id, row.member_id) for row in told] == [(None, None)] * 2
