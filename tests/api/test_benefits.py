"""Get All Benefits and Status Benefit Check."""

import threading
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.db import connection

from ledger.services import posting
from members.models import Activity, Member, Tier
from tests.conftest import Api
from tests.factories.members import MemberFactory
from tests.factories.partners import PartnerFactory, token_for
from tests.factories.vouchers import BenefitFactory, PlanFactory, VoucherTypeFactory
from vouchers.models import BenefitUse, Voucher

START = datetime(2026, 3, 16, 9, tzinfo=UTC)  # A Monday.


@pytest.fixture
def clock():
    with time_machine.travel(START, tick=False) as traveller:
        yield traveller


@pytest.fixture
def lounge(program, clock):
    return BenefitFactory(code="LOUNGE", tiers=["BASE"], quota=2, period="MONTH")


@pytest.fixture
def act(till, member):
    def send(action, reference=None, *, api=till, code="LOUNGE", **fields):
        body = {"action": action, **fields}
        if action != "check":
            body["reference"] = reference or f"{action}-1"
        return api.post(f"/members/{member.number}/benefits/{code}/", body)

    return send


def left(api, member):
    results = api.get(f"/members/{member.number}/benefits/").json()["results"]
    return {each["code"]: (each["used"], each["left"]) for each in results}


def test_what_a_member_is_entitled_to(lounge, till, member):
    BenefitFactory(code="FOR-GOLD", tiers=["GOLD"])

    answer = till.get(f"/members/{member.number}/benefits/")

    assert answer.json() == {
        "member": member.number,
        "results": [
            {
                "code": "LOUNGE",
                "name": "Lounge",
                "sources": ["TIER"],
                "quota": 2,
                "used": 0,
                "left": 2,
                "resets_at": "2026-03-31T22:00:00Z",
                "voucher_type": None,
            }
        ],
    }


def test_a_check_tells_and_writes_nothing(lounge, act, till, member):
    answer = act("check", quantity=2)

    assert answer.status_code == 200
    assert (answer.json()["eligible"], answer.json()["reasons"]) == (True, [])
    assert act("check", quantity=3).json()["reasons"][0]["code"] == "QUOTA_EMPTY"
    assert left(till, member) == {"LOUNGE": (0, 2)}


def test_a_quota_is_used_up_and_begins_anew(lounge, act, till, member, clock):
    act("avail", "a1")
    again = act("avail", "a1")
    act("avail", "a2")
    empty = act("avail", "a3")

    assert again.status_code == 200
    assert (empty.status_code, empty.json()["code"]) == (422, "QUOTA_EMPTY")
    assert empty.json()["resets_at"] == "2026-03-31T22:00:00Z"
    assert left(till, member) == {"LOUNGE": (2, 0)}
    clock.move_to(datetime(2026, 3, 31, 22, tzinfo=UTC))
    assert act("avail", "a4").status_code == 201
    assert Activity.objects.filter(kind="BENEFIT_USED").count() == 3


def test_a_rolling_quota_gives_back_each_use_a_period_later(lounge, act, clock):
    lounge.reset = "ROLLING"
    lounge.save()
    act("avail", "a1")
    clock.shift(timedelta(days=10))
    act("avail", "a2")

    assert act("avail", "a3").json()["resets_at"] == "2026-04-16T09:00:00Z"
    clock.move_to(datetime(2026, 4, 16, 9, tzinfo=UTC))
    assert act("avail", "a4").status_code == 201
    assert act("avail", "a5").status_code == 422


def test_a_use_is_undone(lounge, act, till, member, api_of):
    use = act("avail").json()["use"]

    foreign = act("undo", original=use, api=api_of(PartnerFactory()))
    undone = act("undo", original=use)

    assert foreign.json()["code"] == "USE_NOT_FOUND"
    assert undone.status_code == 201
    assert left(till, member) == {"LOUNGE": (0, 2)}
    assert act("undo", "u2", original=use).json()["code"] == "USE_NOT_FOUND"


def test_a_subscription_gives_its_benefits_and_takes_them_along(act, house, till, member, clock):
    PlanFactory(code="CLUB", benefits=["LOUNGE"])
    assert act("check").json()["reasons"][0]["reason"] == "TIER"
    sub = house.post(
        f"/members/{member.number}/subscriptions/",
        {"plan": "CLUB", "reference": "S1", "payment": {"status": "PAID"}},
    ).json()

    assert act("avail").json()["benefit"]["sources"] == ["SUBSCRIPTION"]
    assert str(BenefitUse.objects.get().subscription_id) == sub["id"]
    clock.shift(timedelta(days=60))
    assert act("check").json()["eligible"] is False


def test_a_used_benefit_takes_the_refund(act, house, member, clock):
    PlanFactory(code="CLUB", benefits=["LOUNGE"], refund="IF_UNUSED")
    url = f"/members/{member.number}/subscriptions/"
    refunds = []
    for number in range(2):
        key = house.post(
            url, {"plan": "CLUB", "reference": f"S{number}", "payment": {"status": "PAID"}}
        ).json()["id"]
        if number:
            act("avail")
        body = {"subscriptions": [key], "when": "NOW", "reference": f"C{number}"}
        refunds.append(house.post(f"{url}cancel/", body).json()["items"][0]["refund"]["amount"])

    assert refunds == ["12.00", "0.00"]


def test_an_allocation_comes_on_top(lounge, act, house, till, member):
    body = {"benefit": "LOUNGE", "quantity": 1, "reason": "Sorry", "reference": "G1"}
    house.post(f"/members/{member.number}/vouchers/", body)

    assert left(till, member) == {"LOUNGE": (0, 3)}
    for number in range(3):
        assert act("avail", f"a{number}").status_code == 201
    assert act("avail", "a9").status_code == 422
    use = BenefitUse.objects.exclude(allocation=None).get()
    act("undo", original=str(use.pk))
    assert left(till, member) == {"LOUNGE": (2, 1)}


def test_a_quota_may_begin_anew_with_a_tier(lounge, act, till, member, clock):
    lounge.on_tier_change, lounge.tiers = "FRESH", ["BASE", "SILVER"]
    lounge.save()
    act("avail", quantity=2)
    clock.shift(timedelta(hours=1))
    silver = Tier.objects.get(code="SILVER")
    Member.objects.filter(pk=member.pk).update(tier=silver, tier_since=datetime.now(UTC))

    assert left(till, member) == {"LOUNGE": (0, 2)}


def test_a_benefit_is_issued_as_a_voucher(lounge, act, till):
    lounge.voucher_type = VoucherTypeFactory(code="PASS", gives="TEXT", value=None, text="Let in")
    lounge.save()

    done = act("issue").json()
    code = done["vouchers"][0]["code"]

    assert done["benefit"]["left"] == 1
    assert done["vouchers"][0]["origin"] == "BENEFIT"
    use = till.post("/vouchers/authenticate/", {"code": code, "action": "use", "reference": "V1"})
    assert use.status_code == 201
    refused = act("undo", original=done["use"])
    assert refused.json()["code"] == "VOUCHER_USED"
    assert BenefitUse.objects.get().undone_at is None


def test_undoing_an_unused_voucher_cancels_it(lounge, act, till, member):
    lounge.voucher_type = VoucherTypeFactory(code="PASS", gives="TEXT", value=None, text="Let in")
    lounge.save()
    done = act("issue").json()

    act("undo", original=done["use"])

    assert Voucher.objects.get().status == "CANCELLED"
    assert left(till, member) == {"LOUNGE": (0, 2)}


def test_what_is_only_had_on_the_spot_is_not_issued(lounge, act):
    answer = act("issue").json()

    assert (answer["code"], answer["reason"]) == ("NOT_ELIGIBLE", "ON_THE_SPOT")
    assert not BenefitUse.objects.exists()


def test_reasons_are_told(lounge, act, member):
    lounge.outlets = ["S1"]
    lounge.save()
    assert act("check", outlet="S2").json()["reasons"][0]["reason"] == "OUTLET"
    lounge.partners.add(PartnerFactory())
    assert act("check").json()["reasons"][0]["reason"] == "PARTNER"
    Member.objects.filter(pk=member.pk).update(stage="SUSPENDED")
    assert act("avail").json()["reason"] == "STAGE"
    assert not BenefitUse.objects.exists()


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"action": "avail"}, "/reference"),
        ({"action": "undo", "reference": "x"}, "/original"),
        ({"action": "check", "original": "0198c0de-0000-7000-8000-000000000000"}, "/original"),
        ({"action": "avail", "reference": "x", "quantity": 0}, "/quantity"),
    ],
)
def test_what_does_not_fit_is_named(lounge, till, member, fields, pointer):
    answer = till.post(f"/members/{member.number}/benefits/LOUNGE/", fields)

    assert answer.json()["errors"][0]["pointer"] == pointer


def test_an_unknown_benefit_is_not_there(act, clock):
    assert act("check").json()["code"] == "BENEFIT_NOT_FOUND"


def test_the_benefits_are_listed(lounge, house):
    assert [each["code"] for each in house.get("/program/benefits/").json()["results"]] == [
        "LOUNGE"
    ]


def race():
    member, api, done = MemberFactory(), Api(token_for()), []

    def run(place):
        body = {"action": "avail", "reference": f"a{place}"}
        done.append(api.post(f"/members/{member.number}/benefits/LOUNGE/", body).status_code)
        connection.close()

    threads = [threading.Thread(target=run, args=[place]) for place in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sorted(done)


def test_two_tills_at_once_one_wins(committed_program):
    BenefitFactory(code="LOUNGE", tiers=["BASE"], quota=1)

    assert race() == [201] + [422] * 9


def test_without_the_books_lock_several_would_win(committed_program, monkeypatch):
    """Prove that the race above is a real one."""
    from ledger.queries.books import read
    from vouchers.services import benefits

    BenefitFactory(code="LOUNGE", tiers=["BASE"], quota=1)
    barrier = threading.Barrier(10)
    judge = benefits.judge

    def slowly(*arguments):
        judge(*arguments)
        barrier.wait(timeout=10)

    monkeypatch.setattr(posting, "lock", lambda member, *, at, **_: read(member, at=at))
    monkeypatch.setattr(benefits, "judge", slowly)

    assert race() == [201] * 10
