"""The demo's members: the real households, with what the data know of them, enrolled as anybody is.

Names and addresses of e-mail are made up, the same each time; ages, incomes and children are real.
"""

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from itertools import islice
from typing import Any

from django.db import transaction

from loyalty.caller import Caller
from loyalty.models import Program
from members.check_digits import with_check_digit
from members.models import Card, CardRange
from members.services.consents import Given
from partners.models import Partner
from promotions.demo import data
from promotions.services.membership.enrollment import EnrollmentRequest, enroll

CHUNK = 100
FIRST_NAMES = [
    "Ann",
    "Ben",
    "Carla",
    "David",
    "Ella",
    "Frank",
    "Grace",
    "Henry",
    "Irene",
    "Jack",
    "Kate",
    "Leo",
    "Mia",
    "Noah",
    "Olivia",
    "Paul",
    "Rosa",
    "Sam",
    "Tina",
    "Victor",
    "Wendy",
    "Anton",
    "Berta",
    "Clara",
    "Diego",
    "Emma",
    "Felix",
    "Greta",
    "Hugo",
    "Ida",
    "Jonas",
    "Klara",
    "Lukas",
    "Marie",
    "Nina",
    "Oskar",
    "Paula",
    "Robert",
    "Sophie",
    "Thomas",
    "Ursula",
    "Vera",
    "Walter",
    "Xenia",
    "Yusuf",
    "Zoe",
]
LAST_NAMES = [
    "Adams",
    "Baker",
    "Clark",
    "Davis",
    "Evans",
    "Foster",
    "Green",
    "Harris",
    "Irving",
    "Jones",
    "King",
    "Lopez",
    "Miller",
    "Nelson",
    "Owens",
    "Parker",
    "Quinn",
    "Reed",
    "Smith",
    "Turner",
    "Underwood",
    "Vega",
    "Wilson",
    "Young",
    "Zimmer",
    "Bauer",
    "Fischer",
    "Gruber",
    "Huber",
    "Keller",
    "Lang",
    "Mayer",
    "Novak",
    "Pichler",
    "Rossi",
    "Schmidt",
    "Steiner",
    "Wagner",
    "Weber",
    "Winkler",
]
# The columns of the data and the attributes they become.
DEMOGRAPHICS = {
    "age": "age_band",
    "income": "income_band",
    "home_ownership": "home",
    "marital_status": "marital_status",
    "household_comp": "household",
    "household_size": "household_size",
    "kids_count": "children",
}


def card_of(household: int) -> str:
    """Return the card number of a household."""
    return with_check_digit(f"6275{household:011d}")


def load_schema() -> None:
    """Let members have the attributes that the data know; a step."""
    columns = data.table("demographics").to_pydict()
    schema = {
        name: {
            "type": "CHOICE",
            "choices": sorted({value for value in columns[column] if value is not None}),
        }
        for column, name in DEMOGRAPHICS.items()
    }
    Program.objects.filter(pk=1).update(member_schema=schema, phone_region="US")
    CardRange.objects.get_or_create(
        code="GROCER",
        defaults={
            "name": "The Grocer's cards",
            "first": "627500000000000",
            "last": "627500000999999",
            "preprinted": True,
        },
    )


def load_members(
    partner: Partner, *, joined_at: datetime, on_progress: Callable[[int], None]
) -> dict[str, int]:
    """Enrol the households that are not there yet; return member ids by card."""
    known = set(Card.objects.values_list("number", flat=True))
    caller = Caller(
        client_id="demo",
        partner_id=partner.pk,
        partner_code=partner.code,
        house=False,
        scopes=frozenset(),
        rate_limit_per_minute=0,
    )
    new = (each for each in _people() if card_of(each[0]) not in known)
    while chunk := list(islice(new, CHUNK)):
        with transaction.atomic():
            for household, attributes in chunk:
                enroll(_request(household, attributes, caller), at=joined_at)
        on_progress(len(chunk))
    return dict(Card.objects.values_list("number", "member_id"))


def _people() -> Iterator[tuple[int, dict[str, str]]]:
    """Yield each household with what is known of it; of two thirds, nothing is."""
    known = {row["household_id"]: row for row in data.table("demographics").to_pylist()}
    for household, _ in data.households():
        row = known.get(household, {})
        yield (
            household,
            {name: row[column] for column, name in DEMOGRAPHICS.items() if row.get(column)},
        )


def _born(household: int, band: str | None) -> date:
    """Return a date of birth in a household's band of ages; the data know no more."""
    youngest = int((band or "35")[:2])
    age = youngest + household * 3 % 10
    return date(datetime.now(UTC).year - 1 - age, 1 + household * 5 % 12, 1 + household * 11 % 28)


def _request(household: int, attributes: dict[str, str], caller: Caller) -> EnrollmentRequest:
    first = FIRST_NAMES[household * 7 % len(FIRST_NAMES)]
    last = LAST_NAMES[household * 13 % len(LAST_NAMES)]
    profile: dict[str, Any] = {
        "first_name": first,
        "last_name": last,
        "language": "en",
        "birth_date": _born(household, attributes.get("age")),
        "address": {"country": "US"},
        "attributes": attributes,
    }
    reachable = household % 4 != 0
    if reachable:
        profile["email"] = f"{first}.{last}.{household}@example.org".lower()
    return EnrollmentRequest(
        caller=caller,
        profile=profile,
        card=card_of(household),
        aliases=(("app", f"household-{household}"),) if household % 3 == 0 else (),
        consents=(Given("marketing", "email", given=household % 5 != 0, source="FORM"),)
        if reachable
        else (),
    )
