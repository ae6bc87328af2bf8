"""Several postings in one call."""

import pytest

from ledger.models import Transaction
from tests.factories.ledger import balance
from tests.factories.promotions import promotion

URL = "/transactions/batch/"
pytestmark = pytest.mark.usefixtures("member")


def test_each_item_has_its_own_outcome(till, purchase, member, now):
    promotion(award={"kind": "FIXED", "type": "PTS", "points": 100})
    spend = {
        "member": {"number": member.number},
        "reference": "X1",
        "occurred_at": now.isoformat(),
        "type": "PTS",
        "points": 70,
    }
    items = [
        {"operation": "earn", "body": purchase(reference="E1")},
        {"operation": "redeem", "body": spend},
        {"operation": "redeem", "body": {**spend, "reference": "X2"}},
        {"operation": "earn", "body": {"nonsense": 1}},
        {"operation": "earn", "body": purchase(reference="E1", channel="WEB")},
    ]

    answer = till.post(URL, {"items": items})

    outcomes = answer.json()["items"]
    assert answer.status_code == 200
    assert [item["status"] for item in outcomes] == [201, 201, 422, 400, 409]
    assert outcomes[2]["problem"]["code"] == "INSUFFICIENT_POINTS"
    assert outcomes[4]["problem"]["code"] == "REFERENCE_CONFLICT"
    assert balance(member).available == 30
    assert Transaction.objects.count() == 2


def test_a_batch_sent_again_posts_nothing(till, purchase):
    items = {
        "items": [{"operation": "earn", "body": purchase(reference=f"E{n}")} for n in range(3)]
    }
    till.post(URL, items)

    again = till.post(URL, items).json()["items"]

    assert [item["status"] for item in again] == [200, 200, 200]
    assert Transaction.objects.count() == 3


def test_an_item_needs_the_scope_of_its_operation(api_of, partner, purchase, member):
    api = api_of(partner, scopes=["points:earn"])
    items = [
        {"operation": "redeem", "body": {}},
        {"operation": "earn", "body": purchase()},
    ]

    outcomes = api.post(URL, {"items": items}).json()["items"]

    assert [item["status"] for item in outcomes] == [403, 201]


def test_more_than_a_hundred_items_are_refused(till):
    response = till.post(URL, {"items": [{"operation": "earn", "body": {}}] * 101})

    assert (response.status_code, response.json()["errors"][0]["pointer"]) == (400, "/items")
