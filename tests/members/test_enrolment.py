"""A new member has a number of its own, the base tier, and the card that was given."""

import threading
from datetime import UTC, datetime

import pytest
from django.db import IntegrityError, connection, transaction

from members.check_digits import is_valid
from members.models import Card, Member
from members.services.enrolment import enrol, next_number

AT = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def test_a_member_begins_active_in_the_base_tier(partner):
    made = enrol(
        partner=partner,
        at=AT,
        card="6275000000000017",
        profile={"first_name": "Ann", "last_name": "Lee"},
    )

    member = Member.objects.select_related("tier").get()
    assert member.pk == made.pk
    assert (member.stage, member.tier.code, member.enrolled_by) == ("ACTIVE", "BASE", partner)
    assert (member.first_name, member.last_name, member.joined_at) == ("Ann", "Lee", AT)
    card = Card.objects.get()
    assert (card.number, card.member, card.status, card.issued_at) == (
        "6275000000000017",
        member,
        "ACTIVE",
        AT,
    )


def test_a_member_needs_no_card(partner):
    enrol(partner=partner, at=AT)

    assert not Card.objects.exists()


def test_a_card_that_another_has_makes_no_member(partner):
    enrol(partner=partner, at=AT, card="6275000000000017")

    with pytest.raises(IntegrityError), transaction.atomic():
        enrol(partner=partner, at=AT, card="6275000000000017")

    assert Member.objects.count() == 1


def test_enrolment_outside_a_transaction_is_a_mistake(committed_program):
    with pytest.raises(AssertionError):
        enrol(partner=None, at=AT)


def test_numbers_are_ten_digits_that_check(db):
    numbers = [next_number() for _ in range(50)]

    assert all(len(number) == 10 and is_valid(number) for number in numbers)


def test_two_hundred_numbers_at_once_are_all_different(transactional_db):
    together = threading.Barrier(8)
    made = []

    def work():
        together.wait()
        made.extend(next_number() for _ in range(25))
        connection.close()

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(made) == 200
    assert len(set(made)) == 200
