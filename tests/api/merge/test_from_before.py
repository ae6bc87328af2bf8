"""What was posted before a merge is followed to the survivor."""

from datetime import timedelta

from ledger.models import Lot
from tests.api.merge.calls import figures, hold, merge, row, spend, undo
from tests.factories.ledger import give
from tests.factories.members import MemberFactory
from tests.factories.promotions import promotion


def test_an_earn_sent_again_after_the_merge_answers_the_first(house, till, old, kept, purchase):
    promotion()
    body = purchase(reference="R-1")
    first = till.post("/transactions/earn/", body)
    merge(house, old, kept)

    again = till.post("/transactions/earn/", body)

    assert (again.status_code, again.json()) == (200, first.json())
    assert again.headers["Idempotent-Replayed"] == "true"


def test_the_survivor_pays_debt_with_what_comes(house, till, old, kept, partner, now):
    give(old, 100)
    sale = give(kept, 60, partner=partner)
    spend(till, kept, 60, "X1", now)
    undo(till, "reverse-earn", "B1", sale.header.reference, now)
    assert figures(kept) == (0, 0, 0, 60)

    answer = merge(house, old, kept)

    assert answer["points"] == [row(available=100)]
    assert answer["balances"] == [row(available=40)]
    assert figures(kept) == (40, 0, 0, 0)


def test_debt_moves_and_is_paid_by_the_survivor(house, till, old, kept, partner, now):
    sale = give(old, 60, partner=partner)
    spend(till, old, 60, "X1", now)
    undo(till, "reverse-earn", "B1", sale.header.reference, now)
    give(kept, 25)

    answer = merge(house, old, kept)

    assert answer["points"] == [row(debt=60)]
    assert figures(kept) == (0, 0, 0, 35)
    assert figures(old) == (0, 0, 0, 35)  # The old number is the survivor's.


def test_an_earn_from_before_is_taken_back_from_the_survivor(house, till, old, kept, partner, now):
    sale = give(old, 100, partner=partner)
    spend(till, old, 30, "X1", now)
    merge(house, old, kept)
    spend(till, kept, 50, "X2", now)

    answer = undo(till, "reverse-earn", "B1", sale.header.reference, now)

    assert answer.status_code == 201
    assert answer.json()["shortfall"] == [{"type": "PTS", "points": 80, "treated": "DEBT"}]
    assert (answer.json()["member"], answer.json()["merged_from"]) == (kept.number, old.number)
    assert figures(kept) == (0, 0, 0, 80)
    again = undo(till, "reverse-earn", "B2", sale.header.reference, now)
    assert again.json()["code"] == "ALREADY_REVERSED"


def test_an_earn_that_was_spent_whole_before_is_owed_by_the_survivor(
    house, till, old, kept, partner, now
):
    sale = give(old, 100, partner=partner)
    spend(till, old, 100, "X1", now)
    give(kept, 40)
    merge(house, old, kept)

    answer = undo(till, "reverse-earn", "B1", sale.header.reference, now)

    assert answer.json()["shortfall"][0]["points"] == 100
    assert figures(kept) == (0, 0, 0, 60)


def test_a_redemption_from_before_comes_back_with_its_dates(house, till, old, kept, now):
    sale = give(old, 100, lives=timedelta(days=200))
    spend(till, old, 80, "X1", now)
    merge(house, old, kept)

    part = undo(till, "reverse-redemption", "B1", "X1", now, points=30)
    rest = undo(till, "reverse-redemption", "B2", "X1", now)

    assert (part.status_code, rest.status_code) == (201, 201)
    expires = Lot.objects.get(transaction_id=sale.id).expires_at
    assert [lot["points"] for lot in part.json()["lots"] + rest.json()["lots"]] == [30, 50]
    assert set(Lot.objects.filter(member=kept).values_list("expires_at", flat=True)) == {expires}
    assert figures(kept) == (100, 0, 0, 0)
    more = undo(till, "reverse-redemption", "B3", "X1", now)
    assert more.json()["code"] == "ALREADY_REVERSED"
    back = undo(till, "reverse-earn", "B4", sale.header.reference, now)
    assert back.json()["code"] == "TRANSACTION_NOT_FOUND"  # Another partner's sale.


def test_a_sale_whose_redemption_came_back_is_taken_back_whole(
    house, till, old, kept, partner, now
):
    sale = give(old, 100, partner=partner)
    spend(till, old, 80, "X1", now)
    merge(house, old, kept)
    undo(till, "reverse-redemption", "B1", "X1", now)

    answer = undo(till, "reverse-earn", "B2", sale.header.reference, now)

    assert answer.json()["shortfall"] == []
    assert figures(kept) == (0, 0, 0, 0)


def test_a_hold_from_before_is_captured_and_freed_under_its_id(house, till, old, kept, now):
    give(old, 100)
    lock = hold(till, old, 60, "L1")
    merge(house, old, kept)

    captured = spend(till, kept, 40, "X1", now, lock=lock, keep=True)
    freed = till.post("/transactions/unlock/", {"lock": lock, "reference": "U1"})

    assert (captured.status_code, freed.json()["unlocked"]) == (201, 20)
    assert figures(kept) == (60, 0, 0, 0)
    late = spend(till, kept, 1, "X2", now, lock=lock)
    assert late.json()["code"] == "LOCK_RESOLVED"


def test_a_hold_that_was_resolved_before_says_so_after(house, till, old, kept, now):
    give(old, 100)
    lock = hold(till, old, 60, "L1")
    till.post("/transactions/unlock/", {"lock": lock, "reference": "U1"})
    merge(house, old, kept)

    assert spend(till, kept, 1, "X1", now, lock=lock).json()["code"] == "LOCK_RESOLVED"


def test_a_sale_from_before_is_held_after(house, till, old, kept, partner, now):
    sale = give(old, 100, partner=partner)
    merge(house, old, kept)

    held = till.post("/transactions/lock/", {"original": {"id": str(sale.id)}, "reference": "L1"})

    assert held.json()["locked"] == 100
    assert figures(kept) == (0, 0, 100, 0)


def test_merged_twice_the_points_are_followed_to_the_last(house, till, old, kept, partner, now):
    sale = give(old, 100, partner=partner)
    spend(till, old, 10, "X1", now)
    last = MemberFactory()
    merge(house, old, kept)
    spend(till, kept, 20, "X2", now)
    merge(house, kept, last)

    undo(till, "reverse-redemption", "B1", "X1", now)
    undo(till, "reverse-redemption", "B2", "X2", now)
    assert figures(last) == (100, 0, 0, 0)
    answer = undo(till, "reverse-earn", "B3", sale.header.reference, now)

    assert answer.json()["shortfall"] == []
    assert figures(last) == (0, 0, 0, 0)
    assert answer.json()["merged_from"] == old.number
