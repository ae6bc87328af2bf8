"""Get Sweep Stake and Ticket Allocation."""

from datetime import date, timedelta

import pytest
from django.db import transaction

from ledger.models import Transaction
from loyalty.models import Language
from loyalty.scopes import FOR_PARTNERS, Scope
from members.models import Member
from promotions.models import Ticket
from promotions.services.rewarding import sweepstakes
from tests.factories.credentials import limits, with_pin
from tests.factories.ledger import balance, give
from tests.factories.members import MemberFactory
from tests.factories.sweepstakes import DAY, drawn, over, sweepstake
from vouchers.models import Posting

URL = "/sweepstakes/SPRING/tickets/"


@pytest.fixture
def spring(program):
    return sweepstake(at_most=5)


@pytest.fixture
def enter(house, member):
    def send(**changes):
        body = {
            "member": {"number": member.number},
            "reference": "T-1",
            "source": "POINTS",
            "quantity": 2,
        }
        return house.post(URL, {k: v for k, v in {**body, **changes}.items() if v is not None})

    return send


def held(member):
    rows = Ticket.objects.filter(member=member, voided_at=None)
    return list(rows.order_by("number").values_list("number", flat=True))


def test_points_buy_tickets(spring, member, enter):
    give(member, 1000)

    answer = enter()

    assert answer.status_code == 201
    content = answer.json()
    assert content["tickets"] == [1, 2]
    assert (content["held"], content["at_most"]) == (2, 5)
    assert content["cost"] == {"type": "PTS", "points": 200}
    assert content["balances"][0]["available"] == 800
    assert balance(member).available == 800
    row = Transaction.objects.get(kind="REDEMPTION")
    assert (str(row.pk), row.purpose) == (content["transaction"], "CATALOGUE")
    assert set(Ticket.objects.values_list("source", "origin_id")) == {("POINTS", row.pk)}


def test_free_tickets_cost_nothing(spring, member, enter):
    answer = enter(source="FREE", quantity=3)

    assert answer.status_code == 201
    assert answer.json()["tickets"] == [1, 2, 3]
    assert (answer.json()["cost"], answer.json()["transaction"]) == (None, None)
    assert not Transaction.objects.exists()
    refused = enter(source="FREE", quantity=1, reference="T-2")
    assert refused.json()["code"] == "TICKET_LIMIT"
    assert (refused.json()["at_most"], refused.json()["held"]) == (3, 3)


def test_numbers_are_gapless_over_members(spring, member, enter):
    give(member, 1000)
    other = MemberFactory()
    enter()

    enter(member={"number": other.number}, source="FREE", quantity=1, reference="T-2")

    assert held(other) == [3]
    pseudonyms = dict(Ticket.objects.values_list("number", "pseudonym"))
    assert pseudonyms[1] == pseudonyms[2] != pseudonyms[3]
    assert len(pseudonyms[1]) == 32


def test_the_same_again_answers_the_same(spring, member, enter):
    give(member, 1000)
    first = enter()

    again = enter()

    assert (again.status_code, again.content) == (200, first.content)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert balance(member).available == 800
    assert enter(quantity=1).json()["code"] == "REFERENCE_CONFLICT"
    assert enter(source="FREE").json()["code"] == "REFERENCE_CONFLICT"
    assert Ticket.objects.count() == 2


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"quantity": 6}, 422, "TICKET_LIMIT"),
        ({"quantity": 0}, 400, "VALIDATION_FAILED"),
        ({"quantity": 1001}, 400, "VALIDATION_FAILED"),
        ({"source": "GIFT"}, 400, "VALIDATION_FAILED"),
        ({"type": "MILES"}, 400, "VALIDATION_FAILED"),
        ({"reference": None}, 400, "VALIDATION_FAILED"),
        ({"member": None}, 400, "VALIDATION_FAILED"),
        ({"member": {"number": "1"}}, 404, "MEMBER_NOT_FOUND"),
    ],
)
def test_a_refusal_takes_no_points_and_gives_no_ticket(
    spring, member, enter, changes, status, code
):
    give(member, 1000)

    answer = enter(**changes)

    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert balance(member).available == 1000
    assert not Ticket.objects.exists()
    assert not Posting.objects.exists()


def test_points_must_be_there(spring, member, enter):
    give(member, 150)

    answer = enter()

    assert answer.json()["code"] == "INSUFFICIENT_POINTS"
    assert enter(quantity=1).status_code == 201


def test_one_that_is_not_open_takes_no_entry(program, member, enter, now):
    soon = sweepstake(opens_at=now + DAY / 2)

    answer = enter(source="FREE")

    assert (answer.status_code, answer.json()["code"]) == (422, "SWEEPSTAKE_CLOSED")
    assert answer.json()["sweepstake_status"] == "UPCOMING"
    over(soon)
    assert enter(source="FREE").json()["sweepstake_status"] == "CLOSED"
    drawn(soon)
    assert enter(source="FREE").json()["sweepstake_status"] == "DRAWN"
    assert not Ticket.objects.exists()


def test_a_draft_and_a_wrong_code_are_not_there(program, member, enter, house):
    sweepstake(publish=False)

    assert enter(source="FREE").json()["code"] == "SWEEPSTAKE_NOT_FOUND"
    assert house.get("/sweepstakes/SPRING/").json()["code"] == "SWEEPSTAKE_NOT_FOUND"
    assert house.get("/sweepstakes/").json()["results"] == []


@pytest.mark.parametrize(
    ("content", "source"),
    [({"free_per_member": 0}, "FREE"), ({"points": None, "point_type": None}, "POINTS")],
)
def test_a_way_that_is_not_offered_is_refused(program, member, enter, content, source):
    sweepstake(**content)
    give(member, 1000)

    assert enter(source=source).json()["code"] == "ENTRY_NOT_OFFERED"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ({"tiers": ["GOLD"]}, "TIER"),
        ({"segments": ["VIP"]}, "SEGMENT"),
        ({"stages": ["PENDING"]}, "STAGE"),
        ({"min_age": 18}, "AGE"),
        ({"countries": ["DE"]}, "REGION"),
    ],
)
def test_it_is_for_its_audience(program, member, enter, house, now, content, reason):
    sweepstake(**content)
    Member.objects.update(birth_date=now.date() - timedelta(days=6000), address={"country": "AT"})

    answer = enter(source="FREE")

    assert (answer.status_code, answer.json()["code"]) == (422, "NOT_ELIGIBLE")
    assert answer.json()["reason"] == reason
    shown = house.get("/sweepstakes/SPRING/", member=member.number).json()
    assert (shown["may_enter"], shown["why_not"]) == (False, reason)
    assert house.get("/sweepstakes/", member=member.number).json()["results"] == []


def test_who_is_old_enough_and_lives_there_may_enter(program, member, enter):
    sweepstake(min_age=18, countries=["AT"])
    assert enter(source="FREE").json()["reason"] == "AGE_UNKNOWN"
    Member.objects.update(birth_date=date(1980, 2, 29), address={"country": "AT"})

    assert enter(source="FREE").status_code == 201


def test_a_member_that_is_disabled_does_not_enter(spring, member, enter):
    Member.objects.filter(pk=member.pk).update(stage="DISABLED")

    assert enter(source="FREE").json()["code"] == "STAGE_FORBIDS"


def test_a_member_enters_for_itself(spring, member, session_of):
    give(member, 300)
    me = session_of(member)

    answer = me.post(URL, {"reference": "MINE", "source": "POINTS"})

    assert answer.status_code == 201
    shown = me.get("/sweepstakes/SPRING/").json()
    assert (shown["held"], shown["numbers"], shown["may_enter"]) == (1, [1], True)
    assert (shown["total"], shown["odds"]) == (1, "1.000000")
    body = {"reference": "OTHER", "source": "FREE", "member": {"number": member.number}}
    assert me.post(URL, body).status_code == 400


def test_a_partner_gives_no_tickets_and_is_not_told_who_somebody_is(
    spring, member, till, api_of, partner
):
    body = {"member": {"number": member.number}, "reference": "P", "source": "FREE"}
    assert till.post(URL, body).json()["code"] == "SCOPE_MISSING"
    sweepstake("SUMMER", min_age=18)
    shown = till.get("/sweepstakes/SUMMER/", member=member.number).json()
    assert (shown["may_enter"], shown["why_not"]) == (False, "NOT_ELIGIBLE")
    assert FOR_PARTNERS.isdisjoint({Scope.SWEEPSTAKES_WRITE})


def test_buying_asks_for_the_scope_to_spend_points(spring, member, api_of):
    give(member, 1000)
    giver = api_of(None, {Scope.SWEEPSTAKES_WRITE})
    body = {"member": {"number": member.number}, "reference": "P"}

    refused = giver.post(URL, {**body, "source": "POINTS"})

    assert (refused.status_code, refused.json()["scope"]) == (403, "points:redeem")
    assert giver.post(URL, {**body, "source": "FREE"}).status_code == 201


def test_buying_above_the_members_threshold_needs_its_pin(spring, member, session_of):
    give(member, 1000)
    me = session_of(member)
    limits(with_pin(member), per_transaction="0.50")

    answer = me.post(URL, {"reference": "MINE", "source": "POINTS"})

    assert answer.json()["code"] == "STEP_UP_REQUIRED"
    assert not Ticket.objects.exists()


def undo(house, now, **changes):
    body = {
        "original": {"reference": "T-1"},
        "reference": "UNDO",
        "occurred_at": now.isoformat(),
    }
    return house.post("/transactions/reverse-redemption/", {**body, **changes})


def test_points_come_back_and_the_tickets_are_void(spring, member, enter, house, now):
    give(member, 1000)
    enter()

    answer = undo(house, now)

    assert answer.status_code == 201
    assert balance(member).available == 1000
    assert held(member) == []
    assert enter(reference="T-2").json()["tickets"] == [3, 4]  # Numbers are never used again.
    assert undo(house, now).content == answer.content


def test_a_part_of_the_points_does_not_come_back(spring, member, enter, house, now):
    give(member, 1000)
    enter()

    assert undo(house, now, points=100).json()["code"] == "WHOLE_ONLY"
    assert held(member) == [1, 2]


def test_points_of_a_ticket_that_was_drawn_do_not_come_back(spring, member, enter, house, now):
    give(member, 1000)
    enter()
    drawn(spring)

    answer = undo(house, now)

    assert (answer.status_code, answer.json()["code"]) == (409, "TICKETS_LISTED")
    assert balance(member).available == 800
    assert held(member) == [1, 2]


def test_they_are_listed_with_prizes_and_price(spring, till):
    sweepstake("AUTUMN", visible=False)

    (answer,) = till.get("/sweepstakes/").json()["results"]

    assert answer["code"] == "SPRING"
    assert answer["status"] == "OPEN"
    assert answer["price"] == {"type": "PTS", "points": 100}
    assert answer["prizes"] == [
        {"place": 1, "name": "A bicycle", "text": "", "quantity": 1, "voucher_type": None}
    ]
    assert len(answer["commitment"]) == 64
    assert (answer["held"], answer["may_enter"], answer["total"]) == (None, None, 0)
    assert not {"seed", "seed_sealed", "key_sealed"} & set(answer)


def test_texts_are_in_the_language_that_is_asked_for(program, till):
    sweepstake(translations={"de": {"name": "Frühling", "text": "Viel Glück!"}})
    Language.objects.get_or_create(code="de", defaults={"name": "Deutsch"})

    answer = till.client.get(
        "/api/v1/sweepstakes/SPRING/", headers={**till.headers, "Accept-Language": "de-AT"}
    )

    assert answer.json()["name"] == "Frühling"
    assert answer.headers["Content-Language"] == "de"


@pytest.mark.parametrize("status", ["UPCOMING", "OPEN", "CLOSED", "DRAWN", "WITHDRAWN"])
def test_they_are_found_by_status(program, house, now, status):
    sweepstake("UPCOMING", opens_at=now + DAY / 2)
    sweepstake("OPEN")
    over(sweepstake("CLOSED"))
    drawn(sweepstake("DRAWN"))
    with transaction.atomic():
        sweepstakes.withdraw(sweepstake("WITHDRAWN").pk, at=now)

    results = house.get("/sweepstakes/", status=status).json()["results"]

    assert [(each["code"], each["status"]) for each in results] == [(status, status)]


def test_pages_follow_each_other(program, house):
    for code in "ABC":
        sweepstake(code)

    first = house.get("/sweepstakes/", limit=2).json()
    second = house.get("/sweepstakes/", limit=2, cursor=first["next"]).json()

    assert [each["code"] for each in first["results"]] == ["A", "B"]
    assert ([each["code"] for each in second["results"]], second["next"]) == (["C"], None)
    cursor = first["next"]
    other = house.get("/sweepstakes/", cursor=cursor, status="OPEN")
    assert other.json()["code"] == "CURSOR_MISMATCH"


def test_what_a_member_holds_is_shown_though_it_may_enter_no_more(program, member, enter, house):
    spring = sweepstake()
    enter(source="FREE", quantity=1)
    over(spring)

    (answer,) = house.get("/sweepstakes/", member=member.number).json()["results"]

    assert (answer["held"], answer["status"]) == (1, "CLOSED")
    assert (answer["may_enter"], answer["why_not"]) == (False, "SWEEPSTAKE_CLOSED")


def test_an_instant_may_be_asked_for(spring, house, now):
    earlier = (now - 5 * DAY).isoformat()

    (answer,) = house.get("/sweepstakes/", date=earlier).json()["results"]

    assert answer["status"] == "UPCOMING"
