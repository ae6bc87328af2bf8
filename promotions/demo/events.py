"""The demo's events: surveys, reviews, check-ins and birthdays, with what is given for them."""

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, time, timedelta
from typing import Any

from loyalty.digest import digest_of
from partners.models import Partner
from promotions.demo.live import put_live
from promotions.demo.people import card_of
from promotions.models import EventType
from promotions.services.celebrations import BIRTHDAY, celebrate_chunk
from promotions.services.events import EventRequest, reward_event

TYPES: dict[str, dict[str, Any]] = {
    "SURVEY": {
        "name": "Survey",
        "description": "How was your visit? Once a month.",
        "translations": {"de": {"name": "Umfrage", "description": "Wie war Ihr Einkauf?"}},
        "schema": {"score": {"type": "INTEGER", "minimum": 0, "maximum": 10, "required": True}},
        "cooldown": "P30D",
    },
    "REVIEW": {
        "name": "Review of a product",
        "translations": {"de": {"name": "Produktbewertung"}},
        "schema": {
            "stars": {"type": "INTEGER", "minimum": 1, "maximum": 5, "required": True},
            "words": {"type": "INTEGER", "minimum": 0, "default": 0},
        },
        "once_per": "WEEK",
    },
    "CHECK-IN": {
        "name": "Check-in at a store",
        "translations": {"de": {"name": "Check-in im Markt"}},
        "schema": {"store": {"type": "TEXT", "max_length": 64}},
        "once_per": "DAY",
        "backdated": False,
    },
}
FIVE = {"kind": "FIXED", "type": "PTS", "points": 5}
PROMOTIONS: dict[str, dict[str, Any]] = {
    "SURVEY-THANKS": {
        "name": "50 points for an answered survey",
        "trigger": "EVENT",
        "event": "SURVEY",
        "award": {**FIVE, "points": 50},
    },
    "LONG-REVIEW": {
        "name": "30 points for a review of 20 words or more",
        "trigger": "EVENT",
        "event": "REVIEW",
        "condition": "event.words >= 20",
        "award": {**FIVE, "points": 30},
        "limits": [{"per": "MEMBER", "period": "YEAR", "measure": "USES", "at_most": 12}],
    },
    "CHECK-IN": {
        "name": "5 points for looking in",
        "trigger": "EVENT",
        "event": "CHECK-IN",
        "award": FIVE,
    },
    "WELCOME": {
        "name": "25 points for joining",
        "trigger": "ENROLMENT",
        "award": {**FIVE, "points": 25},
    },
    "FRIENDS": {
        "name": "200 points for sending a friend who joins",
        "trigger": "REFERRAL",
        "condition": "event.role == 'REFERRER'",
        "award": {**FIVE, "points": 200},
        "limits": [{"per": "MEMBER", "period": "YEAR", "measure": "USES", "at_most": 5}],
    },
    "FRIENDS-TOO": {
        "name": "50 points for a friend who was sent",
        "trigger": "REFERRAL",
        "condition": "event.role == 'REFERRED'",
        "award": {**FIVE, "points": 50},
    },
    "GOLD-AT-LAST": {
        "name": "150 points for becoming gold",
        "trigger": "TIER_CHANGE",
        "condition": "event.up && event.after == 'GOLD'",
        "award": {**FIVE, "points": 150},
    },
    "BIRTHDAY": {
        "name": "100 points for your birthday, for two months",
        "trigger": "BIRTHDAY",
        "award": {**FIVE, "points": 100},
        "expiry": {"after": "P2M", "from": "EARNED"},
    },
}
ATTRIBUTES: dict[str, Callable[[int], dict[str, Any]]] = {
    "SURVEY": lambda n: {"score": n * 7 % 11},
    "REVIEW": lambda n: {"stars": 1 + n * 3 % 5, "words": n * 17 % 60},
    "CHECK-IN": lambda n: {"store": "S330"},
}


def load_types(*, at: datetime, today: datetime) -> None:
    """Make the event types and put their promotions live from `at` on; a step."""
    for code, content in TYPES.items():
        EventType.objects.get_or_create(code=code, defaults=content)
    for code, definition in PROMOTIONS.items():
        put_live(code, definition, at=at, today=today)


def send(weeks: int, *, today: datetime, partner: Partner, households: list[int]) -> Iterator[int]:
    """Send what every fifth household did in these weeks, and celebrate the birthdays.

    Days in order, each as it was then; yields how many were sent or rewarded. Sent twice, it adds
    nothing.
    """
    for back in range(7 * weeks, 0, -1):
        day = (today - timedelta(days=back)).date()
        morning = datetime.combine(day, time(10), tzinfo=UTC)
        after, rewarded = 0, 0
        while (chunk := celebrate_chunk(BIRTHDAY, [day], after=after, at=morning)).last:
            after, rewarded = chunk.last, rewarded + chunk.rewarded
        yield rewarded
        for place, household in enumerate(households[::5]):
            if place % 30 == back % 30:
                reward_event(_request(household, back, partner, morning), at=morning)
                yield 1


def _request(household: int, back: int, partner: Partner, at: datetime) -> EventRequest:
    kind = list(TYPES)[(household + back) % len(TYPES)]
    content: Mapping[str, Any] = ATTRIBUTES[kind](household + back)
    reference = f"{kind}-{household}-{at.date()}"
    return EventRequest(
        member={"card": card_of(household)},
        referrer=None,
        partner_id=partner.pk,
        partner_code=partner.code,
        house=False,
        type=kind,
        reference=reference,
        digest=digest_of("event", {"reference": reference, "attributes": content}),
        occurred_at=at,
        attributes=content,
    )
