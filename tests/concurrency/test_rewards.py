"""Vouchers and tickets under racing tills: never more than there are, no sale refused."""

import threading
from datetime import UTC, datetime

import msgspec
import pytest

from ledger.services.originals import Original
from ledger.services.reversal import ReversalRequest
from loyalty.errors import LoyaltyError
from partners.models import Partner
from promotions.engine.basket import Basket, BasketLine
from promotions.models import BudgetSlot, Sweepstake, Ticket
from promotions.services.earning import EarnRequest, earn
from promotions.services.reversals import reverse_earn
from promotions.services.rewarding import drawing, sweepstakes, tickets
from promotions.services.rewarding.sweepstakes import EntryRequest
from tests.concurrency.test_redemption import TILLS, race
from tests.factories.members import MemberFactory
from tests.factories.promotions import promotion
from tests.factories.sweepstakes import sweepstake
from tests.factories.vouchers import VoucherTypeFactory
from vouchers.models import Voucher, VoucherStock
from vouchers.services import postings, stock
from vouchers.services.postings import Order

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def house(committed_program):
    return Partner.objects.get(is_house=True)


def sell(member, partner, reference):
    now = datetime.now(UTC)
    return earn(
        EarnRequest(
            member={"number": member.number},
            partner_id=partner.pk,
            partner_code=partner.code,
            reference=reference,
            digest=b"one",
            basket=Basket(
                occurred_at=now, currency="EUR", lines=(BasketLine(1, "A", "1", "9.00"),)
            ),
        ),
        at=now,
    )


def race_sales(house, rounds=1):
    members = [MemberFactory() for _ in range(TILLS)]
    for turn in range(rounds):

        def act(till, turn=turn):
            sell(members[till], house, f"T{till}-{turn}")

        assert race(act) == ["done"] * TILLS


@pytest.mark.parametrize("at_most", [1, 7, 33, 40])
def test_no_more_vouchers_than_stock_and_no_sale_refused(house, at_most):
    VoucherTypeFactory(code="COFFEE", stock=at_most)
    promotion("CUP", award={"kind": "VOUCHER", "voucher_type": "COFFEE", "quantity": 2})

    race_sales(house)

    assert Voucher.objects.count() == at_most
    assert not sum(VoucherStock.objects.values_list("left", flat=True))


def test_two_types_of_vouchers_are_given_without_deadlock(house):
    for code in ("AB", "BA"):
        VoucherTypeFactory(code=code, stock=25)
        promotion(code, award={"kind": "VOUCHER", "voucher_type": code, "quantity": 1})
        promotion(f"{code}-2", award={"kind": "VOUCHER", "voucher_type": code, "quantity": 1})

    race_sales(house, rounds=2)

    assert Voucher.objects.count() == 50


def test_without_the_locks_of_the_stock_more_would_be_given_than_there_is(house, monkeypatch):
    """The guard: tills that read what is left, and take it unconditionally, give too many."""
    kind = VoucherTypeFactory(code="COFFEE", stock=5)
    promotion("CUP", award={"kind": "VOUCHER", "voucher_type": "COFFEE", "quantity": 2})
    seen = threading.Barrier(TILLS)

    def claim(voucher_type, quantity):
        left = stock.left_of([kind.pk])[kind.pk]
        seen.wait(timeout=30)
        return min(left, quantity)

    monkeypatch.setattr(stock, "claim_up_to", claim)

    race_sales(house)

    assert Voucher.objects.count() == 2 * TILLS > 5


def enter(member, house, reference, quantity=1):
    """Take free tickets, as the API does."""
    now = datetime.now(UTC)
    named = {"id": member.pk}
    request = EntryRequest(
        member=named,
        partner_id=house.pk,
        reference=reference,
        digest=b"one",
        occurred_at=now,
        sweepstake="SPRING",
        quantity=quantity,
        source="FREE",
    )
    order = Order(
        kind="TICKETS", member=named, partner_id=house.pk, reference=reference, digest=b"one"
    )

    def work(book, posting_id):
        return Entry(sweepstakes.enter(book, request, posting_id, at=now).tickets)

    return postings.post(order, work, at=now)


class Entry(msgspec.Struct):
    tickets: list[int]


def numbers():
    return sorted(Ticket.objects.values_list("number", flat=True))


def test_twenty_tills_at_a_members_maximum_give_exactly_it(house):
    sweepstake(at_most=7, free_per_member=100)
    member = MemberFactory()

    outcomes = race(lambda till: enter(member, house, f"T{till}"))

    assert outcomes == ["TICKET_LIMIT"] * 13 + ["done"] * 7
    assert numbers() == list(range(1, 8))


def test_sales_and_entries_at_once_give_exactly_the_maximum(house):
    sweepstake(at_most=7, free_per_member=100)
    promotion("LUCKY", award={"kind": "TICKET", "sweepstake": "SPRING", "quantity": 2})
    member = MemberFactory()

    def act(till):
        return sell(member, house, f"T{till}") if till % 2 else enter(member, house, f"T{till}")

    race(act)

    assert numbers() == list(range(1, 8))


def test_numbers_have_no_gap_whoever_enters(house):
    sweepstake(free_per_member=100)
    members = [MemberFactory() for _ in range(TILLS)]

    assert race(lambda till: enter(members[till], house, f"T{till}", 3)) == ["done"] * TILLS

    assert numbers() == list(range(1, 3 * TILLS + 1))


def test_the_same_reference_twenty_times_enters_once(house):
    sweepstake()
    member = MemberFactory()

    assert race(lambda till: enter(member, house, "SAME")) == ["done"] * TILLS

    assert numbers() == [1]


def test_no_ticket_comes_once_the_list_is_fixed(house):
    made = sweepstake(free_per_member=100)
    members = [MemberFactory() for _ in range(TILLS)]
    late = made.draws_at

    def act(till):
        if till == TILLS // 2:
            drawing.fix_list(made.pk, at=late)
        else:
            enter(members[till], house, f"T{till}")

    race(act)

    listed = Sweepstake.objects.get()
    assert len(drawing.list_of(listed)) == listed.last_number == len(numbers())
    drawing.record(made.pk, drawing.find_winners(listed), at=late)
    assert enter_refused(MemberFactory(), house)


def enter_refused(member, house):
    try:
        enter(member, house, "LATE")
    except LoyaltyError as error:
        return error.code == "SWEEPSTAKE_CLOSED"
    return False


def test_without_the_sweepstakes_lock_numbers_would_clash(house, monkeypatch):
    """The guard: tills that read the last number without its lock take the same one."""
    sweepstake(free_per_member=100)
    members = [MemberFactory() for _ in range(TILLS)]
    seen = threading.Barrier(TILLS)

    def unlocked(keys):
        rows = {row.pk: row for row in Sweepstake.objects.filter(pk__in=keys)}
        seen.wait(timeout=30)
        return rows

    monkeypatch.setattr(tickets, "locked", unlocked)

    outcomes = race(lambda till: enter(members[till], house, f"T{till}"))

    assert outcomes.count("IntegrityError") == TILLS - 1


def take_back(member, house, reference):
    now = datetime.now(UTC)
    return reverse_earn(
        ReversalRequest(
            original=Original(house.pk, reference=reference),
            partner_id=house.pk,
            reference=f"BACK-{reference}",
            digest=b"one",
            occurred_at=now,
        ),
        at=now,
    )


def test_sales_and_their_reversals_at_once_end_with_nothing_lost(house):
    """Stock, budget and tickets are wanted in one order, so nobody waits in a circle."""
    kind = VoucherTypeFactory(code="COFFEE", stock=100)
    sweepstake()
    budget = {"measure": "USES", "at_most": 160}
    award = {"kind": "VOUCHER", "voucher_type": "COFFEE", "quantity": 2}
    promotion("CUP", award=award, budget=budget)
    lucky = {"kind": "TICKET", "sweepstake": "SPRING", "quantity": 1}
    promotion("LUCKY", award=lucky, budget=budget)
    members = [MemberFactory() for _ in range(TILLS)]

    def act(till):
        for turn in range(3):
            sell(members[till], house, f"T{till}-{turn}")
            take_back(members[till], house, f"T{till}-{turn}")

    assert race(act) == ["done"] * TILLS

    assert stock.left_of([kind.pk]) == {kind.pk: 100}
    assert set(Voucher.objects.values_list("status", flat=True)) <= {"CANCELLED"}
    assert not Ticket.objects.filter(voided_at=None).exists()
    assert numbers() == list(range(1, len(numbers()) + 1))
    assert sum(BudgetSlot.objects.values_list("rest", flat=True)) == 320
