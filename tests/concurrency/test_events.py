"""Racing tills and the cooldown of an event: one award, and without the lock there would be more."""

import threading
from datetime import UTC, datetime, timedelta

import pytest

from ledger.models import Lot
from ledger.queries.books import execute
from ledger.services import posting
from partners.models import Partner
from promotions.models import MemberEvent
from promotions.services import events
from promotions.services.events import EventRequest, reward_event
from tests.concurrency.test_redemption import TILLS, race
from tests.factories.events import EventTypeFactory
from tests.factories.members import MemberFactory
from tests.factories.promotions import promotion

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def house(committed_program):
    EventTypeFactory(once_per="LIFE", schema={}, two_sided=True)
    gift = {"kind": "FIXED", "type": "PTS", "points": 50}
    promotion("GIFT", trigger="EVENT", event="SURVEY", award=gift)
    return Partner.objects.get(is_house=True)


def send(member, house, till, referrer=None):
    now = datetime.now(UTC)
    reward_event(
        EventRequest(
            member={"number": member.number},
            referrer={"number": referrer.number} if referrer else None,
            partner_id=house.pk,
            partner_code="HOUSE",
            house=True,
            type="SURVEY",
            reference=f"E{till}",
            digest=b"one",
            occurred_at=now - timedelta(seconds=till),
            attributes={},
        ),
        at=now,
    )


def member_of_old():
    return MemberFactory(joined_at=datetime.now(UTC) - timedelta(days=9))


def test_of_racing_tills_one_is_rewarded(house):
    member = member_of_old()

    assert race(lambda till: send(member, house, till)) == ["done"] * TILLS

    assert Lot.objects.count() == 1
    assert MemberEvent.objects.count() == 1


def test_members_who_refer_each_other_do_not_lock_each_other_out(house):
    one, other = member_of_old(), member_of_old()

    def act(till):
        pair = (one, other) if till % 2 else (other, one)
        send(pair[0], house, till, referrer=pair[1])

    assert race(act) == ["done"] * TILLS
    assert Lot.objects.count() == 4


def test_without_the_lock_every_till_would_be_rewarded(house, monkeypatch):
    """The guard: tills that look at the cooldown before they wait for each other all find none."""
    member = member_of_old()
    lock = posting.lock

    def before_the_lock(reference, *, alongside=(), **options):
        [near] = [each for each in alongside if each.function == "promotions_events_near"]
        row = execute("SELECT promotions_events_near(%s::jsonb)::text", (near.argument.decode(),))
        gate.wait(timeout=10)
        book = lock(reference, alongside=alongside, **options)
        book.facts["promotions_events_near"] = row[0]
        return book

    gate = threading.Barrier(TILLS)
    monkeypatch.setattr(events.posting, "lock", before_the_lock)

    race(lambda till: send(member, house, till))

    assert Lot.objects.count() == TILLS
