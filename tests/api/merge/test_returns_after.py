"""Items that come back, and calls that are voided, after their member was merged: all exact."""

import pytest

from ledger.models import Account, Lot
from promotions.models import BudgetSlot, LimitCounter
from tests.api.all_transaction.calls import URL, of_sale, sell, visit, voucher
from tests.api.merge.calls import merge
from tests.api.test_void import VOID
from tests.factories.ledger import balance, give
from tests.factories.promotions import promotion
from tests.factories.tiers import ladder, measured
from tests.factories.vouchers import BenefitFactory
from vouchers.models import BenefitUse, Voucher

__all__ = ["sell", "visit", "voucher"]
FIFTY = [{"line": 1, "sku": "A", "quantity": "5", "amount": "50.00"}]


@pytest.fixture(autouse=True)
def rules(program):
    limit = {"per": "MEMBER", "period": "DAY", "measure": "POINTS", "at_most": 10_000}
    promotion(budget={"measure": "POINTS", "at_most": 100_000}, limits=[limit])
    ladder(silver="60.00", gold="140.00")
    BenefitFactory(code="PARKING", tiers=["BASE", "SILVER", "GOLD"], quota=10)


def void(till, made, now):
    body = {"original": {"id": made["id"]}, "reference": "VOID", "occurred_at": now.isoformat()}
    answer = till.post(VOID, body)
    assert answer.status_code == 201, answer.json()
    return answer.json()


def figures(member):
    found = balance(member)
    return (found.available, found.pending, found.locked, found.debt)


def spend(till, member, points, now):
    body = {"member": {"number": member.number}, "type": "PTS", "points": points}
    common = {"reference": "SPENT", "occurred_at": now.isoformat()}
    assert till.post("/transactions/redeem/", {**body, **common}).status_code == 201


def test_items_come_back_of_the_survivors_points(till, house, old, kept, sell, now):
    sale = sell()
    merge(house, old, kept)
    common = {"reference": "RET", "occurred_at": now.isoformat()}

    answer = till.post("/transactions/return-items/", {**of_sale(sale, "2"), **common})

    assert answer.status_code == 201, answer.json()
    assert [(p["points"], p["available_after"]) for p in answer.json()["points"]] == [(-20, 30)]
    assert measured(kept)[("SPEND", now.date().isoformat())] == 3000


@pytest.mark.parametrize("named", ["old", "kept"])
def test_they_come_back_in_a_call_of_the_survivor(till, house, old, kept, sell, visit, now, named):
    sale = sell()
    merge(house, old, kept)
    number = (old if named == "old" else kept).number

    made = till.post(URL, visit(member={"number": number}, returns=[of_sale(sale, "2")]))

    assert made.status_code == 201, made.json()
    assert figures(kept) == (40, 0, 0, 0)
    void(till, made.json(), now)
    assert figures(kept) == (50, 0, 0, 0)


def test_what_was_spent_before_the_merge_is_owed_and_by_a_void_no_more(
    till, house, old, kept, sell, visit, now
):
    sale = sell()
    spend(till, old, 45, now)
    merge(house, old, kept)

    made = till.post(
        URL, visit(member={"number": kept.number}, lines=None, returns=[of_sale(sale, "3")])
    ).json()
    assert figures(kept) == (0, 0, 0, 25)

    void(till, made, now)
    assert figures(kept) == (5, 0, 0, 0)


def test_a_call_from_before_the_merge_is_voided_whole(
    till, house, old, kept, sell, visit, voucher, now
):
    give(old, 1000)
    sale, code = sell(), voucher(value="30.00", in_parts=True)
    before = (
        sum(LimitCounter.objects.values_list("amount", flat=True)),
        sum(BudgetSlot.objects.values_list("rest", flat=True)),
        measured(old),
        figures(old),
    )
    made = till.post(
        URL,
        visit(
            lines=FIFTY,
            returns=[of_sale(sale, "2")],
            vouchers=[{"code": code, "amount": "12.00"}],
            benefits=[{"code": "PARKING"}],
            burn=[{"type": "PTS", "points": 300}],
        ),
    ).json()
    merge(house, old, kept)

    void(till, made, now)

    assert before == (
        sum(LimitCounter.objects.values_list("amount", flat=True)),
        sum(BudgetSlot.objects.values_list("rest", flat=True)),
        measured(kept),
        figures(kept),
    )
    assert str(Voucher.objects.get().left) == "30.00"
    assert not BenefitUse.objects.filter(undone_at=None).exists()
    assert Account.objects.get(member=old).available == 0
    assert Lot.objects.filter(member=kept, moved_from__isnull=False).exists()


def test_a_return_from_before_the_merge_that_took_pending_points_is_undone(
    till, house, old, kept, visit, now, sell
):
    promotion("LATER", award={"kind": "FIXED", "type": "PTS", "points": 30}, pending="P14D")
    sale = sell()
    made = till.post(URL, visit(lines=None, returns=[of_sale(sale, "5")])).json()
    assert figures(old) == (0, 0, 0, 0)
    merge(house, old, kept)

    void(till, made, now)

    assert figures(kept) == (50, 30, 0, 0)
