"""Four eyes: what one person puts live waits for another; meanwhile all is as it was."""

from datetime import UTC, datetime, timedelta

import pytest

from loyalty.models import Program
from members.models import Segment
from promotions.models import Promotion, PromotionApproval, PromotionVersion
from tests.factories.segments import SegmentFactory

URL = "/promotions/COFFEE/"
COFFEE = {
    "name": "Coffee",
    "status": "LIVE",
    "award": {"kind": "FIXED", "type": "PTS", "points": 5},
}


@pytest.fixture
def four_eyes(program):
    Program.objects.update(four_eyes=True)


@pytest.fixture
def ann(house, four_eyes):
    return house


@pytest.fixture
def bob(api_of, four_eyes):
    return api_of(None)


def put(api, **changes):
    return api.put(URL, {**COFFEE, **changes})


def judge(api, approval="APPROVED", **more):
    return api.patch(URL, {"approval": approval, **more})


def history():
    rows = Promotion.objects.get().statuses.order_by("pk")
    return list(rows.values_list("status", "reason"))


def earned(till, purchase):
    sold_at = datetime.now(UTC).isoformat()
    body = till.post("/transactions/earn/", purchase(occurred_at=sold_at)).json()
    return sum(each["points"] for each in body["points"])


def test_a_new_promotion_waits_and_goes_live_with_a_second_person(ann, bob, till, purchase, member):
    asked = put(ann)

    assert (asked.status_code, asked.json()["approval"]) == (202, "WAITING")
    assert (asked.json()["status"], asked.json()["version"]) == ("DRAFT", 1)
    assert earned(till, purchase) == 0
    shown = bob.get(URL).json()
    assert (shown["approval"], shown["waiting"]["version"]) == ("WAITING", 1)

    approved = judge(bob, reason="Good.")

    assert (approved.status_code, approved.json()["approval"]) == (200, "APPROVED")
    assert approved.json()["status"] == "LIVE"
    assert earned(till, purchase) == 5
    who_asked, who_approved = (PromotionApproval.objects.values_list("asked_by", "decided_by"))[0]
    assert history()[-1] == (
        "LIVE",
        f"Version 1: asked for by {who_asked}, approved by {who_approved}. Good.",
    )


def test_a_change_of_a_live_one_waits_and_the_old_version_stays_in_effect(
    ann, bob, till, purchase, member
):
    put(ann)
    judge(bob)

    asked = put(ann, award={**COFFEE["award"], "points": 7})

    assert (asked.status_code, asked.json()["version"]) == (202, 1)
    assert PromotionVersion.objects.count() == 1
    assert earned(till, purchase) == 5
    assert bob.get(URL).json()["waiting"]["definition"]["award"]["points"] == 7

    assert judge(bob).json()["version"] == 2
    assert earned(till, purchase) == 7
    version = PromotionVersion.objects.get(number=2)
    assert version.created_by == PromotionApproval.objects.order_by("-pk")[0].asked_by


def test_whoever_asked_can_neither_approve_nor_reject(ann, bob):
    put(ann)
    before = history()

    for verdict in ("APPROVED", "REJECTED"):
        answer = judge(ann, verdict)
        assert (answer.status_code, answer.json()["code"]) == (422, "SECOND_PERSON_NEEDED")

    assert Promotion.objects.get().status == "DRAFT"
    assert history() == before
    assert PromotionApproval.objects.get().state == "WAITING"


def test_what_is_rejected_does_not_go_live(ann, bob):
    put(ann)

    answer = judge(bob, "REJECTED", reason="Too much.")

    assert (answer.status_code, answer.json()["approval"]) == (200, "REJECTED")
    assert answer.json()["status"] == "DRAFT"
    assert history()[-1][1].endswith("asked for. Too much.")
    again = judge(bob)
    assert (again.status_code, again.json()["code"]) == (409, "NOTHING_WAITS")


def test_a_later_change_takes_the_place_of_what_waits(ann, bob):
    put(ann)
    put(ann, name="More coffee")

    assert [each.state for each in PromotionApproval.objects.order_by("pk")] == [
        "SUPERSEDED",
        "WAITING",
    ]
    assert judge(bob).json()["name"] == "More coffee"


def test_asking_for_the_same_again_changes_nothing(ann, bob):
    put(ann)
    put(ann)

    assert PromotionApproval.objects.count() == 1
    assert PromotionVersion.objects.count() == 1


def test_a_second_person_who_writes_the_same_has_not_approved_it(ann, bob):
    put(ann)

    answer = put(bob)

    assert answer.status_code == 202
    assert Promotion.objects.get().status == "DRAFT"


def test_pausing_needs_nobody_and_going_live_again_does(ann, bob):
    put(ann)
    judge(bob)

    assert ann.patch(URL, {"status": "PAUSED"}).json()["status"] == "PAUSED"
    again = ann.patch(URL, {"status": "LIVE", "reason": "Beans are back."})

    assert (again.status_code, again.json()["status"]) == (202, "PAUSED")
    assert PromotionApproval.objects.get(state="WAITING").asked_reason == "Beans are back."
    assert judge(bob).json()["status"] == "LIVE"


def test_pausing_takes_back_what_waits(ann, bob):
    put(ann)
    judge(bob)
    put(ann, name="More coffee")

    ann.patch(URL, {"status": "PAUSED"})

    assert judge(bob).json()["code"] == "NOTHING_WAITS"


def test_other_segments_of_a_live_one_wait_too(ann, bob):
    SegmentFactory(code="VIP")
    put(ann)
    judge(bob)

    answer = ann.post(f"{URL}segments/", {"include": ["VIP"]})

    assert (answer.status_code, answer.json()["audience"]["segments"]) == (202, [])
    assert judge(bob).json()["audience"]["segments"] == ["VIP"]


def test_rule_tests_run_again_when_it_is_approved(ann, bob, monkeypatch):
    test = {
        "name": "one coffee",
        "basket": {"occurred_at": "2026-01-05T12:00:00Z", "lines": [{"amount": "1.00"}]},
        "points": [{"type": "PTS", "points": 5}],
    }
    put(ann, tests=[test])
    wrong = {**test, "points": [{"type": "PTS", "points": 6}]}
    waiting = PromotionApproval.objects.get()
    waiting.definition = {**waiting.definition, "tests": [wrong]}
    waiting.save()

    answer = judge(bob)

    assert (answer.status_code, answer.json()["code"]) == (422, "RULE_TESTS_FAIL")
    assert Promotion.objects.get().status == "DRAFT"
    assert PromotionApproval.objects.get().state == "WAITING"


def test_what_is_gone_by_then_is_not_approved(ann, bob):
    SegmentFactory(code="VIP")
    put(ann, audience={"segments": ["VIP"]})
    Segment.objects.all().delete()

    answer = judge(bob)

    assert answer.status_code == 400
    assert PromotionApproval.objects.get().state == "WAITING"


def test_a_version_whose_start_has_passed_takes_over_when_it_is_approved(
    ann, bob, now, time_machine
):
    put(ann)
    judge(bob)
    put(ann, name="Later", effective_from=(now + timedelta(hours=1)).isoformat())

    time_machine.move_to(now + timedelta(hours=2))
    judge(bob)

    version = PromotionVersion.objects.get(number=2)
    assert version.effective_from >= now + timedelta(hours=2)


@pytest.mark.parametrize(
    "body", [{}, {"status": "LIVE", "approval": "APPROVED"}, {"approval": "MAYBE"}]
)
def test_a_status_or_a_verdict_and_not_both(body, ann, bob):
    put(ann)

    assert bob.patch(URL, body).status_code == 400
    assert PromotionApproval.objects.get().state == "WAITING"


def test_nothing_of_an_unknown_promotion_waits(ann):
    assert ann.patch("/promotions/NOTHING/", {"approval": "APPROVED"}).status_code == 404


def test_without_four_eyes_nothing_waits(house, program):
    assert put(house).status_code == 201
    assert judge(house).json()["code"] == "NOTHING_WAITS"


def test_an_earlier_version_does_not_go_live_behind_the_one_that_is_judged(ann, bob, now):
    put(ann, status="DRAFT", award={**COFFEE["award"], "points": 999})
    tomorrow = (now + timedelta(days=1)).isoformat()

    answer = put(ann, effective_from=tomorrow)

    assert answer.status_code == 400
    assert answer.json()["errors"][0]["pointer"] == "/effective_from"
    assert PromotionVersion.objects.count() == 1
    assert not PromotionApproval.objects.exists()
