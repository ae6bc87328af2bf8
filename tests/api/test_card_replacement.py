"""Card Replacement: the old card leads to the new one, and points and aliases stay."""

import pytest

from loyalty.models import OutboxEvent, Program
from members.models import Activity, Alias, Card, Member
from members.queries.cards import number_at
from tests.factories.ledger import balance, give
from tests.factories.members import AliasFactory, CardRangeFactory, MemberFactory
from tests.factories.promotions import promotion

OLD = "6275000000000017"
NEXT = "6275100000000003"


def replace(house, card=OLD, **changes):
    return house.post("/cards/replace/", {"card": card, "reason": "LOST", **changes})


@pytest.mark.parametrize(
    ("reason", "status"),
    [("LOST", "LOST"), ("STOLEN", "STOLEN"), ("DAMAGED", "REPLACED"), ("UPGRADE", "REPLACED")],
)
def test_the_old_card_leads_to_the_new_one(reason, status, house, member):
    give(member, 100)
    AliasFactory(member=member)

    answer = replace(house, reason=reason, note="At the desk.")

    assert answer.status_code == 201
    assert answer.json()["card"] == NEXT
    assert answer.json()["replaces"] == OLD
    assert answer.json()["member"] == member.number
    old, new = Card.objects.get(number=OLD), Card.objects.get(number=NEXT)
    assert (old.status, old.successor, new.status) == (status, new, "ACTIVE")
    assert old.reported_at == old.closed_at == new.issued_at
    assert balance(member).available == 100
    assert Alias.objects.filter(member=member).count() == 1
    line = Activity.objects.get()
    assert (line.kind, line.reason) == ("CARD_REPLACED", "At the desk.")
    assert line.data == {"card": OLD, "successor": NEXT, "reason": reason}
    event = OutboxEvent.objects.get(type="card.replaced")
    assert (event.member_id, event.payload) == (member.pk, line.data)


def test_a_printed_card_can_be_the_new_one(house, member):
    number = number_at(CardRangeFactory(), 3)

    assert replace(house, new_card=number).json()["card"] == number


def test_a_new_card_that_is_taken_changes_nothing(house, member):
    number = number_at(CardRangeFactory(), 3)
    Card.objects.create(number=number, member=MemberFactory(), issued_at=member.joined_at)

    answer = replace(house, new_card=number)

    assert (answer.status_code, answer.json()["code"]) == (409, "CARD_TAKEN")
    assert Card.objects.get(number=OLD).status == "ACTIVE"
    assert replace(house, new_card=OLD).json()["code"] == "CARD_TAKEN"


def test_a_replaced_card_is_not_replaced_again_but_its_successor_is(house, member):
    replace(house)

    again = replace(house)

    assert (again.status_code, again.json()["code"]) == (409, "CARD_ALREADY_REPLACED")
    assert NEXT not in again.content.decode()
    assert Card.objects.count() == 2
    second = replace(house, NEXT, reason="DAMAGED").json()
    chain = [Card.objects.get(number=OLD)]
    while chain[-1].successor:
        chain.append(chain[-1].successor)
    assert [card.number for card in chain] == [OLD, NEXT, second["card"]]


@pytest.mark.parametrize("status", ["BLOCKED", "CLOSED"])
def test_a_block_is_not_gone_round(status, house, member):
    Card.objects.update(status=status)

    answer = replace(house)

    assert (answer.status_code, answer.json()["code"]) == (422, "CARD_BLOCKED")
    assert Card.objects.count() == 1


def test_what_was_reported_worse_stays_so(house, member, now):
    Card.objects.update(status="STOLEN", reported_at=now)

    replace(house, reason="DAMAGED")

    old = Card.objects.get(number=OLD)
    assert (old.status, old.reported_at) == ("STOLEN", now)


def test_where_one_card_is_allowed_it_can_be_replaced(house, member):
    Program.objects.update(several_cards=False)

    assert replace(house).status_code == 201


def test_an_unknown_card_is_not_found(house, member):
    answer = replace(house, "6275000000000025")

    assert (answer.status_code, answer.json()["code"]) == (404, "CARD_NOT_FOUND")


def test_a_membership_that_is_over_gets_no_card(house, member):
    Member.objects.filter(pk=member.pk).update(stage="CLOSED")

    assert replace(house).json()["code"] == "STAGE_FORBIDS"
    assert Card.objects.count() == 1


@pytest.mark.parametrize("reason", ["lost", "", None, "BROKEN"])
def test_a_reason_is_one_of_four(reason, house, member):
    answer = replace(house, reason=reason)

    assert answer.status_code == 400
    assert answer.json()["errors"][0]["pointer"] == "/reason"


def test_late_sales_on_a_lost_card_go_on_and_on_a_stolen_one_do_not(house, till, purchase, member):
    promotion()
    replace(house, reason="LOST")
    assert till.post("/transactions/earn/", purchase()).json()["member"] == member.number

    replace(house, NEXT, reason="STOLEN")
    late = till.post("/transactions/earn/", purchase(member={"card": NEXT}))

    assert (late.status_code, late.json()["code"]) == (422, "CARD_BLOCKED")
    assert balance(member).available == 4


def test_partners_replace_no_cards(till, member):
    assert replace(till).status_code == 403


def test_a_replacement_sends_few_statements(house, member, statements):
    replace(house)
    statements.sent.clear()

    assert replace(house, NEXT).status_code == 201

    assert len(statements.sent) <= 14, statements.sent
