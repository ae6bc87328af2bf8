"""Threshold Redemption: above the member's limits, redemptions ask for a PIN."""

from datetime import timedelta
from decimal import Decimal

import pytest

from ledger.models import Transaction
from loyalty.models import Program
from members.models import Activity, RedemptionThreshold, StepUp
from tests.factories.credentials import PIN, limits, with_pin
from tests.factories.ledger import balance, give
from tests.factories.members import MemberFactory
from tests.factories.partners import PartnerFactory

URL = "/transactions/redeem/"


def eur(amount):
    return {"amount": amount, "currency": "EUR"}


@pytest.fixture
def ann(member):
    """A member with a PIN, and 1,000 points of a cent each."""
    give(member, 1000)
    return with_pin(member)


@pytest.fixture
def redemption(member, now):
    def make(points=60, reference="X1", **changes):
        return {
            "member": {"number": member.number},
            "reference": reference,
            "occurred_at": now.isoformat(),
            "type": "PTS",
            "points": points,
            **changes,
        }

    return make


def step_up(api, member, points=1000, pin=PIN, **changes):
    body = {"pin": pin, "purpose": "REDEEM", "points": points, "type": "PTS", **changes}
    return api.post(f"/members/{member.number}/pin/verify/", body).json()["step_up"]


def needs_step_up(response):
    return (response.status_code, response.json()["code"]) == (422, "STEP_UP_REQUIRED")


def test_above_the_limit_a_redemption_asks_for_the_pin(till, ann, redemption):
    limits(ann, per_transaction="1.00")
    assert till.post(URL, redemption(100, "X1")).status_code == 201

    refused = till.post(URL, redemption(101, "X2"))

    assert needs_step_up(refused)
    problem = refused.json()
    assert (problem["purpose"], problem["points"], problem["type_wanted"]) == (
        "REDEEM", 101, "PTS"
    )  # fmt: skip
    assert balance(ann).available == 900
    assert Transaction.objects.filter(kind="REDEMPTION").count() == 1


def test_a_step_up_lets_it_through_once(till, ann, redemption):
    limits(ann, per_transaction="0.50")
    token = step_up(till, ann)

    first = till.post(URL, redemption(60, "X1", step_up=token))
    second = till.post(URL, redemption(60, "X2", step_up=token))

    assert first.status_code == 201
    assert (second.status_code, second.json()["code"]) == (422, "STEP_UP_INVALID")
    assert balance(ann).available == 940
    row = StepUp.objects.get()
    assert (row.spent_on, row.spent_at) == ("X1", Transaction.objects.get(reference="X1").posted_at)


def test_the_replay_is_looked_for_before_the_step_up(till, ann, redemption):
    limits(ann, per_transaction="0.50")
    body = redemption(60, "X1", step_up=step_up(till, ann))
    first = till.post(URL, body)

    again = till.post(URL, body)
    without = till.post(URL, redemption(60, "X1"))

    assert [again.status_code, without.status_code] == [200, 200]
    assert again.json() == without.json() == first.json()


def test_a_redemption_that_is_refused_leaves_the_step_up(till, ann, redemption):
    limits(ann, per_transaction="0.50")
    token = step_up(till, ann, points=5000)

    refused = till.post(URL, redemption(2000, "X1", step_up=token))

    assert refused.json()["code"] == "INSUFFICIENT_POINTS"
    assert till.post(URL, redemption(60, "X1", step_up=token)).status_code == 201


def other_member(till, ann, api_of):
    return step_up(till, with_pin(MemberFactory()))


def other_partner(till, ann, api_of):
    return step_up(api_of(PartnerFactory()), ann)


def too_few(till, ann, api_of):
    return step_up(till, ann, points=59)


def other_type(till, ann, api_of):
    return step_up(till, ann, type="MILES")


def other_purpose(till, ann, api_of):
    body = {"pin": PIN, "purpose": "THRESHOLD"}
    return till.post(f"/members/{ann.number}/pin/verify/", body).json()["step_up"]


def too_late(till, ann, api_of):
    token = step_up(till, ann)
    StepUp.objects.update(expires_at=StepUp.objects.get().created_at)
    return token


@pytest.mark.parametrize(
    "of",
    [
        other_member,
        other_partner,
        too_few,
        other_type,
        other_purpose,
        too_late,
        lambda *_: "msu_unknown",
        lambda *_: "x",
    ],
)
def test_a_step_up_is_good_for_one_thing_only(of, till, ann, redemption, api_of):
    limits(ann, per_transaction="0.50")

    answer = till.post(URL, redemption(60, step_up=of(till, ann, api_of)))

    assert (answer.status_code, answer.json()["code"]) == (422, "STEP_UP_INVALID")
    assert balance(ann).available == 1000
    assert not StepUp.objects.exclude(spent_at=None).exists()


def test_the_programmes_limit_holds_where_the_member_set_none(till, ann, redemption):
    Program.objects.update(pin_above="0.50", epoch=9)

    assert needs_step_up(till.post(URL, redemption(51)))
    assert till.post(URL, redemption(50)).status_code == 201


def test_a_lower_maximum_of_the_programme_holds_at_once(till, ann, redemption):
    limits(ann, per_transaction="9.00")
    Program.objects.update(pin_above_at_most="0.50", epoch=9)

    assert needs_step_up(till.post(URL, redemption(51)))


def test_zero_asks_always(till, ann, redemption):
    limits(ann, per_transaction="0.00")

    assert needs_step_up(till.post(URL, redemption(1)))


def test_many_small_ones_do_not_get_round_the_limit_by_day(till, ann, redemption):
    limits(ann, per_day="1.00")
    answers = [till.post(URL, redemption(40, f"X{number}")) for number in range(3)]

    assert [each.status_code for each in answers] == [201, 201, 422]
    assert needs_step_up(answers[2])
    assert till.post(URL, redemption(40, "X3", step_up=step_up(till, ann))).status_code == 201
    assert balance(ann).available == 880


def test_another_time_of_the_till_is_no_other_day(till, ann, redemption, now):
    limits(ann, per_day="1.00")
    till.post(URL, redemption(100, "X1"))

    yesterday = redemption(1, "X2", occurred_at=(now - timedelta(days=1)).isoformat())

    assert needs_step_up(till.post(URL, yesterday))


def test_what_came_back_the_same_day_counts_no_more(till, ann, redemption, now):
    limits(ann, per_day="1.00")
    till.post(URL, redemption(100, "X1"))
    back = {"original": {"reference": "X1"}, "reference": "V1", "occurred_at": now.isoformat()}
    assert till.post("/transactions/reverse-redemption/", back).status_code == 201

    assert till.post(URL, redemption(100, "X2")).status_code == 201


def test_redemptions_of_one_batch_are_added_up(till, ann, redemption):
    limits(ann, per_day="1.00")
    items = [{"operation": "redeem", "body": redemption(40, f"X{number}")} for number in range(4)]

    answer = till.post("/transactions/batch/", {"items": items}).json()

    assert [each["status"] for each in answer["items"]] == [201, 201, 422, 422]
    assert balance(ann).available == 920


def test_a_step_up_in_a_batch_is_spent_by_what_it_lets_through(till, ann, redemption):
    limits(ann, per_transaction="0.10")
    token = step_up(till, ann)
    bodies = [redemption(5000, "X1", step_up=token), redemption(60, "X2", step_up=token)]
    bodies.append(redemption(60, "X3", step_up=token))
    items = [{"operation": "redeem", "body": body} for body in bodies]

    answer = till.post("/transactions/batch/", {"items": items}).json()

    assert [each["status"] for each in answer["items"]] == [422, 201, 422]
    assert answer["items"][2]["problem"]["code"] == "STEP_UP_INVALID"
    assert StepUp.objects.get().spent_on == "X2"


def test_offline_nobody_can_step_up_and_the_floor_is_free(till, ann, redemption):
    limits(ann, per_transaction="0.00", per_day="0.00")
    Program.objects.update(offline_floor="1.00", epoch=9)

    small = till.post(URL, redemption(100, "X1", offline=True))
    large = till.post(URL, redemption(101, "X2", offline=True))

    assert small.status_code == 201
    assert (large.status_code, large.json()["code"]) == (422, "OFFLINE_FLOOR")


def test_a_capture_follows_the_rules_of_redemption(till, ann, redemption):
    limits(ann, per_transaction="0.50")
    hold = {"member": {"number": ann.number}, "type": "PTS", "points": 80, "reference": "L1"}
    lock = till.post("/transactions/lock/", hold).json()["lock"]

    assert needs_step_up(till.post(URL, redemption(80, lock=lock)))
    assert till.post(URL, redemption(80, lock=lock, step_up=step_up(till, ann))).status_code == 201


def free(till, member):
    [status] = till.get(f"/members/{member.number}/points/").json()["types"]
    return status["without_pin_up_to"]


def test_point_status_tells_how_much_needs_no_pin(till, ann, redemption):
    assert free(till, ann) == 1000
    limits(ann, per_transaction="3.00")
    assert free(till, ann) == 300
    limits(ann, per_transaction="3.00", per_day="4.00")
    assert free(till, ann) == 300
    till.post(URL, redemption(250))
    assert free(till, ann) == 150
    limits(ann, per_transaction="0.00")
    assert free(till, ann) == 0


def test_what_limits_cost_in_statements(till, ann, redemption, statements):
    def cost(reference, **changes):
        statements.sent.clear()
        assert till.post(URL, redemption(10, reference, **changes)).status_code == 201
        return len(statements.sent)

    till.post(URL, redemption(1, "WARM"))
    assert cost("X1") == 2
    limits(ann, per_transaction="5.00")
    assert cost("X2") == 2
    limits(ann, per_transaction="5.00", per_day="50.00")
    assert cost("X3") == 3
    token = step_up(till, ann)
    assert cost("X4", step_up=token) == 3


# Setting the limits.


def url_of(member):
    return f"/members/{member.number}/redemption-threshold/"


def test_a_lower_limit_holds_at_once(session_of, till, ann, redemption):
    answer = session_of(ann).put(
        "/members/me/redemption-threshold/",
        {"per_transaction": eur("0.50"), "per_day": eur("1.00")},
    )

    assert answer.status_code == 200
    assert answer.json() == {
        "member": ann.number,
        "per_transaction": eur("0.50"),
        "per_day": eur("1.00"),
        "at_most": None,
    }
    assert needs_step_up(till.post(URL, redemption(51)))
    line = Activity.objects.get()
    assert (line.kind, line.actor_kind) == ("REDEMPTION_THRESHOLD_CHANGED", "MEMBER")
    assert line.data == {
        "before": {"per_transaction": None, "per_day": None},
        "after": {"per_transaction": "0.50", "per_day": "1.00"},
    }


@pytest.mark.parametrize(
    "body",
    [
        {"per_transaction": eur("0.51")},
        {"per_transaction": eur("0.50"), "per_day": eur("1.01")},
        {},
    ],
)
def test_a_higher_limit_needs_a_step_up(body, session_of, ann):
    limits(ann, "0.50", "1.00")
    api = session_of(ann)
    url = "/members/me/redemption-threshold/"

    refused = api.put(url, body)
    wrong = api.put(url, {**body, "step_up": step_up(api, MemberFactory.build(number="me"))})
    verify = {"pin": PIN, "purpose": "THRESHOLD"}
    token = api.post("/members/me/pin/verify/", verify).json()["step_up"]

    assert needs_step_up(refused)
    assert refused.json()["purpose"] == "THRESHOLD"
    assert wrong.json()["code"] == "STEP_UP_INVALID"
    assert RedemptionThreshold.objects.get().per_transaction == Decimal("0.50")
    assert api.put(url, {**body, "step_up": token}).status_code == 200
    limits(ann, "0.50", "1.00")
    assert api.put(url, {**body, "step_up": token}).json()["code"] == "STEP_UP_INVALID"


def test_nobody_goes_above_the_programmes_maximum(house, ann):
    Program.objects.update(pin_above_at_most="10.00")

    answer = house.put(url_of(ann), {"per_transaction": eur("5.00"), "per_day": eur("10.01")})

    assert (answer.status_code, answer.json()["code"]) == (422, "ABOVE_MAXIMUM")
    assert (answer.json()["at_most"], answer.json()["currency"]) == ("10.00", "EUR")
    assert not RedemptionThreshold.objects.exists()


def test_the_same_again_changes_nothing(house, ann):
    for _ in range(2):
        assert house.put(url_of(ann), {"per_transaction": eur("5.00")}).status_code == 200

    assert Activity.objects.count() == 1


def test_only_the_house_and_the_member_set_limits(till, house, ann):
    assert till.put(url_of(ann), {}).json()["scope"] == "pins:write"
    assert house.put(url_of(MemberFactory.build(number="9" * 10)), {}).status_code == 404


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"per_transaction": {"amount": "1.00", "currency": "USD"}}, "/per_transaction/currency"),
        ({"per_day": {"amount": "1.001", "currency": "EUR"}}, "/per_day/amount"),
        ({"per_day": {"amount": "-1", "currency": "EUR"}}, "/per_day/amount"),
        ({"per_day": {"amount": 1, "currency": "EUR"}}, "/per_day/amount"),
        ({"per_day": "1.00"}, "/per_day"),
        ({"step_up": ""}, "/step_up"),
        ({"points": 5}, "/points"),
    ],
)
def test_a_body_that_is_wrong_is_told_where(body, pointer, house, ann):
    answer = house.put(url_of(ann), body)

    assert answer.status_code == 400
    assert [each["pointer"] for each in answer.json()["errors"]] == [pointer]
    assert not RedemptionThreshold.objects.exists()
