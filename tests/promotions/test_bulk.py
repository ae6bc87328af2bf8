"""The bulk path ends with the same ledger as Earn, in any order the rules leave open."""

import hashlib
from datetime import UTC, datetime, timedelta

import pytest

from ledger.models import Account, Entry, Lot, Transaction
from members.models import Card
from promotions.engine.basket import Basket, BasketLine, Product
from promotions.models import Evaluation
from promotions.services.bulk import earn_many
from promotions.services.earning import EarnRequest, earn
from tests.factories.members import CardFactory, MemberFactory
from tests.factories.partners import PartnerFactory
from tests.factories.promotions import promotion

START = datetime(2026, 10, 5, 10, tzinfo=UTC)
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def shops(committed_program):
    from django.db import transaction

    with transaction.atomic():
        promotion(combination={"base": True})
        promotion("PENDING", pending="P2D", lines={"include": {"sku": ["A"]}})
        promotion(
            "SHORT", award={"kind": "FIXED", "type": "PTS", "points": 9}, expiry={"after": "P3D"}
        )
    return PartnerFactory(code="GROCER", outlets=["S1"])


def requests(partner, cards, count=40):
    """Purchases of several members over two weeks, some at the same instant."""
    made = []
    for number in range(count):
        card = cards[number % len(cards)]
        lines = (
            BasketLine(1, "AB"[number % 2], "1", f"{1 + number % 9}.49"),
            BasketLine(2, "C", "2", "0.00"),
        )
        made.append(
            EarnRequest(
                member={"card": card},
                partner_id=partner.pk,
                partner_code=partner.code,
                reference=f"R{number}",
                digest=hashlib.sha256(f"R{number}".encode()).digest(),
                basket=Basket(
                    occurred_at=START + timedelta(hours=8 * (number // 2)),
                    currency="EUR",
                    outlet="S1",
                    lines=lines,
                ),
            )
        )
    return made


def members(prefix):
    cards = [f"{prefix}{number}" for number in range(5)]
    for card in cards:
        MemberFactory(card=card, joined_at=START)
    return cards


def ledger():
    """What the books hold, without the ids and the members' numbers."""
    first = min(Account.objects.values_list("member_id", flat=True))
    rows = Transaction.objects.order_by("member_id", "version")
    return {
        "accounts": [
            (m - first, *rest)
            for m, *rest in Account.objects.order_by("member_id").values_list(
                "member_id", "available", "pending", "earned", "expired"
            )
        ],
        "transactions": [
            (m - first, v, *rest)
            for m, v, *rest in rows.values_list(
                "member_id", "version", "kind", "reference", "occurred_at", "posted_at", "effects"
            )
        ],
        "lots": sorted(
            Lot.objects.values_list(
                "granted", "available", "pending", "expires_at", "version", "seq"
            )
        ),
        "entries": sorted(Entry.objects.values_list("version", "source", "target", "points")),
        "awards": sorted(str(e.result["awards"]) for e in Evaluation.objects.all()),
    }


def test_in_bulk_or_one_by_one_the_ledger_is_the_same(shops):
    cards = members("A")
    for request in requests(shops, cards):
        earn(request, at=request.basket.occurred_at)
    one_by_one = ledger()
    _empty()
    owners = dict(Card.objects.values_list("number", "member_id"))
    wanted = requests(shops, cards)
    for start in range(0, len(wanted), 7):
        earn_many(wanted[start : start + 7], owners, products={"X": Product()})

    assert ledger() == one_by_one


def test_members_in_another_order_end_in_equal_books(shops):
    cards = members("A")
    for request in requests(shops, cards):
        earn(request, at=request.basket.occurred_at)
    by_time = ledger()
    _empty()
    # Each member's own order is kept; whose turn it is, is not.
    for request in sorted(
        requests(shops, cards), key=lambda r: (r.member["card"], r.basket.occurred_at)
    ):
        earn(request, at=request.basket.occurred_at)

    assert ledger() == by_time


def test_loaded_twice_it_adds_nothing(shops):
    owners = dict.fromkeys(members("A"), 0) and dict(
        Card.objects.values_list("number", "member_id")
    )
    wanted = requests(shops, sorted(owners))

    first = earn_many(wanted, owners, products={})
    second = earn_many(wanted, owners, products={})

    assert (first, second) == (40, 0)


def _empty():
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(
            "TRUNCATE ledger_book, ledger_account, ledger_transaction, ledger_lot, ledger_entry,"
            " loyalty_outboxevent, promotions_evaluation, members_tiermeasure"
        )


def test_a_reference_is_known_of_its_own_partner_only(shops):
    other = PartnerFactory(code="OTHER", outlets=["S1"])
    card = CardFactory(member=MemberFactory(joined_at=START))
    ids = {card.number: card.member_id}
    first = requests(shops, [card.number], count=1)
    second = requests(other, [card.number], count=1)

    assert earn_many(first, ids, products={}) == 1
    assert earn_many([*first, *second], ids, products={}) == 1
    assert set(Transaction.objects.values_list("partner__code", flat=True)) == {"GROCER", "OTHER"}
