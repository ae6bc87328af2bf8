"""Reading: status, expiry, history, one transaction."""

from datetime import timedelta

import pytest

from tests.factories.ledger import give
from tests.factories.partners import PartnerFactory
from tests.factories.promotions import promotion

pytestmark = pytest.mark.usefixtures("member")


def test_the_status_tells_what_is_there_and_what_comes(till, member, now):
    give(member, 100, at=now - timedelta(days=1), lives=timedelta(days=10))
    give(member, 40, at=now - timedelta(days=1), pending=timedelta(days=5), lives=None)

    answer = till.get(f"/members/{member.number}/points/").json()

    assert answer["may"] == {"earn": True, "redeem": True}
    assert answer["types"] == [
        {
            "type": "PTS",
            "available": 100,
            "pending": 40,
            "locked": 0,
            "debt": 0,
            "value": {"amount": "1.00", "currency": "EUR"},
            "without_pin_up_to": 100,
            "next_expiry": {"at": _z(now + timedelta(days=9)), "points": 100},
            "next_release": {"at": _z(now + timedelta(days=4)), "points": 40},
        }
    ]


def _z(instant):
    return instant.isoformat().replace("+00:00", "Z")


def test_the_status_counts_what_is_due_without_writing(till, member, now):
    from ledger.models import Transaction

    give(member, 100, at=now - timedelta(days=30), lives=timedelta(days=10))

    answer = till.get(f"/members/{member.number}/points/").json()

    assert answer["types"][0]["available"] == 0
    assert Transaction.objects.count() == 1


def test_the_status_of_the_past_is_that_of_the_past(till, member, now):
    give(member, 100, at=now - timedelta(days=30), lives=timedelta(days=10))
    give(member, 50, at=now - timedelta(days=5))

    def available(days):
        as_of = (now - timedelta(days=days)).isoformat()
        types = till.get(f"/members/{member.number}/points/", as_of=as_of).json()["types"]
        return types[0]["available"] if types else 0

    assert [available(days) for days in (40, 25, 15, 1)] == [0, 100, 0, 50]


def test_expired_and_upcoming_points_by_date(till, member, now):
    give(member, 30, at=now - timedelta(days=30), lives=timedelta(days=10))
    give(member, 100, at=now - timedelta(days=1), lives=timedelta(days=10))

    answer = till.get(f"/members/{member.number}/points/expiry/").json()

    assert [bucket["points"] for bucket in answer["expired"]] == [30]
    assert [bucket["points"] for bucket in answer["upcoming"]] == [100]
    assert answer["at_risk"] == [{"type": "PTS", "points": 100}]


def test_history_pages_newest_first_and_its_sums_agree(till, member, purchase):
    promotion()
    for _ in range(5):
        till.post("/transactions/earn/", purchase())
    url = f"/members/{member.number}/transactions/"

    first = till.get(url, limit=3).json()
    rest = till.get(url, limit=3, cursor=first["next"]).json()

    rows = first["results"] + rest["results"]
    assert [row["version"] for row in rows] == [5, 4, 3, 2, 1]
    assert rest["next"] is None
    assert sum(p["points"] for row in rows for p in row["points"]) == 20
    assert [row["balances"][0]["available"] for row in rows] == [20, 16, 12, 8, 4]
    assert rows[0]["awards"][0]["promotion"] == "BASE"


def test_a_cursor_belongs_to_its_filters(till, member, purchase):
    for _ in range(3):
        till.post("/transactions/earn/", purchase())
    url = f"/members/{member.number}/transactions/"
    cursor = till.get(url, limit=1).json()["next"]

    for wrong in ({"cursor": cursor, "kind": "EARN"}, {"cursor": "rubbish"}):
        response = till.get(url, **wrong)
        assert (response.status_code, response.json()["code"]) == (400, "CURSOR_MISMATCH")


def test_a_partner_sees_anothers_movements_but_not_their_details(till, api_of, member, purchase):
    promotion()
    till.post("/transactions/earn/", purchase())
    other = api_of(PartnerFactory())

    [row] = other.get(f"/members/{member.number}/transactions/").json()["results"]

    assert row["points"][0]["points"] == 4
    assert (row["reference"], row["outlet"], row["awards"]) == (None, None, [])
    assert other.get(f"/transactions/{row['id']}/").status_code == 404


def test_one_transaction_explains_itself(till, purchase):
    promotion(audience={"tiers": ["BASE"]})
    earned = till.post("/transactions/earn/", purchase(reference="R1")).json()

    read = till.get(f"/transactions/{earned['id']}/", include="explanation").json()

    assert read["explained"] == "SAME"
    why = read["awards"][0]["explanation"]
    assert why["conditions"] == [{"name": "tiers", "wanted": ["BASE"], "seen": "BASE", "met": True}]
    assert till.get("/transactions/", reference="R1").json()["id"] == earned["id"]


def test_evaluation_promises_nothing_and_writes_nothing(till, purchase):
    from ledger.models import Transaction

    promotion()
    promotion(
        "BIG", award={"kind": "FIXED", "type": "PTS", "points": 9}, minimum={"amount": "50.00"}
    )

    as_member = till.post("/transactions/evaluate/", purchase(reference=None)).json()
    guest = till.post("/transactions/evaluate/", purchase(reference=None, member=None)).json()

    assert as_member["points"] == [{"type": "PTS", "points": 4}]
    assert as_member["near_misses"][0]["promotion"] == "BIG"
    assert as_member["near_misses"][0]["missing"] == "44.53"
    assert guest["points"] == []
    assert guest["as_member"]["points"] == [{"type": "PTS", "points": 4}]
    assert not Transaction.objects.exists()


def test_evaluation_equals_what_earn_then_gives(till, purchase):
    promotion(pending="P14D")
    promotion("ITEM", award={"kind": "PER_ITEM", "type": "PTS", "points": 3})
    body = purchase()

    quoted = till.post("/transactions/evaluate/", body).json()["awards"]
    earned = till.post("/transactions/earn/", body).json()["awards"]

    assert quoted == earned


@pytest.mark.parametrize(
    ("path", "pointer"),
    [
        ("points/?as_of=yesterday", "/as_of"),
        ("points/?as_of=2090-01-01T00:00:00Z", "/as_of"),
        ("points/?colour=red", "/colour"),
        ("transactions/?limit=9999", "/limit"),
        ("transactions/?kind=GIFT", "/kind"),
        ("transactions/?limit=1&limit=2", "/limit"),
    ],
)
def test_a_wrong_query_names_its_parameter(path, pointer, till, member):
    response = till.client.get(f"/api/v1/members/{member.number}/{path}", headers=till.headers)

    assert response.status_code == 400
    assert response.json()["errors"][0]["pointer"] == pointer
