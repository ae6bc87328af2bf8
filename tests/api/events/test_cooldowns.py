"""Cooldowns: how long an event that was rewarded keeps others off."""

from datetime import timedelta

import pytest

from promotions.models import MemberEvent
from tests.api.events.calls import event, send, set_type
from tests.factories.ledger import balance
from tests.factories.members import MemberFactory
from tests.factories.promotions import promotion
from tests.factories.vouchers import VoucherTypeFactory


def test_while_the_cooldown_lasts_an_event_gives_nothing_and_says_until_when(
    till, survey, member, now
):
    set_type(cooldown="PT48H")

    first = send(till, event(now - timedelta(hours=20)))
    second = send(till, event(now, "E2"))

    until = (now + timedelta(hours=28)).isoformat().replace("+00:00", "Z")
    assert first["cooldown"] == {"blocked": False, "reason": "COOLDOWN", "until": until}
    assert second["cooldown"] == {"blocked": True, "reason": "COOLDOWN", "until": until}
    assert (second["points"], second["awards"]) == ([], [])
    assert balance(member).available == 50
    assert send(till, event(now, "E2"), 200)["cooldown"] == second["cooldown"]


def test_a_blocked_event_does_not_lengthen_the_cooldown(till, survey, member, now):
    set_type(cooldown="PT24H")

    send(till, event(now - timedelta(hours=30)))
    send(till, event(now - timedelta(hours=20), "E2"))
    send(till, event(now - timedelta(hours=6), "E3"))

    assert balance(member).available == 100


def test_an_event_that_gave_nothing_keeps_none_off(till, survey, member, now):
    set_type(once_per="LIFE")

    send(till, event(now, attributes={"score": 1}))
    send(till, event(now, "E2"))

    assert balance(member).available == 50


def test_an_event_that_comes_late_is_kept_off_by_a_later_one(till, survey, member, now):
    set_type(cooldown="PT48H")

    send(till, event(now))
    late = send(till, event(now - timedelta(hours=40), "E2"))

    assert late["cooldown"]["blocked"]
    assert late["cooldown"]["until"] == (now + timedelta(hours=48)).isoformat().replace(
        "+00:00", "Z"
    )
    assert balance(member).available == 50


@pytest.mark.parametrize(
    ("once_per", "days", "given"),
    [("DAY", 1, 100), ("DAY", 0, 50), ("YEAR", 0, 50), ("LIFE", 20, 50)],
)
def test_a_type_may_be_rewarded_once_in_a_period(till, survey, member, now, once_per, days, given):
    set_type(once_per=once_per)

    send(till, event(now - timedelta(days=days)))
    send(till, event(now, "E2"))

    assert balance(member).available == given


def test_a_life_has_no_end(till, survey, now):
    set_type(once_per="LIFE")
    send(till, event(now))

    answer = send(till, event(now, "E2"))

    assert answer["cooldown"] == {"blocked": True, "reason": "ONCE_PER_LIFE", "until": None}


def test_cooldowns_are_the_members_own(till, survey, now):
    set_type(once_per="LIFE")
    other = MemberFactory(joined_at=now - timedelta(days=9))

    send(till, event(now))
    answer = send(till, event(now, "E2", member={"number": other.number}))

    assert [each["points"] for each in answer["points"]] == [50]


def test_an_event_may_give_vouchers_and_counts_only_if_there_were_any(till, survey, now):
    set_type(once_per="LIFE")
    VoucherTypeFactory(code="TENNER", stock=1)
    voucher = {"kind": "VOUCHER", "voucher_type": "TENNER", "quantity": 1}
    promotion("GOOD", trigger="EVENT", event="SURVEY", award=voucher)
    other = {"number": MemberFactory(joined_at=now - timedelta(days=9)).number}

    first = send(till, event(now))
    second = send(till, event(now, "E2", member=other))

    [reward] = first["rewards"]
    assert (reward["code"], len(reward["vouchers"])) == ("TENNER", 1)
    assert first["cooldown"]["reason"] == "ONCE_PER_LIFE"
    assert send(till, event(now), 200) == first
    assert second["rewards"] == []
    assert second["cooldown"] is None


def reverse(api, original, now, reference="REV"):
    body = {"original": original, "reference": reference, "occurred_at": now.isoformat()}
    return api.post("/transactions/reverse-earn/", body)


def test_what_an_event_gave_is_taken_back_and_its_cooldown_with_it(till, survey, member, now):
    set_type(once_per="LIFE")
    send(till, event(now))

    answer = reverse(till, {"reference": "E1"}, now)

    assert answer.status_code == 201
    assert [each["points"] for each in answer.json()["points"]] == [-50]
    assert balance(member).available == 0
    assert not MemberEvent.objects.exists()
    send(till, event(now, "E2"))
    assert balance(member).available == 50


def test_an_event_of_two_sides_rests_until_both_are_taken_back(till, survey, member, now):
    set_type(once_per="LIFE", two_sided=True)
    friend = MemberFactory()
    referral = {"referrer": {"number": friend.number}}
    mine = send(till, event(now, **referral))
    theirs = mine["referrer"]["id"]

    reverse(till, {"id": mine["id"]}, now)
    blocked = send(till, event(now, "E2", **referral))
    reverse(till, {"id": theirs}, now, "REV-2")
    again = send(till, event(now, "E3", **referral))

    assert blocked["cooldown"]["blocked"] is True
    assert [each["points"] for each in again["points"]] == [50]
    assert (balance(member).available, balance(friend).available) == (50, 50)


def test_a_purchase_goes_before_an_event_of_the_same_reference(till, survey, purchase, now):
    sale = till.post("/transactions/earn/", purchase(reference="E1")).json()
    given = send(till, event(now))

    assert reverse(till, {"reference": "E1"}, now).json()["original"] == sale["id"]
    named = reverse(till, {"reference": "E1", "kind": "BONUS"}, now, "REV-2")
    assert named.json()["original"] == given["id"]
