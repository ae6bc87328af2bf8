"""Quotes: an earn says what came out otherwise than its evaluation said."""

import itertools
from datetime import timedelta

import pytest
from django.core import signing

from ledger.models import Transaction
from promotions.services import quotes
from tests.factories.members import MemberFactory
from tests.factories.partners import PartnerFactory
from tests.factories.promotions import promotion

EARN, EVALUATE, ALL = "/transactions/earn/", "/transactions/evaluate/", "/transactions/"
pytestmark = pytest.mark.usefixtures("member")
numbers = itertools.count()


@pytest.fixture
def bill(purchase):
    """Return a maker of one bill: 10.00."""

    def make(**changes):
        lines = [{"line": 1, "sku": "A", "amount": "10.00"}]
        return purchase(**{"lines": lines, "discount": "0", "tenders": [], **changes})

    return make


@pytest.fixture(params=["earn", "all"])
def way(request, till, bill):
    """Evaluate and post either as an Earn or as an All Transaction."""

    class Way:
        def look(self, **changes):
            if request.param == "earn":
                return till.post(EVALUATE, bill(**changes)).json()
            return till.post(ALL, bill(mode="evaluate", **changes)).json()

        def post(self, **changes):
            if request.param == "earn":
                return till.post(EARN, bill(**changes))
            return till.post(ALL, bill(mode="commit", **changes))

    return Way()


def test_what_came_out_as_it_was_said_has_not_changed(way):
    promotion()

    answer = way.post(quote=way.look()["quote"])

    assert (answer.status_code, answer.json()["changed"]) == (201, [])


def test_what_differs_is_told_by_promotion_and_type(way, now):
    promotion()
    fixed = {"kind": "FIXED", "type": "PTS", "points": 5}
    limit = {"per": "MEMBER", "period": "DAY", "measure": "USES", "at_most": 1, "then": "SKIP"}
    promotion("ONCE", award=fixed, limits=[limit])
    quote = way.look()["quote"]
    way.post()
    promotion("NEW", award={**fixed, "points": 7}, at=now - timedelta(minutes=5))

    changed = way.post(quote=quote).json()["changed"]

    assert sorted((c["promotion"], c["type"], c["promised"], c["points"]) for c in changed) == [
        ("NEW", "PTS", 0, 7),
        ("ONCE", "PTS", 5, 0),
    ]


def test_a_quote_is_no_content_so_a_retry_may_bring_another(way):
    promotion()
    quote = way.look()["quote"]
    first = way.post(reference="BILL", quote=quote)

    again = way.post(reference="BILL", quote=quote)
    without = way.post(reference="BILL")

    assert (again.status_code, again.json()) == (200, first.json())
    assert without.status_code == 200
    assert "changed" not in without.json()


def test_an_evaluation_may_be_compared_with_an_earlier_one(way):
    promotion()

    assert way.look(quote=way.look()["quote"])["changed"] == []


@pytest.mark.parametrize("damage", ["cut", "other", "plain", "ours"])
def test_a_damaged_quote_is_refused(way, damage):
    promotion()
    quote = way.look()["quote"]
    damaged = {
        "cut": quote[:-3],
        "other": quote.replace(quote[5], "x" if quote[5] != "x" else "y", 1),
        "plain": "no quote at all",
        "ours": signing.dumps({"nothing": "of a quote"}, salt=quotes._SALT),
    }[damage]

    refused_at_quote(way.post(quote=damaged))


def test_a_quote_of_another_partner_or_member_is_refused(way, api_of, bill, till):
    promotion()
    MemberFactory(card="6275000000000025")
    other = api_of(PartnerFactory()).post(EVALUATE, bill(outlet=None)).json()["quote"]
    anothers = till.post(EVALUATE, bill(member={"card": "6275000000000025"})).json()["quote"]

    refused_at_quote(way.post(quote=other))
    refused_at_quote(way.post(quote=anothers))


def refused_at_quote(answer):
    document = answer.json()
    assert (answer.status_code, document["code"]) == (400, "VALIDATION_FAILED"), document
    assert document["errors"][0]["pointer"] == "/quote"
    assert not Transaction.objects.exists()


def test_a_guest_is_promised_nothing(till, bill):
    promotion()

    assert till.post(EVALUATE, bill(member=None)).json()["quote"] is None


def test_a_quote_of_very_many_promotions_says_the_points_by_type(now):
    awards = [
        {"promotion": f"PROMOTION-{n * 7919}", "version": n, "type": "PTS", "points": n * 31}
        for n in range(1, 1500)
    ]

    quote = quotes.sign(awards, partner_id=1, member_id=2)
    promise = quotes.read(quote)

    assert len(quote) <= quotes.LONGEST
    assert quotes.changes(promise, awards) == []
    assert quotes.changes(promise, awards[1:]) == [
        {
            "promotion": None,
            "version": None,
            "type": "PTS",
            "promised": 34851750,
            "points": 34851719,
        }
    ]


def test_items_of_a_batch_tell_what_changed(till, bill):
    promotion()
    quote = till.post(EVALUATE, bill()).json()["quote"]
    items = [
        {"operation": "earn", "body": bill(quote=quote)},
        {"operation": "earn", "body": bill(quote="forged")},
    ]

    answers = till.post("/transactions/batch/", {"items": items}).json()["items"]

    assert answers[0]["body"]["changed"] == []
    assert (answers[1]["status"], answers[1]["problem"]["errors"][0]["pointer"]) == (400, "/quote")
