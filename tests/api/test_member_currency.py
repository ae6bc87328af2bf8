"""Add Member Currency: in which currency a member reads what points are worth."""

from datetime import timedelta
from decimal import Decimal

import pytest

from ledger.models import PointType, PointValue
from loyalty.models import Currency, OutboxEvent, Program
from members.models import Activity, Member, MemberCurrency
from tests.factories.ledger import give
from tests.factories.partners import PartnerFactory


@pytest.fixture
def ann(member, partner, now):
    Member.objects.filter(pk=member.pk).update(enrolled_by=partner)
    Currency.objects.create(code="CHF", name="Franc")
    Currency.objects.create(code="GBP", name="Pound", active=False)
    PointValue.objects.all().delete()
    for currency, value in (("EUR", "0.01"), ("CHF", "0.02")):
        PointValue.objects.create(
            point_type=PointType.objects.get(code="PTS"),
            currency=currency,
            value=Decimal(value),
            valid_from=now - timedelta(days=9),
        )
    Program.objects.update(epoch=99)
    return member


def path(member):
    return f"/members/{getattr(member, 'number', member)}/currencies/"


def add(api, member, currency, **more):
    return api.post(path(member), {"currency": currency, **more})


def remove(api, member, currency):
    return api.delete(path(member), {"currency": currency})


def told(answer):
    assert answer.status_code == 200, answer.content
    return {each["currency"]: each["default"] for each in answer.json()["currencies"]}


def worth(api, member):
    return api.get(f"/members/{member.number}/points/").json()["types"][0]["value"]


def test_a_currency_is_added_beside_the_programmes(till, ann):
    assert told(add(till, ann, "CHF")) == {"CHF": False, "EUR": True}
    assert told(add(till, ann, "CHF")) == {"CHF": False, "EUR": True}
    assert Activity.objects.get().kind == "CURRENCY_ADDED"
    assert OutboxEvent.objects.get().payload == {"fields": ["currencies"]}


def test_values_are_shown_in_the_default_one(till, ann):
    give(ann, 300)
    assert worth(till, ann) == {"amount": "3.00", "currency": "EUR"}

    assert told(add(till, ann, "CHF", default=True)) == {"CHF": True, "EUR": False}

    assert worth(till, ann) == {"amount": "6.00", "currency": "CHF"}
    kinds = list(Activity.objects.order_by("pk").values_list("kind", flat=True))
    assert kinds == ["CURRENCY_ADDED", "DEFAULT_CURRENCY_CHANGED"]


def test_without_a_rate_the_programmes_currency_stands_in(till, ann):
    give(ann, 300)
    add(till, ann, "CHF", default=True)
    PointValue.objects.filter(currency="CHF").delete()
    Program.objects.update(epoch=100)

    assert worth(till, ann) == {"amount": "3.00", "currency": "EUR"}


def test_the_default_moves_back(till, ann):
    add(till, ann, "CHF", default=True)

    assert told(add(till, ann, "EUR", default=True)) == {"CHF": False, "EUR": True}


def test_one_is_removed_and_the_default_stays(till, ann):
    add(till, ann, "CHF", default=True)

    refused = remove(till, ann, "CHF")
    assert (refused.status_code, refused.json()["code"]) == (422, "CURRENCY_IS_DEFAULT")

    assert told(remove(till, ann, "EUR")) == {"CHF": True}
    assert Activity.objects.order_by("pk").last().kind == "CURRENCY_REMOVED"


def test_the_last_one_is_not_removed(till, ann):
    refused = remove(till, ann, "EUR")

    assert (refused.status_code, refused.json()["code"]) == (422, "CURRENCY_IS_DEFAULT")
    assert not Activity.objects.exists()


def test_what_is_not_there_is_not_removed(till, ann):
    answer = remove(till, ann, "CHF")

    assert (answer.status_code, answer.json()["code"]) == (404, "CURRENCY_NOT_FOUND")


@pytest.mark.parametrize("currency", ["GBP", "XXX"])
def test_a_currency_that_the_programme_does_not_use_is_refused(currency, till, ann):
    answer = add(till, ann, currency, default=True)

    assert (answer.status_code, answer.json()["code"]) == (422, "CURRENCY_UNKNOWN")
    assert not MemberCurrency.objects.exists()
    assert not Activity.objects.exists()


@pytest.mark.parametrize("currency", ["eur", "EU", "EURO", "", None, 5])
def test_a_currency_is_an_iso_code(currency, till, ann):
    answer = add(till, ann, currency)

    assert answer.status_code == 400
    assert answer.json()["errors"][0]["pointer"] == "/currency"


def test_a_member_chooses_her_own(session_of, ann):
    session = session_of(ann)

    assert told(add(session, "me", "CHF", default=True)) == {"CHF": True, "EUR": False}
    assert told(remove(session, "me", "EUR")) == {"CHF": True}


def test_members_of_others_are_not_there(api_of, ann):
    answer = add(api_of(PartnerFactory()), ann, "CHF")

    assert (answer.status_code, answer.json()["code"]) == (404, "MEMBER_NOT_FOUND")
    assert not MemberCurrency.objects.exists()


def test_adding_and_removing_send_few_statements(till, ann, statements):
    add(till, ann, "CHF")
    statements.sent.clear()
    add(till, ann, "CHF", default=True)
    assert len(statements.sent) <= 17, statements.sent

    statements.sent.clear()
    remove(till, ann, "EUR")
    assert len(statements.sent) <= 13, statements.sent
