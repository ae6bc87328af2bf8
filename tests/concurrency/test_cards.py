"""One number for many members, one card for many desks."""

import threading
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import transaction

from loyalty.caller import Actor
from loyalty.models import Program
from members.models import Card, CardRange
from members.queries.cards import number_at
from members.services import card_ranges, card_replacement, cards
from tests.concurrency.test_redemption import race
from tests.factories.members import CardFactory, CardRangeFactory, MemberFactory

DESKS = 8
DESK = Actor.staff("desk")
pytestmark = pytest.mark.django_db(transaction=True)


def give(member: Any, number: str | None = None) -> Any:
    with transaction.atomic():
        return cards.give_card(member, number, by=DESK, at=datetime.now(UTC))


def replace(number: str) -> Any:
    with transaction.atomic():
        return card_replacement.replace_card(
            number, None, reason="LOST", by=DESK, at=datetime.now(UTC)
        )


def test_no_number_is_given_twice(committed_program):
    members = [MemberFactory() for _ in range(DESKS)]

    outcomes = race(lambda desk: give(members[desk]), tills=DESKS)

    assert outcomes == ["done"] * DESKS
    source = CardRange.objects.get(code="CARDS")
    wanted = [number_at(source, serial) for serial in range(DESKS)]
    assert sorted(Card.objects.values_list("number", flat=True)) == wanted


def test_without_the_lock_of_the_range_they_meet_on_one_number(committed_program, monkeypatch):
    """Prove that the race above is a real one: unlocked, only the unique number stops a double."""
    members = [MemberFactory() for _ in range(DESKS)]
    read = threading.Barrier(DESKS)

    def unlocked(pk):
        source = CardRange.objects.get(pk=pk)
        read.wait()
        return source

    monkeypatch.setattr(card_ranges, "lock_range", unlocked)
    outcomes = race(lambda desk: give(members[desk]), tills=DESKS)

    assert outcomes == ["CARD_TAKEN"] * (DESKS - 1) + ["done"]


def test_one_printed_card_goes_to_one_member(committed_program):
    number = number_at(CardRangeFactory(), 5)
    members = [MemberFactory() for _ in range(DESKS)]

    outcomes = race(lambda desk: give(members[desk], number), tills=DESKS)

    assert outcomes == ["CARD_TAKEN"] * (DESKS - 1) + ["done"]
    assert Card.objects.count() == 1


def test_where_one_card_is_allowed_many_desks_give_one(committed_program):
    Program.objects.update(several_cards=False)
    member = MemberFactory()

    outcomes = race(lambda desk: give(member), tills=DESKS)

    assert outcomes == ["SEVERAL_CARDS_FORBIDDEN"] * (DESKS - 1) + ["done"]
    assert Card.objects.count() == 1


def test_a_card_is_replaced_once(committed_program):
    old = CardFactory()

    outcomes = race(lambda desk: replace(old.number), tills=DESKS)

    assert outcomes == ["CARD_ALREADY_REPLACED"] * (DESKS - 1) + ["done"]
    assert Card.objects.filter(member=old.member).count() == 2


def test_without_the_lock_of_the_card_it_is_replaced_often(committed_program, monkeypatch):
    """Prove that the race above is a real one."""
    old = CardFactory()
    read = threading.Barrier(DESKS)

    def unlocked(number):
        card = Card.objects.select_related("member").get(number=number)
        read.wait()
        return card

    monkeypatch.setattr(card_replacement, "lock_card", unlocked)
    outcomes = race(lambda desk: replace(old.number), tills=DESKS)

    assert outcomes.count("done") > 1
