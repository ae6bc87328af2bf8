"""Redeem Points Voucher, Redemption Reversal, Voucher Allocation, Voucher History."""

from datetime import timedelta

import pytest

from ledger.models import Transaction
from loyalty.models import OutboxEvent
from tests.factories.ledger import balance, give
from tests.factories.members import MemberFactory
from tests.factories.partners import PartnerFactory
from tests.factories.vouchers import BenefitFactory, VoucherTypeFactory
from vouchers.models import BenefitAllocation, Posting, Voucher
from vouchers.services import stock
from vouchers.services.voucher_expiry import settle_chunk


@pytest.fixture
def kind(program):
    return VoucherTypeFactory(code="FIVE", stock=3)


@pytest.fixture
def buy(till, member, now):
    def send(**changes):
        body = {
            "member": {"number": member.number},
            "reference": "BUY-1",
            "occurred_at": now.isoformat(),
            "voucher_type": "FIVE",
        }
        return till.post("/vouchers/redeem/", {**body, **changes})

    return send


def left(kind):
    return stock.left_of([kind.pk]).get(kind.pk)


def test_points_buy_vouchers(kind, member, buy):
    give(member, 1200)

    answer = buy(quantity=2)

    assert answer.status_code == 201
    content = answer.json()
    assert content["kind"] == "REDEMPTION"
    assert content["points"][0]["points"] == -1000
    assert content["value"] == {"amount": "10.00", "currency": "EUR"}
    assert [each["status"] for each in content["vouchers"]] == ["ISSUED", "ISSUED"]
    assert content["vouchers"][0]["value"] == {"amount": "5.00", "currency": "EUR"}
    assert content["vouchers"][0]["origin"] == "POINTS"
    assert len(content["vouchers"][0]["code"]) == 16
    assert balance(member).available == 200
    assert left(kind) == 1
    assert OutboxEvent.objects.filter(type="voucher.issued").count() == 2


def test_the_same_again_answers_the_same_vouchers(kind, member, buy):
    give(member, 1200)
    first = buy().json()

    again = buy()

    assert again.status_code == 200
    assert again.json()["vouchers"] == first["vouchers"]
    assert Voucher.objects.count() == 1
    assert balance(member).available == 700


def test_no_code_is_kept_in_the_clear(kind, member, buy, house):
    give(member, 500)
    code = buy().json()["vouchers"][0]["code"]
    given = house.post(
        f"/members/{member.number}/vouchers/",
        {"voucher_type": "FIVE", "reason": "Sorry", "reference": "A-1"},
    ).json()["vouchers"][0]["code"]

    kept = [bytes(row.code_sealed) + bytes(row.code_hash) for row in Voucher.objects.all()]
    kept += [bytes(row.answer) for row in Posting.objects.all()]
    assert not [each for each in kept for secret in (code, given) if secret.encode() in each]


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"quantity": 3}, 422, "INSUFFICIENT_POINTS"),
        ({"voucher_type": "NOTHING"}, 422, "VOUCHER_TYPE_UNKNOWN"),
        ({"quantity": 11}, 400, "VALIDATION_FAILED"),
        ({"quantity": 0}, 400, "VALIDATION_FAILED"),
        ({"type": "MILES"}, 400, "VALIDATION_FAILED"),
        ({"member": {"number": "1"}}, 404, "MEMBER_NOT_FOUND"),
    ],
)
def test_a_refusal_takes_neither_points_nor_stock(kind, member, buy, changes, status, code):
    give(member, 1000)

    answer = buy(**changes)

    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert balance(member).available == 1000
    assert left(kind) == 3
    assert not Voucher.objects.exists()


def test_stock_ends(kind, member, buy):
    give(member, 5000)

    answer = buy(quantity=4)

    assert answer.json()["code"] == "OUT_OF_STOCK"
    assert answer.json()["left"] == 3
    assert balance(member).available == 5000
    assert buy(quantity=3).status_code == 201
    assert left(kind) == 0


def test_a_member_gets_so_many(kind, member, buy):
    kind.per_member = 1
    kind.save()
    give(member, 5000)
    buy()

    answer = buy(reference="BUY-2")

    assert answer.json()["code"] == "VOUCHER_LIMIT"
    assert left(kind) == 2


def test_a_type_that_is_not_for_points_is_not_sold(member, buy):
    VoucherTypeFactory(code="FIVE", points=None)
    give(member, 500)

    assert buy().json()["code"] == "VOUCHER_TYPE_UNKNOWN"


def test_imported_codes_are_taken_from_the_pool(member, buy):
    from vouchers.services.issuing import blank

    kind = VoucherTypeFactory(code="FIVE", codes="IMPORTED")
    assert stock.import_codes(kind, [blank(kind, code) for code in ("SPA-0001", "SPA-0002")]) == 2
    assert stock.import_codes(kind, [blank(kind, code) for code in ("spa0002", "SPA-0003")]) == 1
    give(member, 2000)

    codes = [each["code"] for each in buy(quantity=3).json()["vouchers"]]

    assert sorted(codes) == ["SPA-0001", "SPA-0002", "SPA-0003"]
    assert buy(reference="BUY-2").json()["code"] == "OUT_OF_STOCK"


def test_a_member_buys_for_itself(kind, member, session_of):
    give(member, 500)
    me = session_of(member)
    body = {"reference": "MINE-1", "voucher_type": "FIVE"}

    answer = me.post("/vouchers/redeem/", body)

    assert answer.status_code == 201
    code = answer.json()["vouchers"][0]["code"]
    assert me.get("/members/me/vouchers/").json()["results"][0]["code"] == code
    other = session_of(MemberFactory())
    assert other.post("/vouchers/redeem/", body).status_code == 409  # One namespace, the house's.


def reverse(till, now, **changes):
    body = {
        "original": {"reference": "BUY-1"},
        "reference": "UNDO-1",
        "occurred_at": now.isoformat(),
    }
    return till.post("/transactions/reverse-redemption/", {**body, **changes})


def test_points_come_back_and_the_vouchers_are_void(kind, member, buy, till, now):
    give(member, 1000)
    code = buy(quantity=2).json()["vouchers"][0]["code"]

    answer = reverse(till, now)

    assert answer.status_code == 201
    assert balance(member).available == 1000
    assert left(kind) == 3
    assert set(Voucher.objects.values_list("status", flat=True)) == {"CANCELLED"}
    use = till.post("/vouchers/authenticate/", {"code": code, "action": "use", "reference": "U1"})
    assert use.json()["code"] == "VOUCHER_EXPIRED"


def test_points_of_a_used_voucher_do_not_come_back(kind, member, buy, till, now):
    give(member, 1000)
    code = buy(quantity=2).json()["vouchers"][0]["code"]
    till.post("/vouchers/authenticate/", {"code": code, "action": "use", "reference": "U1"})

    answer = reverse(till, now)

    assert (answer.status_code, answer.json()["code"]) == (409, "VOUCHER_USED")
    assert balance(member).available == 0
    assert sorted(Voucher.objects.values_list("status", flat=True)) == ["ISSUED", "USED"]
    assert not Transaction.objects.filter(kind="REDEMPTION_REVERSAL").exists()


def test_points_of_vouchers_come_back_whole_or_not_at_all(kind, member, buy, till, now):
    give(member, 1000)
    buy(quantity=2)

    answer = reverse(till, now, points=500)

    assert answer.json()["code"] == "WHOLE_ONLY"
    assert set(Voucher.objects.values_list("status", flat=True)) == {"ISSUED"}


def allocate(house, member, **changes):
    body = {"voucher_type": "FIVE", "reason": "A cold meal", "reference": "GIVE-1"}
    sent = {key: value for key, value in {**body, **changes}.items() if value is not None}
    return house.post(f"/members/{member.number}/vouchers/", sent)


def test_the_help_desk_gives_a_voucher(kind, member, house, now):
    until = now + timedelta(days=10)

    answer = allocate(house, member, quantity=2, valid_to=until.isoformat())

    assert answer.status_code == 201
    assert [each["origin"] for each in answer.json()["vouchers"]] == ["ALLOCATION"] * 2
    assert set(Voucher.objects.values_list("expires_at", flat=True)) == {until}
    assert left(kind) == 1
    assert allocate(house, member, quantity=2, valid_to=until.isoformat()).json() == answer.json()
    assert Voucher.objects.count() == 2


def test_the_help_desk_gives_a_benefit(member, house):
    BenefitFactory(code="LOUNGE")

    answer = allocate(house, member, voucher_type=None, benefit="LOUNGE", quantity=3)

    assert answer.status_code == 201
    row = BenefitAllocation.objects.get()
    assert (row.quantity, row.left, row.reason) == (3, 3, "A cold meal")


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"benefit": "LOUNGE"}, 400),
        ({"voucher_type": None}, 400),
        ({"valid_to": "2001-01-01T00:00:00Z"}, 400),
        ({"voucher_type": None, "benefit": "NOTHING"}, 404),
        ({"voucher_type": "NOTHING"}, 422),
        ({"quantity": 4}, 422),
        ({"reason": None}, 400),
    ],
)
def test_what_cannot_be_given_is_not(kind, member, house, changes, status):
    assert allocate(house, member, **changes).status_code == status
    assert not Voucher.objects.exists()
    assert left(kind) == 3


def test_vouchers_are_listed_newest_first(kind, member, house, till, now):
    for number in range(3):
        allocate(house, member, reference=f"G{number}")
    Voucher.objects.filter(pk=Voucher.objects.earliest("pk").pk).update(expires_at=now)

    def page(**query):
        return house.get(f"/members/{member.number}/vouchers/", **query).json()

    first = page(limit=2)
    second = page(limit=2, cursor=first["next"])

    assert [each["status"] for each in first["results"]] == ["ISSUED", "ISSUED"]
    assert [each["status"] for each in second["results"]] == ["EXPIRED"]  # No job came by yet.
    assert second["next"] is None
    assert len(page(status="ISSUED")["results"]) == 2
    assert len(page(status="EXPIRED")["results"]) == 1
    assert settle_chunk(at=now) == (1, 0)
    assert len(page(status="EXPIRED")["results"]) == 1
    masked = till.get(f"/members/{member.number}/vouchers/").json()["results"][0]["code"]
    assert masked.startswith("…")
    assert len(masked) == 5


def test_a_cursor_belongs_to_its_filters(kind, member, house):
    for number in range(3):
        allocate(house, member, reference=f"G{number}")
    cursor = house.get(f"/members/{member.number}/vouchers/", limit=1).json()["next"]

    answer = house.get(f"/members/{member.number}/vouchers/", cursor=cursor, status="USED")

    assert answer.json()["code"] == "CURSOR_MISMATCH"


def test_the_types_are_listed(kind, house):
    VoucherTypeFactory(code="OLD", active=False)
    VoucherTypeFactory(code="TEN", value="10.00")

    results = house.get("/program/voucher-types/").json()["results"]

    assert [(each["code"], each["left"]) for each in results] == [("FIVE", 3), ("TEN", None)]


def test_a_partner_sees_the_codes_it_issued(kind, member, buy, till, api_of):
    give(member, 500)
    code = buy().json()["vouchers"][0]["code"]
    path = f"/members/{member.number}/vouchers/"

    assert till.get(path).json()["results"][0]["code"] == code
    assert api_of(PartnerFactory()).get(path).json()["results"][0]["code"] == f"…{code[-4:]}"
