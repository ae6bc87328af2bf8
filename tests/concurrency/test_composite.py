"""Calls of several parts at once: one voucher, one balance, one sale; and that the races are real."""

import contextlib
import threading
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db.utils import IntegrityError, OperationalError

from ledger.models import Transaction
from ledger.services import posting
from ledger.services.burning import Burn
from ledger.services.originals import Original
from ledger.services.reversal import ReversalRequest
from loyalty.caller import Actor
from partners.models import Partner
from promotions.engine.basket import Basket, BasketLine
from promotions.services import returns
from promotions.services.calls import composite, voids
from promotions.services.calls.composite_unit import CompositeRequest
from promotions.services.calls.payment import VoucherToUse
from promotions.services.earning import EarnRequest
from promotions.services.returns import ReturnLine, ReturnRequest
from tests.api.test_voucher_authentication import issued
from tests.concurrency.test_redemption import TILLS, _load, race
from tests.factories.ledger import balance, give
from tests.factories.members import MemberFactory
from tests.factories.promotions import promotion
from tests.factories.vouchers import VoucherTypeFactory
from vouchers.models import Voucher, VoucherUse
from vouchers.services import authentication

pytestmark = pytest.mark.django_db(transaction=True)
BY = Actor.system("test")


def request(member: Any, reference: str, **changes: Any) -> CompositeRequest:
    """A purchase of 10.00 with what else is given."""
    house = Partner.objects.get(is_house=True)
    earn = EarnRequest(
        member={"id": member.pk},
        partner_id=house.pk,
        partner_code=house.code,
        reference=reference,
        digest=reference.encode(),
        basket=Basket(
            occurred_at=datetime.now(UTC),
            currency="EUR",
            lines=(BasketLine(1, "A", "5", "10.00"),),
        ),
    )
    return CompositeRequest(earn=earn, by=BY, **changes)


def call(member: Any, reference: str, **changes: Any) -> Any:
    return composite.post_composite(request(member, reference, **changes), at=datetime.now(UTC))


def reversal(original: Any, reference: str) -> ReversalRequest:
    return ReversalRequest(
        original=Original(original.partner_id, id=original.pk),
        partner_id=original.partner_id,
        reference=reference,
        digest=reference.encode(),
        occurred_at=datetime.now(UTC),
    )


@pytest.fixture
def ann(committed_program):
    return MemberFactory()


@pytest.fixture
def bearer(ann):
    """A voucher of nobody: no book keeps two tills apart, its own row must."""
    give(ann, 1)  # The programme's first posting holds its row: here it is not the first.
    issued(VoucherTypeFactory(code="FIVE"), ann, datetime.now(UTC) - timedelta(minutes=1))
    Voucher.objects.update(member=None)
    return VoucherToUse(Voucher.objects.get().pk)


def test_one_voucher_pays_in_one_of_twenty_calls(bearer):
    members = [MemberFactory() for _ in range(TILLS)]

    outcomes = race(lambda till: call(members[till], f"T{till}", vouchers=(bearer,)))

    assert outcomes == ["VOUCHER_USED"] * (TILLS - 1) + ["done"]
    assert VoucherUse.objects.count() == 1
    assert Transaction.objects.filter(sale__isnull=False).count() == 1


def test_without_the_lock_of_its_row_it_would_pay_twice(bearer, monkeypatch):
    """The guard: two tills that judge the voucher by what they read use it both."""
    members = [MemberFactory() for _ in range(2)]
    read = threading.Barrier(2)

    def unlocked(voucher_id):
        found = Voucher.objects.select_related("voucher_type").get(pk=voucher_id)
        read.wait(timeout=20)
        return found

    monkeypatch.setattr(authentication, "locked", unlocked)

    outcomes = race(lambda till: call(members[till], f"T{till}", vouchers=(bearer,)), tills=2)

    assert outcomes == ["done", "done"]
    assert VoucherUse.objects.count() == 2


@pytest.fixture
def collisions(monkeypatch):
    """Return the list of writes that found their book written by another meanwhile."""
    found, write = [], posting.write_many

    def counting(*arguments, **options):
        try:
            return write(*arguments, **options)
        except (IntegrityError, OperationalError) as error:
            found.append(error)
            raise

    monkeypatch.setattr(posting, "write_many", counting)
    return found


def burn_300(member):
    burns = (Burn(point_type="PTS", points=300),)
    return race(lambda till: call(member, f"T{till}", burns=burns))


def test_one_balance_is_burned_as_far_as_it_goes(ann, collisions):
    give(ann, 1000)

    assert burn_300(ann) == ["INSUFFICIENT_POINTS"] * (TILLS - 3) + ["done"] * 3
    assert balance(ann).available == 100
    assert Transaction.objects.filter(kind="EARN", sale__isnull=False).count() == 3
    assert not collisions


@pytest.mark.broken_books
def test_without_the_lock_of_the_book_many_would_burn_the_same_points(ann, monkeypatch, collisions):
    """The guard: twenty tills see 1,000 points each; the version of the book alone stops them."""
    give(ann, 1000)
    loaded = threading.Barrier(TILLS)

    def unlocked(member, *, at, **options):
        book = posting.LockedBook(posting.opened_book(_load(member["id"], at), at))
        with contextlib.suppress(threading.BrokenBarrierError):
            loaded.wait(timeout=20)
        loaded.abort()  # Whoever tries again waits for nobody.
        return book

    monkeypatch.setattr(posting, "lock", unlocked)

    burn_300(ann)

    assert collisions


def test_a_void_and_a_return_of_the_same_call_do_not_both_go_through(ann):
    promotion()
    made = call(ann, "BILL").transaction
    sale = Transaction.objects.get(pk=made.id)
    lines = (ReturnLine(1, 10_000, None),)

    def act(till):
        now = datetime.now(UTC)
        if till % 2:
            return returns.return_items(ReturnRequest(reversal(sale, f"R{till}"), lines), at=now)
        return voids.void_composite(reversal(sale, f"V{till}"), by=BY, at=now)

    outcomes = race(act, tills=4)

    voided = Transaction.objects.filter(kind="EARN_REVERSAL").count()
    returned = Transaction.objects.filter(kind="RETURN").count()
    assert (voided, returned) in {(1, 0), (0, 2)}
    refusals = {(1, 0): ["ALREADY_REVERSED"] * 3, (0, 2): ["PART_REVERSED"] * 2}
    assert outcomes == [*refusals[voided, returned], *["done"] * (voided + returned)]
    assert balance(ann).available == (0 if voided else 6)


@pytest.mark.broken_books
def test_checked_before_the_lock_both_would_go_through(ann, monkeypatch):
    """The guard: a void that looks for parts taken back before it holds the book sees none."""
    promotion()
    sale = Transaction.objects.get(pk=call(ann, "BILL").transaction.id)
    lines, looked, returned = (ReturnLine(1, 10_000, None),), threading.Event(), threading.Event()
    check, find = voids._check_whole, voids.original_of

    def find_and_check(original, *kinds):
        found = find(original, *kinds)
        check(found, [found], [], [])
        looked.set()
        returned.wait(timeout=20)
        return found

    monkeypatch.setattr(voids, "original_of", find_and_check)
    monkeypatch.setattr(voids, "_check_whole", lambda *seen: None)

    def act(till):
        now = datetime.now(UTC)
        if till:
            looked.wait(timeout=20)
            returns.return_items(ReturnRequest(reversal(sale, "R"), lines), at=now)
            returned.set()
        else:
            voids.void_composite(reversal(sale, "V"), by=BY, at=now)

    assert race(act, tills=2) == ["done", "done"]
    kinds = Transaction.objects.filter(original=sale.pk).values_list("kind", flat=True)
    assert sorted(kinds) == ["EARN_REVERSAL", "RETURN"]


def test_the_same_call_at_once_is_posted_once(ann):
    give(ann, 1000)
    burns = (Burn(point_type="PTS", value=Decimal("2.00")),)
    same = request(ann, "SAME", burns=burns)

    outcomes = race(lambda till: composite.post_composite(same, at=datetime.now(UTC)))

    assert outcomes == ["done"] * TILLS
    assert Transaction.objects.filter(reference="SAME").count() == 2
    assert balance(ann).available == 800


def test_calls_of_many_members_over_the_same_vouchers_do_not_deadlock(ann):
    now = datetime.now(UTC) - timedelta(minutes=1)
    kind = VoucherTypeFactory(code="PARTS", value="1000.00", in_parts=True)
    for _ in range(4):
        issued(kind, ann, now)
    Voucher.objects.update(member=None)
    keys = list(Voucher.objects.order_by("pk").values_list("pk", flat=True))
    members = [MemberFactory() for _ in range(8)]

    def act(till):
        order = keys if till % 2 else keys[::-1]
        shown = tuple(VoucherToUse(key, "1.00") for key in order)
        return call(members[till], f"T{till}", vouchers=shown)

    assert race(act, tills=8) == ["done"] * 8
    assert list(Voucher.objects.values_list("left", flat=True)) == [Decimal("992.00")] * 4
