"""A member's year, told as a story: the calls that tills, an app and the help desk make."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.db import transaction

from ledger.services.settlement import settle_chunk
from loyalty import token_cache
from members.models import Card, Member
from tests.conftest import Api
from tests.factories.members import CardRangeFactory
from tests.factories.partners import PartnerFactory, token_for
from tests.factories.promotions import promotion
from tests.factories.segments import SegmentFactory
from tests.factories.tiers import ladder
from tests.factories.vouchers import BenefitFactory, PlanFactory, VoucherTypeFactory

JANUARY = datetime(2026, 1, 10, 9, tzinfo=UTC)
PASSWORD, PIN = "correct horse battery", "2580"


@pytest.fixture
def clock():
    with time_machine.travel(JANUARY, tick=False) as traveller:
        yield traveller


@pytest.fixture
def shop(committed_program, clock):
    """A grocer whose programme gives a point per euro, and a club, vouchers and a ladder."""
    partner = PartnerFactory(code="GROCER", outlets=["S1"])
    CardRangeFactory()
    BenefitFactory(code="PARKING", quota=2, period="MONTH")
    PlanFactory(code="CLUB", price="12.00", period="P1Y", benefits=["PARKING"])
    VoucherTypeFactory(code="FIVE", stock=10, lives="P3M")
    SegmentFactory(code="VIP")
    ladder(silver="100.00", gold="300.00")
    with transaction.atomic():
        promotion(at=JANUARY - timedelta(days=30))
    return partner


class Story:
    """Who acts, and what they say: every step asserts that it went through."""

    def __init__(self, shop):
        self.till, self.house = Api(token_for(partner=shop)), Api(token_for())
        self.count = 0

    def done(self, answer, *statuses):
        assert answer.status_code in (statuses or (200, 201)), answer.content
        token_cache.clear()  # A month passes between two calls: tokens do not live that long.
        return answer.json()

    def reference(self):
        self.count += 1
        return f"R{self.count}"

    def buys(self, card, amount, *, at=None):
        body = {
            "member": {"card": card},
            "reference": self.reference(),
            "occurred_at": (at or datetime.now(UTC)).isoformat(),
            "outlet": "S1",
            "currency": "EUR",
            "amount": amount,
        }
        return self.done(self.till.post("/transactions/earn/", body))

    def points(self, number):
        types = self.done(self.till.get(f"/members/{number}/points/"))["types"]
        return types[0]["available"]


@pytest.mark.django_db(transaction=True)
def test_ann_spends_a_year_with_the_grocer(shop, clock):
    story = Story(shop)
    number, first = she_enrols_and_climbs(story, shop, clock)
    second = she_loses_her_card_and_joins_the_club(story, shop, clock, number, first)
    she_buys_a_voucher_and_looks_at_her_year(story, shop, clock, number)
    she_is_made_one_and_leaves(story, shop, clock, number)

    assert Member.objects.get(number=number).stage == "CLOSED"
    assert Card.objects.filter(member__number=number).count() == 3
    assert second != first


def she_enrols_and_climbs(story, shop, clock):
    # January: she enrols at the till, takes a card, and sets a PIN at the desk.
    ann = story.done(
        story.till.post(
            "/members/",
            {
                "profile": {"first_name": "Ann", "last_name": "Lee", "email": "ann@example.org"},
                "consents": [{"category": "marketing", "channel": "email", "given": True}],
                "password": PASSWORD,
                "reference": "FORM-1",
            },
        )
    )
    number = ann["number"]
    first = story.done(story.house.post(f"/members/{number}/cards/", {}))["card"]
    story.done(story.house.put(f"/members/{number}/pin/", {"pin": PIN}))

    # February: a big shop lifts her at once.
    clock.move_to(datetime(2026, 2, 10, 9, tzinfo=UTC))
    renew_tokens(story, shop)
    sale = story.buys(first, "620.40")
    assert sale["points"][0]["points"] == 620
    assert sale["tier"] == {"before": "BASE", "after": "GOLD"}
    return number, first


def she_loses_her_card_and_joins_the_club(story, shop, clock, number, first):
    # March: she loses the card. What a till sends late still counts; nobody spends with it.
    clock.move_to(datetime(2026, 3, 10, 9, tzinfo=UTC))
    renew_tokens(story, shop)
    lost = {"card": first, "reason": "LOST"}
    second = story.done(story.house.post("/cards/replace/", lost))["card"]
    story.buys(first, "10.00", at=datetime(2026, 3, 9, 18, tzinfo=UTC))
    assert story.points(number) == 630
    spend = {
        "member": {"card": first},
        "reference": story.reference(),
        "occurred_at": datetime.now(UTC).isoformat(),
        "outlet": "S1",
        "type": "PTS",
        "points": 100,
    }
    refused = story.till.post("/transactions/redeem/", spend)
    assert (refused.status_code, refused.json()["code"]) == (422, "CARD_BLOCKED")

    # April: she joins the club, and parks for nothing, twice a month.
    clock.move_to(datetime(2026, 4, 10, 9, tzinfo=UTC))
    renew_tokens(story, shop)
    club = {"plan": "CLUB", "reference": "SUB-1", "payment": {"status": "PAID"}}
    story.done(story.till.post(f"/members/{number}/subscriptions/", club))
    for _ in range(2):
        park = {"action": "avail", "reference": story.reference()}
        story.done(story.till.post(f"/members/{number}/benefits/PARKING/", park))
    third = {"action": "avail", "reference": story.reference()}
    assert story.till.post(f"/members/{number}/benefits/PARKING/", third).status_code == 422
    return second


def she_buys_a_voucher_and_looks_at_her_year(story, shop, clock, number):
    # May: she wants a PIN above four euros, and buys a voucher for five with it.
    limit = {"per_transaction": {"amount": "4.00", "currency": "EUR"}}
    story.done(story.house.put(f"/members/{number}/redemption-threshold/", limit))
    order = {"member": {"number": number}, "reference": "VOUCHER-1", "voucher_type": "FIVE"}
    asked = story.till.post("/vouchers/redeem/", order)
    assert (asked.status_code, asked.json()["code"]) == (422, "STEP_UP_REQUIRED")
    verify = {"pin": PIN, "purpose": "REDEEM", "points": 500, "type": "PTS"}
    token = story.done(story.till.post(f"/members/{number}/pin/verify/", verify))["step_up"]
    bought = story.done(story.till.post("/vouchers/redeem/", {**order, "step_up": token}))
    code = bought["vouchers"][0]["code"]
    assert story.points(number) == 130

    # June: the voucher pays at the till, once and once only.
    clock.move_to(datetime(2026, 6, 10, 9, tzinfo=UTC))
    renew_tokens(story, shop)
    for statuses, reference in (((201,), "USE-1"), ((200,), "USE-1"), ((409,), "USE-2")):
        body = {"code": code, "action": "use", "reference": reference, "outlet": "S1"}
        story.done(story.till.post("/vouchers/authenticate/", body), *statuses)

    # July: she signs in, and sees her own year and nobody else's.
    login = {"login": "Ann@Example.org", "password": PASSWORD}
    me = Api(story.done(story.house.post("/sessions/", login))["token"])
    info = story.done(me.get("/members/me/"))
    assert (info["number"], info["stage"]) == (number, "ACTIVE")
    kinds = [row["kind"] for row in story.done(me.get("/members/me/history/"))["results"]]
    assert {"ENROLLED", "CARD_REPLACED", "TIER_CHANGED", "SUBSCRIPTION_STARTED"} <= set(kinds)
    assert me.get(f"/members/{number}/points/").status_code == 404


def she_is_made_one_and_leaves(story, shop, clock, number):
    # August: the programme counts her among its best.
    story.done(story.house.post("/segments/VIP/members/", {"add": [{"number": number}]}))

    # September: she had enrolled before, with another card; the desk makes one member of the two.
    old = story.done(story.till.post("/members/", {"profile": {"first_name": "Ann"}}))["number"]
    card = story.done(story.house.post(f"/members/{old}/cards/", {}))["card"]
    story.buys(card, "40.00")
    merge = {"from": {"number": old}, "into": {"number": number}, "reason": "The same person."}
    story.done(story.house.post("/members/merge/", merge))
    assert story.points(number) == 170
    story.buys(card, "5.00")
    assert story.points(number) == 175

    # A year after each sale, the last day of its month is the last on which its points count.
    clock.move_to(datetime(2027, 4, 1, 9, tzinfo=UTC))
    renew_tokens(story, shop)
    settle_chunk(after=0, at=datetime.now(UTC))
    assert story.points(number) == 45

    # In the end she leaves. Her points are forfeited, the books still balance.
    story.done(
        story.house.post(
            "/members/stage/",
            {"member": {"number": number}, "stage": "CLOSED", "reason": "She moved away."},
        )
    )
    assert story.points(number) == 0


def renew_tokens(story, shop):
    """Ask for new tokens: a client's lives half an hour."""
    token_cache.clear()
    story.till, story.house = Api(token_for(partner=shop)), Api(token_for())
