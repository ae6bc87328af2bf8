"""Issue Card: a printed number, or the next of a range."""

import pytest

from loyalty.models import Program
from members.models import Activity, Card, CardRange, Member
from members.queries.cards import number_at
from tests.factories.members import CardRangeFactory, MemberFactory
from tests.factories.partners import PartnerFactory


@pytest.fixture
def ann(program):
    return MemberFactory()


def issue(house, member, body=None, **headers):
    return house.post(f"/members/{member.number}/cards/", body or {}, **headers)


def refused(answer, code, member):
    assert answer.json()["code"] == code
    assert not Card.objects.filter(member=member).exists()
    assert not Activity.objects.exists()
    return answer.status_code


def test_the_next_number_of_the_programmes_range_is_given(house, ann):
    answers = [issue(house, ann), issue(house, ann)]

    assert [answer.status_code for answer in answers] == [201, 201]
    first, second = (answer.json() for answer in answers)
    assert (first["card"], second["card"]) == ("6275100000000003", "6275100000000011")
    assert first == {
        "card": "6275100000000003",
        "member": ann.number,
        "status": "ACTIVE",
        "issued_at": first["issued_at"],
        "reported_at": None,
        "closed_at": None,
        "replaces": None,
        "replaced_by": None,
    }
    line = Activity.objects.first()
    assert (line.kind, line.data) == ("CARD_ISSUED", {"card": "6275100000000003"})


def test_a_printed_number_is_given_and_never_again(house, ann):
    printed = CardRangeFactory()
    number = number_at(printed, 7)

    assert issue(house, ann, {"card": number}).json()["card"] == number
    other = MemberFactory()
    answer = issue(house, other, {"card": number})

    assert (answer.status_code, answer.json()["code"]) == (409, "CARD_TAKEN")
    assert Card.objects.get(number=number).member == ann
    assert Card.objects.get(number=number).range == printed


def test_a_key_makes_a_retry_safe(house, ann):
    first = issue(house, ann, **{"Idempotency-Key": "one"})
    again = issue(house, ann, **{"Idempotency-Key": "one"})

    assert [first.status_code, again.status_code] == [201, 201]
    assert again.json() == first.json()
    assert again.headers["Idempotent-Replayed"] == "true"
    assert Card.objects.count() == 1


@pytest.mark.parametrize("number", ["6275100000000003", "123", "ABC", "9" * 32])
def test_a_number_of_no_printed_range_is_not_found(number, house, ann):
    CardRangeFactory()

    assert refused(issue(house, ann, {"card": number}), "CARD_NOT_FOUND", ann) == 404


def test_a_wrong_check_digit_is_not_found(house, ann):
    number = number_at(CardRangeFactory(), 7)
    wrong = number[:-1] + str((int(number[-1]) + 1) % 10)

    assert refused(issue(house, ann, {"card": wrong}), "CARD_NOT_FOUND", ann) == 404


def test_a_range_without_check_digit_takes_every_number(house, ann):
    source = CardRangeFactory(first="70000000", last="70000099", check_digit="NONE")

    assert issue(house, ann, {"card": "70000042"}).status_code == 201
    assert Card.objects.get(member=ann).range == source
    assert issue(house, ann, {"card": "70000100"}).status_code == 404


def test_a_withdrawn_range_is_blocked(house, ann):
    number = number_at(CardRangeFactory(active=False), 7)

    assert refused(issue(house, ann, {"card": number}), "CARD_BLOCKED", ann) == 422


def test_a_named_range_gives_its_own_numbers(house, ann):
    source = CardRangeFactory(code="VIP", preprinted=False)

    assert issue(house, ann, {"range": "VIP"}).json()["card"] == number_at(source, 0)
    answer = issue(house, ann, {"range": "NONE"})
    assert (answer.status_code, answer.json()["code"]) == (422, "CARD_RANGE_UNKNOWN")
    assert Card.objects.count() == 1


def test_a_partners_members_get_the_partners_cards(house, program):
    partner = PartnerFactory()
    source = CardRangeFactory(partner=partner, preprinted=False)
    hers = MemberFactory(enrolled_by=partner)
    others = MemberFactory()

    assert issue(house, hers).json()["card"] == number_at(source, 0)
    assert issue(house, others).json()["card"] == "6275100000000003"


def test_numbers_that_are_cards_already_are_passed_over(house, ann):
    source = CardRange.objects.get(code="CARDS")
    for serial in range(150):
        Card.objects.create(
            number=number_at(source, serial), member=MemberFactory(), issued_at=ann.joined_at
        )

    assert issue(house, ann).json()["card"] == number_at(source, 150)


def test_an_empty_range_says_so(house, ann):
    CardRange.objects.update(first="627510000000000", last="627510000000000")
    issue(house, ann)
    other = MemberFactory()

    answer = issue(house, other)

    assert (answer.status_code, answer.json()["code"]) == (422, "CARDS_EXHAUSTED")
    assert Card.objects.count() == 1


def test_where_one_card_is_allowed_a_second_is_refused(house, ann):
    Program.objects.update(several_cards=False)
    assert issue(house, ann).status_code == 201

    answer = issue(house, ann)
    assert (answer.status_code, answer.json()["code"]) == (422, "SEVERAL_CARDS_FORBIDDEN")

    Card.objects.update(status="LOST")
    assert issue(house, ann).status_code == 201
    assert Card.objects.count() == 2


@pytest.mark.parametrize("stage", ["DISABLED", "CLOSED"])
def test_a_membership_that_is_over_gets_no_card(stage, house, ann):
    Member.objects.filter(pk=ann.pk).update(stage=stage)

    assert refused(issue(house, ann), "STAGE_FORBIDS", ann) == 422


def test_a_merged_member_is_the_survivor(house, ann):
    other = MemberFactory(stage="MERGED", merged_into=ann)

    assert issue(house, other).json()["member"] == ann.number


def test_an_unknown_member_is_not_found(house, ann):
    answer = house.post("/members/1000000000/cards/", {})

    assert (answer.status_code, answer.json()["code"]) == (404, "MEMBER_NOT_FOUND")


def test_partners_issue_no_cards(till, member):
    assert issue(till, member).status_code == 403


def test_issuing_sends_few_statements(house, ann, statements):
    issue(house, ann)
    statements.sent.clear()

    assert issue(house, ann).status_code == 201

    assert len(statements.sent) <= 13, statements.sent
