"""Purchases made before the enrolment: earned for a while, once, at what was held then."""

from datetime import timedelta

import pytest

from ledger.models import Transaction
from loyalty.models import Program
from members.models import SegmentMember
from tests.api.test_manual_tier_update import put
from tests.factories.ledger import balance
from tests.factories.members import MemberFactory
from tests.factories.promotions import promotion
from tests.factories.segments import SegmentFactory
from tests.factories.tiers import ladder

PLAIN = {"lines": None, "amount": "10.00", "discount": None, "tenders": None}


@pytest.fixture
def joined(member, now):
    """A member who enrolled three days ago, and a point for each euro."""
    promotion()
    member.joined_at = now - timedelta(days=3)
    member.save()
    return member.joined_at


def claim(till, purchase, when, status=201, **changes):
    response = till.post(
        "/transactions/earn/", purchase(occurred_at=when.isoformat(), **PLAIN, **changes)
    )
    assert response.status_code == status, response.json()
    return response.json()


def test_a_purchase_before_the_enrolment_may_be_claimed(till, purchase, member, joined):
    answer = claim(till, purchase, joined - timedelta(days=7))

    assert [a["points"] for a in answer["awards"]] == [10]
    assert balance(member).available == 10


def test_an_older_one_is_refused(till, purchase, joined):
    first = joined - timedelta(days=7)

    for path in ("earn", "evaluate"):
        body = purchase(occurred_at=(first - timedelta(seconds=1)).isoformat(), **PLAIN)
        answer = till.post(f"/transactions/{path}/", body)

        assert (answer.status_code, answer.json()["code"]) == (422, "TOO_OLD")
        assert answer.json()["accepted_from"] == first.isoformat().replace("+00:00", "Z")
    assert not Transaction.objects.exists()


def test_the_window_is_the_programmes(till, purchase, joined):
    Program.objects.update(claim_window=timedelta(days=1), epoch=9)

    claim(till, purchase, joined - timedelta(days=1, seconds=1), 422)
    claim(till, purchase, joined - timedelta(days=1))


def test_two_members_cannot_claim_one_receipt(till, purchase, now, joined):
    other = MemberFactory()
    when = joined - timedelta(days=1)
    claim(till, purchase, when, reference="RECEIPT-1")

    for who in ({"number": other.number}, {"card": "6275000000000017"}):
        body = purchase(
            occurred_at=when.isoformat(),
            **{**PLAIN, "amount": "10.01"},
            reference="RECEIPT-1",
            member=who,
        )
        answer = till.post("/transactions/earn/", body)
        assert (answer.status_code, answer.json()["code"]) == (409, "REFERENCE_CONFLICT")
    assert balance(other).available == 0


def test_it_earns_at_the_tier_of_the_enrolment(till, house, purchase, member, joined, now):
    ladder()
    gift = {"kind": "FIXED", "type": "PTS", "points": 500}
    promotion("GOLD", award=gift, audience={"tiers": ["GOLD"]})
    put(house, member, "GOLD")

    evaluated = till.post(
        "/transactions/evaluate/",
        purchase(occurred_at=(joined - timedelta(days=1)).isoformat(), **PLAIN),
    ).json()
    claimed = claim(till, purchase, joined - timedelta(days=1))
    late = claim(till, purchase, joined + timedelta(days=1))

    assert [a["promotion"] for a in evaluated["awards"]] == ["BASE"]
    assert [a["promotion"] for a in claimed["awards"]] == ["BASE"]
    assert claimed["tier"] == {"before": "GOLD", "after": "GOLD"}
    assert sorted(a["promotion"] for a in late["awards"]) == ["BASE", "GOLD"]


def test_it_earns_in_the_segments_of_the_enrolment(till, purchase, member, joined, now):
    for code, since in (("THEN", joined), ("SINCE", joined + timedelta(days=1))):
        segment = SegmentFactory(code=code)
        SegmentMember.objects.create(segment=segment, member=member, since=since)
        gift = {"kind": "FIXED", "type": "PTS", "points": 500}
        promotion(f"FOR-{code}", award=gift, audience={"segments": [code]})

    claimed = claim(till, purchase, joined - timedelta(days=1))
    late = claim(till, purchase, joined + timedelta(days=1))

    assert sorted(a["promotion"] for a in claimed["awards"]) == ["BASE", "FOR-THEN"]
    assert sorted(a["promotion"] for a in late["awards"]) == ["BASE", "FOR-SINCE", "FOR-THEN"]


def test_a_members_limits_count_what_is_claimed(till, purchase, member, joined):
    limit = {"per": "MEMBER", "period": "LIFE", "measure": "POINTS", "at_most": 15}
    promotion("BASE", limits=[limit], condition="member.joined_days < 900")

    given = [
        sum(a["points"] for a in claim(till, purchase, when)["awards"])
        for when in (joined - timedelta(days=1), joined - timedelta(days=2), joined)
    ]

    assert given == [10, 5, 0]


def test_a_till_a_little_behind_sells_to_a_new_member_as_to_any(
    till, purchase, member, joined, statements
):
    claim(till, purchase, joined)
    statements.sent.clear()

    claim(till, purchase, joined - timedelta(minutes=4))

    assert len(statements.sent) == 2


def test_a_late_sale_of_a_merged_member_is_no_claim(till, house, purchase, member, joined, now):
    survivor = MemberFactory(joined_at=now - timedelta(hours=1))
    body = {"from": {"number": member.number}, "into": {"number": survivor.number}}
    merged = house.post("/members/merge/", {**body, "reason": "One person."})
    assert merged.status_code == 200, merged.json()

    late = claim(till, purchase, joined + timedelta(days=1))
    old = claim(till, purchase, joined - timedelta(days=8), 422)

    assert [a["points"] for a in late["awards"]] == [10]
    assert old["code"] == "TOO_OLD"
