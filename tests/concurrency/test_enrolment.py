"""One person who enrols many times at once is one member: with real threads on real PostgreSQL."""

from datetime import UTC, datetime

import pytest
from django.db import transaction

from loyalty.caller import Caller
from loyalty.models import Program
from members.models import DuplicateFlag, Enrolment, Member
from members.services import duplicates
from partners.queries import house
from promotions.services.membership import enrollment
from promotions.services.membership.enrollment import EnrollmentRequest
from tests.concurrency.test_redemption import race
from tests.factories.ledger import balance
from tests.factories.members import CardRangeFactory, MemberFactory
from tests.factories.promotions import promotion

TILLS = 12
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def caller(committed_program):
    partner = house()
    return Caller("till", partner.pk, partner.code, True, frozenset(), 6000)


def enroll(caller, **wanted):
    with transaction.atomic():
        request = EnrollmentRequest(caller=caller, **{"profile": {}, **wanted})
        return enrollment.enroll(request, at=datetime.now(UTC))


def test_one_address_makes_one_member(caller):
    outcomes = race(lambda till: enroll(caller, profile={"email": "ann@example.org"}), TILLS)

    assert outcomes == ["DUPLICATE_MEMBER"] * (TILLS - 1) + ["done"]
    assert Member.objects.count() == 1


def test_without_the_hold_there_would_be_several(caller, monkeypatch):
    """Prove that the race above is a real one."""
    import threading

    looked, look = threading.Barrier(TILLS), duplicates.same_contact

    def same_contact(stored, **options):
        found = look(stored, **options)
        looked.wait()
        return found

    monkeypatch.setattr(duplicates, "hold", lambda *names: None)
    monkeypatch.setattr(duplicates, "same_contact", same_contact)

    race(lambda till: enroll(caller, profile={"email": "ann@example.org"}), TILLS)

    assert Member.objects.count() == TILLS


def test_crossed_contacts_do_not_deadlock(caller):
    one, other = {"email": "a@example.org", "phone": "+436601111111"}, {"email": "b@example.org"}
    crossed = {"email": "b@example.org", "phone": "+436601111111"}

    race(lambda till: enroll(caller, profile=[one, other, crossed][till % 3]), TILLS)

    assert Member.objects.filter(email="b@example.org").count() == 1
    assert Member.objects.filter(phone="+436601111111").count() <= 1
    assert Member.objects.count() <= 2


def test_one_reference_makes_one_member(caller):
    outcomes = race(lambda till: enroll(caller, reference="E-1"), TILLS)

    assert outcomes == ["done"] * TILLS
    assert (Member.objects.count(), Enrolment.objects.count()) == (1, 1)


def test_one_card_makes_one_member(caller):
    CardRangeFactory(first="627500000000001", last="627500000000001")

    outcomes = race(lambda till: enroll(caller, card="6275000000000013"), TILLS)

    assert outcomes == ["CARD_TAKEN"] * (TILLS - 1) + ["done"]
    assert Member.objects.count() == 1


def test_one_alias_makes_one_member(caller):
    alias = (("email", "ann@example.org"),)

    outcomes = race(lambda till: enroll(caller, aliases=alias), TILLS)

    assert outcomes == ["ALIAS_TAKEN"] * (TILLS - 1) + ["done"]
    assert Member.objects.count() == 1


def test_where_duplicates_are_flagged_every_pair_with_an_earlier_one_is(caller):
    Program.objects.update(duplicate_policy="FLAG")

    outcomes = race(lambda till: enroll(caller, profile={"email": "ann@example.org"}), 4)

    assert outcomes == ["done"] * 4
    assert (Member.objects.count(), DuplicateFlag.objects.count()) == (4, 6)


def test_two_who_read_one_version_change_it_once(caller):
    member = MemberFactory()

    def act(till):
        with transaction.atomic():
            request = enrollment.UpdateRequest(
                caller=caller,
                member={"id": member.pk},
                profile={"last_name": f"Lee {till}"},
                expected=1,
            )
            enrollment.update(request, at=datetime.now(UTC))

    assert race(act, TILLS) == ["VERSION_CONFLICT"] * (TILLS - 1) + ["done"]
    member.refresh_from_db()
    assert member.version == 2


def test_friends_of_each_other_enrol_at_once(caller):
    referrers = [MemberFactory() for _ in range(2)]
    promotion("FRIEND", trigger="REFERRAL", award={"kind": "FIXED", "type": "PTS", "points": 10})

    def act(till):
        enroll(caller, referrer={"number": referrers[till % 2].number})

    assert race(act, TILLS) == ["done"] * TILLS
    assert [balance(each).available for each in referrers] == [60, 60]
