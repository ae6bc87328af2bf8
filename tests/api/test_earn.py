"""Earn: what a purchase posts, what is refused, and that a retry is safe."""

import pytest

from ledger.models import Entry, Lot, Transaction
from promotions.models import Evaluation
from tests.factories.ledger import balance
from tests.factories.promotions import promotion

URL = "/transactions/earn/"
pytestmark = pytest.mark.usefixtures("member")


def test_a_purchase_earns_by_line_after_all_discounts(till, purchase, member):
    promotion()

    response = till.post(URL, purchase(reference="R1"))

    answer = response.json()
    assert response.status_code == 201
    assert answer["kind"] == "EARN"
    assert answer["member"] == member.number
    assert answer["version"] == 1
    # The basket's 1.00 is shared 0.85 and 0.15: the lines net 4.63 and 0.84.
    assert [(a["line"], a["points"]) for a in answer["awards"]] == [(1, 4)]
    assert answer["points"] == [
        {
            "type": "PTS",
            "points": 4,
            "available_after": 4,
            "pending_after": 0,
            "locked_after": 0,
            "debt_after": 0,
        }
    ]
    assert answer["balances"] == [
        {"type": "PTS", "available": 4, "pending": 0, "locked": 0, "debt": 0}
    ]
    assert balance(member).available == 4


def test_the_same_bill_twice_earns_once_and_answers_the_same(till, purchase):
    promotion()
    body = purchase()
    first = till.post(URL, body)

    body["lines"][0]["amount"] = "5.980"  # the same number, written otherwise
    second = till.post(URL, body)

    assert second.status_code == 200
    assert second.headers["Idempotent-Replayed"] == "true"
    assert second.json() == first.json()
    assert Transaction.objects.count() == 1


def test_a_replay_answers_the_same_after_the_promotion_has_changed(till, purchase):
    promotion()
    body = purchase()
    first = till.post(URL, body)
    promotion(award={"kind": "FIXED", "type": "PTS", "points": 500})

    assert till.post(URL, body).json() == first.json()


def test_the_same_reference_with_another_amount_conflicts(till, purchase):
    promotion()
    body = purchase()
    till.post(URL, body)
    body["discount"], body["tenders"] = "2.00", [{"type": "CARD", "amount": "4.47"}]

    response = till.post(URL, body)

    assert response.status_code == 409
    assert response.json()["code"] == "REFERENCE_CONFLICT"
    assert Transaction.objects.count() == 1


def test_a_purchase_that_earns_nothing_leaves_a_transaction(till, purchase, member):
    response = till.post(URL, purchase())

    assert response.status_code == 201
    assert response.json()["points"] == []
    assert Transaction.objects.get().version == 1
    assert Lot.objects.count() == 0


def test_one_lot_for_each_promotion_and_the_split_by_line_beside_it(till, purchase):
    promotion(combination={"base": True})
    promotion("DOUBLE", award={"kind": "MULTIPLIER", "type": "PTS", "factor": "2"})

    answer = till.post(URL, purchase(discount="0", tenders=None)).json()

    assert [(a["promotion"], a["line"], a["points"]) for a in answer["awards"]] == [
        ("BASE", 1, 5),
        ("DOUBLE", 1, 5),
    ]
    assert sorted(Lot.objects.values_list("granted", flat=True)) == [5, 5]
    assert Evaluation.objects.get().result["awards"][0]["promotion"] == "BASE"


def test_pending_points_wait_and_expiry_counts_from_the_purchase(till, purchase):
    promotion(pending="P14D", expiry={"after": "P12M", "round_up": "MONTH"})

    answer = till.post(URL, purchase()).json()

    award = answer["awards"][0]
    assert award["state"] == "PENDING"
    assert answer["balances"][0] == {
        "type": "PTS",
        "available": 0,
        "pending": 4,
        "locked": 0,
        "debt": 0,
    }
    assert award["last_valid_date"][-2:] in {"28", "29", "30", "31"}


@pytest.mark.parametrize("stage", ["SUSPENDED", "DISABLED", "CLOSED"])
def test_a_stage_that_may_not_earn_is_refused(stage, till, purchase, member):
    promotion()
    type(member).objects.update(stage=stage)

    response = till.post(URL, purchase())

    assert (response.status_code, response.json()["code"]) == (422, "STAGE_FORBIDS")
    assert not Transaction.objects.exists()


def test_an_expired_membership_is_active_again(till, purchase, member):
    type(member).objects.update(stage="EXPIRED")

    assert till.post(URL, purchase()).status_code == 201

    member.refresh_from_db()
    assert member.stage == "ACTIVE"


def test_a_stolen_card_earns_nothing(till, purchase, member):
    member.cards.update(status="STOLEN")

    response = till.post(URL, purchase())

    assert (response.status_code, response.json()["code"]) == (422, "CARD_BLOCKED")


@pytest.mark.parametrize(
    ("_case", "changes", "status", "code", "pointer"),
    [
        ("too old", {"occurred_at": "2020-01-01T00:00:00Z"}, 422, "TOO_OLD", None),
        ("in the future", {"occurred_at": "2090-01-01T00:00:00Z"}, 422, "IN_FUTURE", None),
        ("ancient", {"occurred_at": "1900-01-01T00:00:00Z"}, 400, "VALIDATION_FAILED", "/occurred_at"),
        ("no offset", {"occurred_at": "2026-01-01T00:00:00"}, 400, "VALIDATION_FAILED", "/occurred_at"),
        ("another's outlet", {"outlet": "S99"}, 422, "OUTLET_UNKNOWN", None),
        ("no rate", {"currency": "CHF"}, 422, "NO_RATE", None),
        ("tenders differ", {"tenders": [{"type": "CASH", "amount": "1.00"}]}, 422, "TENDERS_MISMATCH", None),
        ("discount too large", {"discount": "99.00", "tenders": None}, 400, "VALIDATION_FAILED", "/discount"),
        ("nobody", {"member": {"card": "1"}}, 404, "MEMBER_NOT_FOUND", None),
        ("two names", {"member": {"card": "1", "number": "2"}}, 400, "VALIDATION_FAILED", "/member"),
        ("no member", {"member": None}, 400, "VALIDATION_FAILED", "/member"),
        ("no reference", {"reference": None}, 400, "VALIDATION_FAILED", "/reference"),
        ("unknown field", {"points": 5}, 400, "VALIDATION_FAILED", "/points"),
        ("NUL", {"reference": "a\0b"}, 400, "VALIDATION_FAILED", "/reference"),
        ("lone surrogate", {"channel": "\ud800"}, 400, "VALIDATION_FAILED", None),
        ("repeated line", {"lines": [{"line": 1, "amount": "1"}, {"line": 1, "amount": "1"}], "tenders": None}, 400, "VALIDATION_FAILED", "/lines/1/line"),
        ("negative amount", {"lines": [{"line": 1, "amount": "-1"}], "tenders": None}, 400, "VALIDATION_FAILED", "/lines/0/amount"),
        ("amount as number", {"lines": [{"line": 1, "amount": 1.5}], "tenders": None}, 400, "VALIDATION_FAILED", "/lines/0/amount"),
        ("absurd amount", {"lines": [{"line": 1, "amount": "99999999999999"}], "tenders": None}, 400, "VALIDATION_FAILED", "/lines/0/amount"),
        ("absurd sum", {"lines": [{"line": n, "amount": "9999999999"} for n in range(1, 102)], "discount": None, "tenders": None}, 400, "VALIDATION_FAILED", "/lines"),
        ("half cents", {"lines": [{"line": 1, "amount": "1.005"}], "discount": None, "tenders": None}, 400, "VALIDATION_FAILED", "/lines/0/amount"),
    ],
)  # fmt: skip
def test_a_wrong_purchase_is_refused_and_changes_nothing(
    _case, changes, status, code, pointer, till, purchase
):
    promotion()

    response = till.post(URL, purchase(**changes))

    assert (response.status_code, response.json()["code"]) == (status, code)
    assert response.headers["Content-Type"] == "application/problem+json"
    if pointer:
        assert response.json()["errors"][0]["pointer"] == pointer
    assert not Transaction.objects.exists()
    assert not Entry.objects.exists()


def test_what_was_refused_may_be_sent_again_under_the_same_reference(till, purchase):
    promotion()
    refused = till.post(URL, purchase(reference="AGAIN", outlet="S99"))

    accepted = till.post(URL, purchase(reference="AGAIN"))

    assert (refused.status_code, accepted.status_code) == (422, 201)


def test_line_conditions_follow_the_category_tree(till, purchase, coffee):
    promotion("COFFEE", lines={"include": {"category": ["DRINKS"]}})

    answer = till.post(URL, purchase(discount="0", tenders=None)).json()

    assert [(a["line"], a["points"]) for a in answer["awards"]] == [(1, 5)]


@pytest.fixture
def coffee(program):
    """Product 1095275 is a coffee, below drinks."""
    from loyalty.models import Master, MasterEntity

    product = MasterEntity.objects.get(code="product")
    return Master.objects.create(
        entity=product, code="1095275", name="Coffee", path=["DRINKS", "HOT"], attributes={}
    )


def test_an_earn_explains_itself_if_asked(till, purchase):
    promotion(audience={"tiers": ["BASE"]})
    body = purchase()

    first = till.post(f"{URL}?include=explanation", body).json()
    again = till.post(f"{URL}?include=explanation", body).json()

    [condition] = first["awards"][0]["explanation"]["conditions"]
    assert (condition["name"], condition["seen"], condition["met"]) == ("tiers", "BASE", True)
    assert again == first
