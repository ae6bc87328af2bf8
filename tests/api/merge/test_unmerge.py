"""Two members parted again, as long as nothing was touched."""

from datetime import timedelta

import pytest

from ledger.models import PointLock, Transaction
from members.models import (
    Activity,
    Alias,
    Card,
    Member,
)
from tests.api.merge.calls import figures, hold, merge, row, spend, undo, unmerge
from tests.factories.ledger import give
from tests.factories.members import AliasFactory


def test_what_was_not_touched_goes_back(house, till, old, kept, now):
    give(kept, 7, lives=timedelta(days=30))
    give(old, 100, lives=timedelta(days=90))
    give(old, 30, pending=timedelta(days=9))
    lock = hold(till, old, 25, "L1")
    AliasFactory(member=old)
    Member.objects.filter(pk=old.pk).update(stage="SUSPENDED")
    merge(house, old, kept)
    spend(till, kept, 5, "X1", now)  # Of the survivor's own, which expire sooner.

    answer = unmerge(house, old)

    assert answer.status_code == 200
    assert answer.json()["points"] == [row(available=75, pending=30, locked=25)]
    assert figures(old) == (75, 30, 25, 0)
    assert figures(kept) == (2, 0, 0, 0)
    old.refresh_from_db()
    assert (old.stage, old.merged_into) == ("SUSPENDED", None)
    assert Card.objects.get(number="6275000000000017").member == old
    assert Alias.objects.get().member == old
    assert PointLock.objects.get(pk=lock).member_id == old.pk
    freed = till.post("/transactions/unlock/", {"lock": lock, "reference": "U1"})
    assert freed.json()["unlocked"] == 25
    assert unmerge(house, old).json()["code"] == "NOT_MERGED"
    kinds = Activity.objects.filter(member=old).order_by("id").values_list("kind", flat=True)
    assert list(kinds) == ["MERGED", "UNMERGED"]


def test_they_may_be_merged_again_and_the_sale_is_still_followed(
    house, till, old, kept, partner, now
):
    sale = give(old, 100, partner=partner)
    spend(till, old, 10, "X1", now)
    merge(house, old, kept)
    unmerge(house, old)
    merge(house, old, kept)
    undo(till, "reverse-redemption", "B1", "X1", now)

    answer = undo(till, "reverse-earn", "B2", sale.header.reference, now)

    assert answer.json()["shortfall"] == []
    assert figures(kept) == (0, 0, 0, 0)


@pytest.mark.parametrize("touch", ["spent", "held", "taken back", "debt paid", "closed"])
def test_a_merge_that_was_touched_is_not_undone(touch, house, till, old, kept, partner, now):
    sale = give(old, 100, partner=partner)
    if touch == "debt paid":
        owed = give(kept, 20, partner=partner)
        spend(till, kept, 20, "X0", now)
        undo(till, "reverse-earn", "B0", owed.header.reference, now)
    merge(house, old, kept)
    if touch == "spent":
        spend(till, kept, 1, "X1", now)
    if touch == "held":
        hold(till, kept, 1, "L1")
    if touch == "taken back":
        undo(till, "reverse-earn", "B1", sale.header.reference, now)
    if touch == "closed":
        body = {"member": {"number": kept.number}, "stage": "CLOSED", "reason": "Left."}
        house.post("/members/stage/", body)
    before = Transaction.objects.count()

    answer = unmerge(house, old)

    assert (answer.status_code, answer.json()["code"]) == (409, "MERGE_TOUCHED")
    assert answer.json()["touched"]
    assert Transaction.objects.count() == before
    assert Member.objects.get(pk=old.pk).stage == "MERGED"


def test_time_alone_touches_nothing(house, till, old, kept, now):
    give(old, 100, at=now - timedelta(days=3), pending=timedelta(days=2, hours=23, minutes=59))
    merge(house, old, kept)
    from ledger.services.settlement import settle_chunk

    settle_chunk(after=0, at=now + timedelta(days=2))

    assert unmerge(house, old).status_code == 200
    assert figures(old, at=now + timedelta(days=2)) == (100, 0, 0, 0)


def test_a_retry_under_one_key_merges_once(house, old, kept):
    give(old, 100)
    body = {"from": {"number": old.number}, "into": {"number": kept.number}, "reason": "One."}
    first = house.post("/members/merge/", body, **{"Idempotency-Key": "K"})

    again = house.post("/members/merge/", body, **{"Idempotency-Key": "K"})

    assert (again.status_code, again.content) == (200, first.content)
    assert Transaction.objects.filter(kind="TRANSFER").count() == 2


def test_nobody_of_this_number_was_merged(house, old):
    assert unmerge(house, old).json()["code"] == "NOT_MERGED"
    answer = house.post("/members/unmerge/", {"number": "9999999999", "reason": "x"})
    assert answer.json()["code"] == "NOT_MERGED"
