"""Lock, unlock, adjust, and the expiry of a percentage."""

from datetime import timedelta

import pytest

from ledger.models import Transaction
from tests.factories.ledger import balance, give

pytestmark = pytest.mark.usefixtures("member")


def test_a_sale_is_held_and_freed(till, member, partner):
    sale = give(member, 100, partner=partner)

    hold = till.post(
        "/transactions/lock/",
        {"original": {"id": str(sale.id)}, "reference": "L1", "reason": "Looks odd."},
    )

    assert (hold.status_code, hold.json()["locked"]) == (201, 100)
    assert balance(member).locked == 100
    free = till.post(
        "/transactions/unlock/", {"lock": hold.json()["lock"], "points": 30, "reference": "U1"}
    ).json()
    assert (free["unlocked"], free["locked"], free["expired"]) == (30, 70, 0)
    assert (
        till.post(
            "/transactions/unlock/", {"original": {"id": str(sale.id)}, "reference": "U2"}
        ).json()["unlocked"]
        == 70
    )
    resolved = till.post("/transactions/unlock/", {"lock": hold.json()["lock"], "reference": "U3"})
    assert (resolved.status_code, resolved.json()["code"]) == (409, "LOCK_RESOLVED")


def test_pending_points_of_a_held_sale_are_locked_on_their_release(till, member, partner, now):
    sale = give(member, 100, at=now - timedelta(days=3), pending=timedelta(days=9), partner=partner)
    till.post("/transactions/lock/", {"original": {"id": str(sale.id)}, "reference": "L1"})

    later = balance(member, at=now + timedelta(days=9))

    assert (later.available, later.locked, later.pending) == (0, 100, 0)


def test_a_lock_never_lengthens_a_lots_life(till, member, now):
    give(member, 100, at=now - timedelta(days=3), lives=timedelta(days=5))
    body = {"member": {"number": member.number}, "type": "PTS", "points": 60, "reference": "L1"}
    until = (now + timedelta(days=10)).isoformat()
    till.post("/transactions/lock/", {**body, "until": until})

    during = balance(member, at=now + timedelta(days=5))
    after = balance(member, at=now + timedelta(days=11))

    assert (during.available, during.locked, during.expired) == (0, 60, 40)
    assert (after.available, after.locked, after.expired) == (0, 0, 100)


def test_a_fraud_lock_needs_its_own_scope(till, house, member):
    give(member, 100)
    body = {
        "member": {"number": member.number},
        "type": "PTS",
        "points": 60,
        "reference": "L1",
        "class": "FRAUD",
    }

    refused = till.post("/transactions/lock/", body)
    placed = house.post("/transactions/lock/", body)

    assert (refused.status_code, refused.json()["scope"]) == (403, "points:freeze")
    assert placed.status_code == 201
    unseen = till.post("/transactions/unlock/", {"lock": placed.json()["lock"], "reference": "U"})
    assert (unseen.status_code, unseen.json()["code"]) == (404, "LOCK_NOT_FOUND")
    assert balance(member).locked == 60


def test_a_percentage_expires_half_up_and_soonest_first(house, member):
    give(member, 205, lives=timedelta(days=90))
    url = f"/members/{member.number}/points/expire/"
    body = {"type": "PTS", "percent": "10.00", "reason": "Inactive.", "reference": "E1"}

    preview = house.post(url, {**body, "dry_run": True}).json()
    first = house.post(url, body)
    again = house.post(url, body)

    assert preview == {"dry_run": True, "type": "PTS", "points": 21, "available": 205}
    assert first.json()["points"][0]["points"] == -21
    assert again.json() == first.json()
    assert balance(member).available == 184


def test_points_are_given_and_taken_by_hand_with_a_reason(house, member):
    body = {
        "member": {"number": member.number},
        "type": "PTS",
        "direction": "CREDIT",
        "points": 50,
        "reference": "A1",
        "reason": "Goodwill.",
    }
    given = house.post("/transactions/adjust/", body)
    taken = house.post(
        "/transactions/adjust/", {**body, "direction": "DEBIT", "points": 20, "reference": "A2"}
    )
    too_much = house.post(
        "/transactions/adjust/", {**body, "direction": "DEBIT", "points": 99, "reference": "A3"}
    )

    assert (given.status_code, taken.status_code) == (201, 201)
    assert (too_much.status_code, too_much.json()["missing"]) == (422, 69)
    assert balance(member).available == 30


def test_an_earn_is_taken_back_whole_and_what_was_spent_is_owed(till, member, purchase, now):
    from tests.factories.promotions import promotion

    promotion(award={"kind": "FIXED", "type": "PTS", "points": 100})
    till.post("/transactions/earn/", purchase(reference="SALE"))
    spend = {
        "member": {"number": member.number},
        "reference": "SPEND",
        "occurred_at": now.isoformat(),
        "type": "PTS",
        "points": 70,
    }
    till.post("/transactions/redeem/", spend)
    back = {"original": {"reference": "SALE"}, "reference": "BACK", "occurred_at": now.isoformat()}

    answer = till.post("/transactions/reverse-earn/", back)

    assert answer.status_code == 201
    assert answer.json()["points"][0]["points"] == -100
    assert answer.json()["shortfall"] == [{"type": "PTS", "points": 70, "treated": "DEBT"}]
    account = balance(member)
    assert (account.available, account.debt) == (0, 70)
    assert till.post("/transactions/reverse-earn/", back).json() == answer.json()
    again = till.post("/transactions/reverse-earn/", {**back, "reference": "BACK2"})
    assert (again.status_code, again.json()["code"]) == (409, "ALREADY_REVERSED")


@pytest.mark.parametrize(("policy", "debt", "status"), [("CLAMP", 0, 201), ("REFUSE", 0, 422)])
def test_other_policies_forgive_or_refuse(policy, debt, status, till, member, partner, now):
    from ledger.models import PointType

    PointType.objects.update(debt_policy=policy)
    sale = give(member, 100, partner=partner)
    spend = {
        "member": {"number": member.number},
        "reference": "SPEND",
        "occurred_at": now.isoformat(),
        "type": "PTS",
        "points": 70,
    }
    till.post("/transactions/redeem/", spend)
    before = Transaction.objects.count()

    body = {"original": {"id": str(sale.id)}, "reference": "BACK", "occurred_at": now.isoformat()}
    answer = till.post("/transactions/reverse-earn/", body)

    assert answer.status_code == status
    account = balance(member)
    assert account.debt == debt
    if policy == "CLAMP":
        assert answer.json()["shortfall"][0]["treated"] == "FORGIVEN"
        assert account.available == 0
    else:
        assert (account.available, Transaction.objects.count()) == (30, before)


def test_activity_moves_the_expiry_of_open_lots_forward(till, member, now, purchase):
    from ledger.models import Lot

    give(
        member,
        10,
        at=now - timedelta(days=50),
        lives=timedelta(days=60),
        expiry="P2M/ACTIVITY/NONE",
    )
    before = Lot.objects.get().expires_at
    from tests.factories.promotions import promotion

    promotion()
    till.post("/transactions/earn/", purchase())

    assert Lot.objects.get(expiry="P2M/ACTIVITY/NONE").expires_at > before
