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


def test_what_no_book_can_hold_is_refused_by_itself(till, purchase, member):
    promotion(award={"kind": "PER_AMOUNT", "type": "PTS", "points": 10**9, "per": "1.00"})
    huge = purchase(lines=[{"line": 1, "amount": "9999999999.99"}], discount="0", tenders=[])
    items = [{"operation": "earn", "body": body} for body in (purchase(), huge, purchase())]

    outcomes = till.post(URL, {"items": items}).json()["items"]

    assert [item["status"] for item in outcomes] == [201, 400, 201]
    assert outcomes[1]["problem"]["errors"][0]["code"] == "OUT_OF_RANGE"
    assert balance(member).available == 2 * 4 * 10**9


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


def test_what_fits_is_posted_in_one_commit(till, purchase, member, now, monkeypatch):
    from ledger.services import posting

    promotion(award={"kind": "FIXED", "type": "PTS", "points": 100})
    writes = []
    whole = posting.write_many

    def counted(books, **options):
        books = list(books)
        writes.append(sum(len(each.book.transactions) for each in books))
        return whole(books, **options)

    monkeypatch.setattr(posting, "write_many", counted)
    spend = {
        "member": {"number": member.number},
        "occurred_at": now.isoformat(),
        "type": "PTS",
        "points": 30,
    }
    items = [{"operation": "earn", "body": purchase(reference=f"E{n}")} for n in range(3)]
    items += [{"operation": "redeem", "body": {**spend, "reference": f"X{n}"}} for n in range(2)]

    outcomes = till.post(URL, {"items": items}).json()["items"]

    assert [item["status"] for item in outcomes] == [201] * 5
    assert [item["body"]["balances"][0]["available"] for item in outcomes] == [
        100,
        200,
        300,
        270,
        240,
    ]
    assert writes == [5]


def test_a_members_order_is_kept_when_an_item_leaves_the_unit(till, purchase, member, now):
    promotion(award={"kind": "FIXED", "type": "PTS", "points": 100})
    spend = {
        "member": {"number": member.number},
        "occurred_at": now.isoformat(),
        "type": "PTS",
        "points": 150,
    }
    items = [
        {"operation": "earn", "body": purchase(reference="E1")},
        {"operation": "redeem", "body": {**spend, "reference": "X1"}},
        {"operation": "earn", "body": purchase(reference="E2")},
        {"operation": "redeem", "body": {**spend, "reference": "X2"}},
    ]

    outcomes = till.post(URL, {"items": items}).json()["items"]

    # The first redemption comes before the second earn, and so finds too little.
    assert [item["status"] for item in outcomes] == [201, 422, 201, 201]
    kinds = Transaction.objects.order_by("version").values_list("kind", flat=True)
    assert list(kinds) == ["EARN", "EARN", "REDEMPTION"]


def test_a_stolen_card_is_refused_in_a_batch_too(till, purchase, member):
    from members.models import Card

    Card.objects.create(number="999", member=member, status="STOLEN", issued_at=member.joined_at)
    items = [
        {"operation": "earn", "body": purchase(reference="E1")},
        {"operation": "earn", "body": purchase(reference="E2", member={"card": "999"})},
        {"operation": "earn", "body": purchase(reference="E3", member={"card": "12345"})},
    ]

    outcomes = till.post(URL, {"items": items}).json()["items"]

    assert [item["status"] for item in outcomes] == [201, 422, 404]
    assert outcomes[1]["problem"]["code"] == "CARD_BLOCKED"


def test_the_same_reference_twice_in_a_batch_posts_once(till, purchase):
    body = purchase(reference="E1")

    outcomes = till.post(
        URL, {"items": [{"operation": "earn", "body": body}, {"operation": "earn", "body": body}]}
    ).json()["items"]

    assert [item["status"] for item in outcomes] == [201, 200]
    assert Transaction.objects.count() == 1
