"""Tickets that promotions give: within the rules of their sweepstake, and taken back."""

import pytest
from django.db import connection, transaction
from django.db.utils import IntegrityError

from members.models import Member
from promotions.models import LimitCounter, Ticket
from tests.api.merge.calls import merge, unmerge
from tests.factories.members import MemberFactory
from tests.factories.promotions import promotion
from tests.factories.sweepstakes import DAY, drawn, sweepstake
from tests.factories.vouchers import VoucherTypeFactory
from tests.promotions.test_voucher_rewards import (  # noqa: F401 the fixtures
    ONCE_A_DAY,
    sell,
    take_back,
)
from vouchers.models import Voucher
from vouchers.services.stock import left_of

pytestmark = pytest.mark.usefixtures("member")


@pytest.fixture
def lucky(program):
    """From 50 euros on, two tickets."""

    def make(**changes):
        award = {"kind": "TICKET", "sweepstake": "SPRING", "quantity": 2}
        return promotion("LUCKY", **{"award": award, "minimum": {"amount": "50.00"}, **changes})

    return make


def numbers():
    rows = Ticket.objects.filter(voided_at=None).order_by("number")
    return list(rows.values_list("number", flat=True))


def test_a_purchase_brings_tickets(lucky, sell, member):  # noqa: F811
    sweepstake()
    lucky()

    answer = sell()

    (reward,) = answer.json()["rewards"]
    assert (reward["kind"], reward["code"], reward["quantity"]) == ("TICKET", "SPRING", 2)
    assert (reward["tickets"], reward["vouchers"]) == ([1, 2], [])
    assert sell().json() == answer.json()
    row = Ticket.objects.first()
    assert (row.source, str(row.origin_id)) == ("PROMOTION", answer.json()["id"])
    assert row.member_id == member.pk


def test_the_members_maximum_reduces_what_a_purchase_brings(lucky, sell):  # noqa: F811
    sweepstake(at_most=3)
    lucky()
    sell("SALE-1")

    second, third = sell("SALE-2").json(), sell("SALE-3").json()

    assert second["rewards"][0]["tickets"] == [3]
    near = {"promotion": "LUCKY", "version": 1, "reason": "TICKET_LIMIT"}
    assert second["near_misses"] == [{**near, "missing": "1"}]
    assert (third["rewards"], third["near_misses"]) == ([], [{**near, "missing": "2"}])


@pytest.mark.parametrize("state", ["draft", "upcoming", "drawn"])
def test_a_sweepstake_that_is_not_open_is_a_near_miss(lucky, sell, now, state):  # noqa: F811
    if state == "draft":
        sweepstake(publish=False)
    if state == "upcoming":
        sweepstake(opens_at=now + DAY / 2)
    if state == "drawn":
        drawn(sweepstake())
    lucky(limits=[ONCE_A_DAY])

    answer = sell()

    assert answer.status_code == 201
    assert answer.json()["rewards"] == []
    assert [each["reason"] for each in answer.json()["near_misses"]] == ["SWEEPSTAKE_CLOSED"]
    assert not LimitCounter.objects.exists()
    assert numbers() == []


def test_a_promotion_names_a_sweepstake_that_there_is(house):
    award = {"kind": "TICKET", "sweepstake": "NOTHING", "quantity": 1}

    answer = house.put("/promotions/LUCKY/", {"name": "Lucky", "award": award})

    assert answer.status_code == 400
    assert answer.json()["errors"][0]["pointer"] == "/award/sweepstake"


def test_who_is_too_young_gets_no_ticket_from_a_promotion_either(lucky, sell, now):  # noqa: F811
    sweepstake(min_age=18)
    lucky()
    Member.objects.update(birth_date=now.date())

    answer = sell()

    assert [each["reason"] for each in answer.json()["near_misses"]] == ["NOT_ELIGIBLE"]
    assert numbers() == []


def test_everything_returned_leaves_no_ticket(lucky, sell, take_back):  # noqa: F811
    sweepstake()
    lucky()
    sell()

    answer = take_back()

    (reward,) = answer.json()["rewards"]
    assert (reward["quantity"], reward["tickets"], reward["treated"]) == (-2, [1, 2], "VOID")
    assert numbers() == []
    assert take_back().json() == answer.json()


def test_a_return_that_takes_the_reason_away_takes_the_tickets(lucky, sell, take_back):  # noqa: F811
    sweepstake()
    lucky()
    sell()

    assert "rewards" not in take_back((1, "0.1")).json()
    answer = take_back((2, "1"), reference="BACK-2")

    assert answer.json()["rewards"][0]["tickets"] == [1, 2]
    assert numbers() == []
    assert "rewards" not in take_back(reference="BACK-3").json()


def test_tickets_that_were_drawn_stay_and_it_is_told(lucky, sell, take_back):  # noqa: F811
    made = sweepstake()
    lucky()
    sell()
    drawn(made)

    answer = take_back()

    assert answer.status_code == 201
    assert answer.json()["rewards"][0]["treated"] == "LISTED"
    assert numbers() == [1, 2]


def test_tickets_follow_a_merge_and_its_undoing(lucky, sell, take_back, house, member):  # noqa: F811
    made = sweepstake()
    lucky()
    sell()
    other = MemberFactory()
    before = set(Ticket.objects.values_list("pseudonym", flat=True))

    merged = merge(house, member, other)

    assert merged["moved"]["tickets"] == 2 if "moved" in merged else True
    assert set(Ticket.objects.values_list("member_id", flat=True)) == {other.pk}
    assert set(Ticket.objects.values_list("pseudonym", flat=True)) != before
    assert unmerge(house, member).status_code == 200
    assert set(Ticket.objects.values_list("member_id", "pseudonym")) == {
        (member.pk, each) for each in before
    }
    drawn(made)
    merge(house, member, other)
    # The list is fixed: whose the tickets are changes, under which pseudonym they stand does not.
    assert set(Ticket.objects.values_list("member_id", "pseudonym")) == {
        (other.pk, each) for each in before
    }


@pytest.mark.parametrize(
    "change",
    [
        "DELETE FROM promotions_ticket",
        "UPDATE promotions_ticket SET number = 99 WHERE number = 1",
        "UPDATE promotions_ticket SET at = now()",
    ],
)
def test_the_database_lets_no_ticket_be_changed(lucky, sell, change):  # noqa: F811
    sweepstake()
    lucky()
    sell()

    with (
        pytest.raises(IntegrityError, match="append-only"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(change)

    assert numbers() == [1, 2]


def test_the_database_lets_no_ticket_be_voided_once_the_list_is_fixed(lucky, sell):  # noqa: F811
    made = sweepstake()
    lucky()
    sell()
    drawn(made)

    with pytest.raises(IntegrityError, match="fixed"), transaction.atomic():
        Ticket.objects.update(voided_at=made.opens_at)


def test_an_exchange_takes_the_rewards_and_its_void_gives_them_back(
    lucky,
    sell,  # noqa: F811
    till,
    purchase,
    now,
    take_back,  # noqa: F811
):
    sweepstake()
    kind = VoucherTypeFactory(code="COFFEE", stock=2)
    lucky()
    award = {"kind": "VOUCHER", "voucher_type": "COFFEE", "quantity": 2}
    promotion("CUP", award=award, minimum={"amount": "50.00"})
    sell()
    call = purchase(
        reference="SWAP",
        lines=[{"line": 1, "sku": "C", "quantity": "1", "amount": "5.00"}],
        discount="0",
        tenders=None,
        mode="commit",
        returns=[{"original": {"reference": "SALE-1"}, "lines": [{"line": 2, "quantity": "1"}]}],
    )

    swapped = till.post("/transactions/", call)

    assert swapped.status_code == 201, swapped.json()
    assert (numbers(), left_of([kind.pk])[kind.pk]) == ([], 2)
    body = {
        "original": {"reference": "SWAP"},
        "reference": "VOID",
        "occurred_at": now.isoformat(),
    }
    assert till.post("/transactions/void/", body).status_code == 201
    # The vouchers are the same ones; a ticket's number is never used again.
    assert set(Voucher.objects.values_list("status", flat=True)) == {"ISSUED"}
    assert (numbers(), left_of([kind.pk])[kind.pk]) == ([3, 4], 0)
    taken = take_back((2, "1"), reference="AGAIN").json()["rewards"]
    assert sorted(each["quantity"] for each in taken) == [-2, -2]
    assert "rewards" not in take_back().json()
    assert (numbers(), left_of([kind.pk])[kind.pk]) == ([], 2)
    assert set(Voucher.objects.values_list("status", flat=True)) == {"CANCELLED"}


def test_what_would_be_given_is_told_in_the_same_form(lucky, till, purchase):
    sweepstake()
    lucky(minimum={})

    answer = till.post("/transactions/evaluate/", purchase(reference=None))

    assert answer.json()["rewards"] == [
        {
            "promotion": "LUCKY",
            "version": 1,
            "kind": "TICKET",
            "code": "SPRING",
            "quantity": 2,
            "vouchers": [],
            "tickets": [],
        }
    ]
    assert numbers() == []
