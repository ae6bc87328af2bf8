"""Points become units of an exchange partner: once, and back again where it fails."""

import threading
from datetime import timedelta

import pytest
from django.db import connection

from ledger.models import Entry, Transaction
from ledger.services import exchange, exchange_settlement
from loyalty.errors import LoyaltyError
from partners.models import Exchange, ExchangeTerms, Partner, PartnerRate
from tests.factories.ledger import give
from tests.factories.members import MemberFactory
from tests.factories.partners import PartnerFactory


def make_airline(now):
    partner = PartnerFactory(code="AIR", kind="EXCHANGE")
    ExchangeTerms.objects.create(
        partner=partner,
        unit="miles",
        minimum=100,
        maximum=1000,
        step=10,
        fee=50,
        account_format="[0-9]{9}",
    )
    PartnerRate.objects.create(
        partner=partner,
        kind="EXCHANGE",
        point_type="PTS",
        rate="0.5",
        valid_from=now - timedelta(days=2),
    )
    return partner


@pytest.fixture
def airline(program, now):
    return make_airline(now)


@pytest.fixture
def body(now, member):
    give(member, 2000)

    def make(**more):
        return {
            "member": {"card": "6275000000000017"},
            "reference": "X-1",
            "occurred_at": now.isoformat(),
            "outlet": "S1",
            "type": "PTS",
            "points": 500,
            "purpose": "EXCHANGE",
            "exchange": {"partner": "AIR", "account": "123456789"},
            **more,
        }

    return make


def refusal(answer):
    document = answer.json()
    errors = [(each["pointer"], each["code"]) for each in document.get("errors", [])]
    return answer.status_code, document["code"], errors


def available(api, member):
    return api.get(f"/members/{member.number}/points/").json()["types"][0]["available"]


def test_points_buy_units_after_the_fee(till, member, airline, body):
    made = till.post("/transactions/redeem/", body())
    again = till.post("/transactions/redeem/", body())

    assert made.status_code == 201
    assert made.json()["points"][0]["points"] == -500
    assert made.json()["exchange"] == {"partner": "AIR", "units": 225, "fee": 50, "status": "SENT"}
    assert (again.status_code, again.json()) == (200, made.json())
    assert Exchange.objects.values("points", "units", "fee", "status", "account").get() == {
        "points": 500,
        "units": 225,
        "fee": 50,
        "status": "SENT",
        "account": "123456789",
    }
    assert "123456789" not in str(list(Transaction.objects.values()))


@pytest.mark.parametrize(
    ("more", "wanted"),
    [
        ({"points": 90}, (422, "BELOW_MINIMUM", [])),
        ({"points": 1010}, (422, "EXCHANGE_ABOVE_MAXIMUM", [])),
        ({"points": 105}, (422, "OFF_STEP", [])),
        (
            {"exchange": {"partner": "AIR", "account": "12345678"}},
            (400, "VALIDATION_FAILED", [("/exchange/account", "NOT_IN_FORM")]),
        ),
        ({"exchange": {"partner": "GROCER", "account": "123456789"}}, (422, "NO_EXCHANGE", [])),
        ({"exchange": {"partner": "NOBODY", "account": "123456789"}}, (422, "NO_EXCHANGE", [])),
        ({"exchange": None}, (400, "VALIDATION_FAILED", [("/exchange", "EXACTLY_ONE")])),
        ({"purpose": "PAYMENT"}, (400, "VALIDATION_FAILED", [("/exchange", "EXACTLY_ONE")])),
        ({"offline": True}, (400, "VALIDATION_FAILED", [("/offline", "NOT_HERE")])),
        (
            {"points": None, "value": {"amount": "5.00", "currency": "EUR"}},
            (400, "VALIDATION_FAILED", [("/points", "NOT_HERE")]),
        ),
    ],
)
def test_what_the_partner_does_not_take_is_refused_and_costs_nothing(
    more, wanted, till, member, airline, body
):
    before = Entry.objects.count()

    assert refusal(till.post("/transactions/redeem/", body(**more))) == wanted

    assert (Entry.objects.count(), Exchange.objects.count()) == (before, 0)
    assert available(till, member) == 2000


def test_an_inactive_partner_takes_nothing(till, airline, body):
    Partner.objects.filter(pk=airline.pk).update(status="INACTIVE")

    assert refusal(till.post("/transactions/redeem/", body()))[:2] == (422, "PARTNER_INACTIVE")


def test_the_rate_is_that_of_the_tills_time(till, airline, body, now):
    PartnerRate.objects.update(valid_to=now - timedelta(hours=1))

    assert refusal(till.post("/transactions/redeem/", body()))[:2] == (422, "NO_EXCHANGE")
    earlier = (now - timedelta(hours=2)).isoformat()
    assert till.post("/transactions/redeem/", body(occurred_at=earlier)).status_code == 201


def test_the_partner_finds_what_it_is_to_fulfil_and_says_done(till, api_of, airline, body, house):
    made = till.post("/transactions/redeem/", body()).json()
    air = api_of(airline)

    listed = air.get("/exchanges/", status="SENT").json()["results"]
    done = air.post(f"/exchanges/{made['id']}/", {"status": "DONE"})
    again = air.post(f"/exchanges/{made['id']}/", {"status": "DONE"})
    late = air.post(f"/exchanges/{made['id']}/", {"status": "FAILED"})

    assert [(each["id"], each["account"], each["units"]) for each in listed] == [
        (made["id"], "123456789", 225)
    ]
    assert (done.status_code, done.json()["status"]) == (200, "DONE")
    assert again.json() == done.json()
    assert refusal(late)[:2] == (409, "EXCHANGE_SETTLED")
    assert air.get("/exchanges/", status="SENT").json()["results"] == []
    assert till.get("/exchanges/").json()["results"] == []
    assert len(house.get("/exchanges/").json()["results"]) == 1


def test_what_fails_goes_back_to_where_it_came_from(till, api_of, airline, body, member):
    made = till.post("/transactions/redeem/", body()).json()
    air = api_of(airline)

    failed = air.post(f"/exchanges/{made['id']}/", {"status": "FAILED", "reason": "No account"})
    again = air.post(f"/exchanges/{made['id']}/", {"status": "FAILED"})

    assert failed.json()["status"] == "FAILED"
    assert failed.json()["reason"] == "No account"
    assert again.json() == failed.json()
    assert available(till, member) == 2000
    assert Transaction.objects.filter(original=made["id"]).count() == 1
    assert (
        refusal(air.post(f"/exchanges/{made['id']}/", {"status": "DONE"}))[1] == "EXCHANGE_SETTLED"
    )


def test_another_partner_does_not_settle_it(till, api_of, airline, body, member):
    made = till.post("/transactions/redeem/", body()).json()

    for api in (till, api_of(PartnerFactory(code="RAIL", kind="EXCHANGE"))):
        refused = api.post(f"/exchanges/{made['id']}/", {"status": "FAILED"})
        assert refusal(refused)[:2] == (404, "EXCHANGE_NOT_FOUND")
    assert available(till, member) == 1500


def back(made, **more):
    return {
        "original": {"id": made["id"]},
        "reference": "BACK",
        "occurred_at": made["occurred_at"],
        **more,
    }


def test_a_reversal_lets_the_exchange_fail_unless_the_units_are_there(
    till, api_of, airline, body, member
):
    first = till.post("/transactions/redeem/", body()).json()
    second = till.post("/transactions/redeem/", body(reference="X-2")).json()
    api_of(airline).post(f"/exchanges/{second['id']}/", {"status": "DONE"})

    part = till.post("/transactions/reverse-redemption/", back(first, points=100))
    whole = till.post("/transactions/reverse-redemption/", back(first))
    done = till.post("/transactions/reverse-redemption/", back(second, reference="B2"))

    assert refusal(part)[2] == [("/points", "NOT_HERE")]
    assert whole.status_code == 201
    assert refusal(done)[:2] == (409, "EXCHANGE_SETTLED")
    assert Exchange.objects.get(pk=first["id"]).status == "FAILED"
    assert Exchange.objects.get(pk=second["id"]).status == "DONE"
    assert available(till, member) == 1500


def test_pages_of_exchanges_follow_each_other(till, house, airline, body):
    ids = [
        till.post("/transactions/redeem/", body(reference=f"R{n}", points=100)).json()["id"]
        for n in range(5)
    ]

    found, cursor = [], {}
    while cursor is not None:
        page = house.get("/exchanges/", limit=2, **cursor).json()
        found += [each["id"] for each in page["results"]]
        cursor = {"cursor": page["next"]} if page["next"] else None

    assert sorted(found) == sorted(ids)


def settle_from_both_sides(key, now):
    """Say DONE and FAILED at the same time; return what was refused."""
    barrier, refused = threading.Barrier(2), []

    def say(status):
        barrier.wait()
        try:
            exchange_settlement.settle_exchange(key, status, partner_id=None, reason="", at=now)
        except LoyaltyError as error:
            refused.append(error.code)
        finally:
            connection.close()

    threads = [threading.Thread(target=say, args=(each,)) for each in ("DONE", "FAILED")]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    return refused


def send_one(api_of, now):
    make_airline(now)
    partner = PartnerFactory(code="GROCER", outlets=["S1"])
    member = MemberFactory(card="6275000000000017")
    give(member, 1000)
    made = api_of(partner).post(
        "/transactions/redeem/",
        {
            "member": {"card": "6275000000000017"},
            "reference": "X",
            "occurred_at": now.isoformat(),
            "type": "PTS",
            "points": 500,
            "purpose": "EXCHANGE",
            "exchange": {"partner": "AIR", "account": "123456789"},
        },
    )
    return made.json()["id"]


@pytest.mark.usefixtures("committed_program")
@pytest.mark.django_db(transaction=True)
def test_an_exchange_comes_out_one_way(api_of, now):
    key = send_one(api_of, now)

    assert settle_from_both_sides(key, now) == ["EXCHANGE_SETTLED"]

    undone = Transaction.objects.filter(kind="REDEMPTION_REVERSAL").count()
    assert undone == (Exchange.objects.get().status == "FAILED")


@pytest.mark.usefixtures("committed_program")
@pytest.mark.django_db(transaction=True)
def test_without_the_lock_it_would_come_out_both_ways(api_of, now, monkeypatch):
    """Prove that the race above is a real one: both see it SENT before either wrote."""
    key = send_one(api_of, now)
    meeting = threading.Barrier(2)
    whole = exchange.mark

    def unlocked(redemption):
        return Exchange.objects.get(pk=redemption)

    def together(*arguments, **more):
        meeting.wait(timeout=10)
        whole(*arguments, **more)

    monkeypatch.setattr(exchange, "locked", unlocked)
    monkeypatch.setattr(exchange, "mark", together)

    assert len(settle_from_both_sides(key, now)) < 2
    assert Transaction.objects.filter(kind="REDEMPTION_REVERSAL").count() == 1
