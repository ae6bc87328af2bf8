"""Partners are put whole, with dated rates that never overlap and a past that stands."""

from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction

from loyalty.models import Program
from partners.models import Outlet, Partner, PartnerRate
from tests.factories.partners import PartnerFactory


def iso(instant):
    return instant.isoformat().replace("+00:00", "Z")


@pytest.fixture
def cafe(now):
    return {
        "name": "The Café",
        "kind": "MERCHANT",
        "currency": "EUR",
        "outlets": [{"code": "C1", "name": "Main street"}, {"code": "C2", "name": "Station"}],
        "contacts": [{"role": "settlement", "name": "Ann", "email": "ann@cafe.example"}],
        "rates": [
            {"kind": "EARN", "type": "PTS", "rate": "0.012", "from": iso(now - timedelta(days=9))},
            {"kind": "BURN", "type": "PTS", "rate": "0.01", "from": iso(now + timedelta(days=9))},
        ],
    }


@pytest.fixture
def airline(now):
    return {
        "name": "Air",
        "kind": "EXCHANGE",
        "rates": [
            {"kind": "EXCHANGE", "type": "PTS", "rate": "0.5", "from": iso(now - timedelta(days=9))}
        ],
        "exchange": {
            "unit": "miles",
            "account_format": "[0-9]{9}",
            "minimum": 100,
            "maximum": 10000,
            "step": 10,
            "fee": 50,
            "fulfilment": "P2D",
        },
    }


def refusal(answer):
    document = answer.json()
    errors = [(each["pointer"], each["code"]) for each in document.get("errors", [])]
    return answer.status_code, document["code"], errors


def everything():
    return [list(model.objects.order_by("pk").values()) for model in (Partner, Outlet, PartnerRate)]


def test_a_partner_is_added_and_changed(house, cafe):
    made = house.put("/partners/CAFE/", cafe)
    epoch = Program.objects.get().epoch
    before = everything()
    same = house.put("/partners/CAFE/", {**cafe, "outlets": cafe["outlets"][::-1]})
    assert everything() == before
    assert Program.objects.get().epoch == epoch
    other = house.put("/partners/CAFE/", {**cafe, "name": "Café"}, **{"If-Match": '"1"'})
    late = house.put("/partners/CAFE/", cafe, **{"If-Match": '"1"'})

    assert (made.status_code, made.headers["ETag"]) == (201, '"1"')
    assert made.json() == {
        "code": "CAFE",
        **cafe,
        "status": "ACTIVE",
        "exchange": None,
        "version": 1,
        "rates": [cafe["rates"][1], cafe["rates"][0]],
    }
    assert (same.status_code, same.headers["ETag"]) == (200, '"1"')
    assert (other.status_code, other.json()["version"]) == (200, 2)
    assert refusal(late)[:2] == (412, "VERSION_CONFLICT")
    assert house.get("/partners/CAFE/").json() == other.json()


def test_an_outlet_that_is_left_out_closes_at_once(house, cafe, api_of, member, purchase):
    house.put("/partners/CAFE/", cafe)
    till = api_of(Partner.objects.get(code="CAFE"))
    assert till.post("/transactions/earn/", purchase(outlet="C2")).status_code == 201

    house.put("/partners/CAFE/", {**cafe, "outlets": cafe["outlets"][:1]})

    assert refusal(till.post("/transactions/earn/", purchase(outlet="C2")))[1] == "OUTLET_UNKNOWN"
    assert Outlet.objects.filter(code="C2", active=False).exists()
    house.put("/partners/CAFE/", cafe)
    assert till.post("/transactions/earn/", purchase(outlet="C2")).status_code == 201


def test_an_inactive_partners_clients_are_nobody(house, cafe, api_of, member, purchase):
    house.put("/partners/CAFE/", cafe)
    till = api_of(Partner.objects.get(code="CAFE"))
    assert till.post("/transactions/earn/", purchase(outlet="C1")).status_code == 201

    house.put("/partners/CAFE/", {**cafe, "status": "INACTIVE"})

    assert till.post("/transactions/earn/", purchase(outlet="C1")).status_code == 401
    assert house.get("/partners/CAFE/").json()["status"] == "INACTIVE"


def changed(body, **more):
    return {**body, **more}


@pytest.mark.parametrize(
    ("more", "errors"),
    [
        ({"currency": "XXX"}, [("/currency", "UNKNOWN")]),
        ({"currency": None}, [("/currency", "MISSING_FIELD")]),
        ({"kind": "HOUSE"}, [("/kind", "NOT_A_CHOICE")]),
        ({"outlets": [{"code": "C1", "name": "x"}] * 2}, [("/outlets/1/code", "REPEATED")]),
        (
            {"contacts": [{"role": "x", "name": "y", "email": "nobody"}]},
            [("/contacts/0/email", "NOT_IN_FORM")],
        ),
        (
            {"exchange": {"unit": "x", "account_format": "[0-9]"}},
            [("/exchange", "NOT_HERE")],
        ),
        (
            {"exchange": {"unit": "x", "account_format": "["}},
            [("/exchange/account_format", "NOT_IN_FORM")],
        ),
        (
            {"kind": "EXCHANGE", "exchange": {"unit": "x", "account_format": ".", "minimum": 9, "maximum": 8}},
            [("/exchange/maximum", "OUT_OF_RANGE")],
        ),
    ],
)  # fmt: skip
def test_what_a_partner_cannot_be_is_refused(more, errors, house, cafe):
    house.put("/partners/CAFE/", cafe)
    before = everything()

    refused = house.put("/partners/CAFE/", changed(cafe, **more))

    assert refusal(refused) == (400, "VALIDATION_FAILED", errors)
    assert everything() == before


@pytest.mark.parametrize(
    ("rates", "errors"),
    [
        ([("EARN", "PTS", 0, None), ("EARN", "PTS", 5, None)], [("/rates/1", "OVERLAP")]),
        ([("EARN", "PTS", 0, 6), ("EARN", "PTS", 5, 9)], [("/rates/1", "OVERLAP")]),
        ([("EARN", "PTS", 5, None), ("EARN", "PTS", 0, 5)], []),
        ([("EARN", "PTS", 0, None), ("BURN", "PTS", 0, None)], []),
        ([("EARN", "PTS", 5, 5)], [("/rates/0/to", "OUT_OF_RANGE")]),
        ([("EARN", "MILES", 0, None)], [("/rates/0/type", "UNKNOWN")]),
        ([("EXCHANGE", "PTS", 0, None)], [("/rates/0/kind", "NOT_HERE")]),
    ],
)
def test_rates_of_a_kind_follow_each_other(rates, errors, house, cafe, now):
    start = now + timedelta(days=1)
    body = [
        {
            "kind": kind,
            "type": point_type,
            "rate": "1",
            "from": iso(start + timedelta(days=since)),
            **({} if until is None else {"to": iso(start + timedelta(days=until))}),
        }
        for kind, point_type, since, until in rates
    ]

    answer = house.put("/partners/CAFE/", {**cafe, "rates": body})

    assert answer.status_code == (400 if errors else 201)
    if errors:
        assert refusal(answer)[2] == errors
        assert not Partner.objects.filter(code="CAFE").exists()


def test_the_database_keeps_rates_apart_whoever_writes_them(partner, now):
    def rate(**period):
        return PartnerRate(partner=partner, kind="EARN", point_type="PTS", rate=1, **period)

    rate(valid_from=now, valid_to=now + timedelta(days=1)).save()
    rate(valid_from=now + timedelta(days=1)).save()
    with pytest.raises(IntegrityError, match="no_overlap"), transaction.atomic():
        rate(valid_from=now - timedelta(days=1), valid_to=now + timedelta(seconds=1)).save()
    with pytest.raises(IntegrityError, match="in_order"), transaction.atomic():
        rate(valid_from=now - timedelta(days=1), valid_to=now - timedelta(days=1)).save()


def test_a_rate_that_was_in_force_stands(house, cafe, now):
    house.put("/partners/CAFE/", cafe)
    earn = cafe["rates"][0]
    tomorrow = iso(now + timedelta(days=1))
    before = everything()

    for rates in (
        [],
        [{**earn, "rate": "0.013"}],
        [{**earn, "from": iso(now - timedelta(days=8))}],
        [{**earn, "to": iso(now - timedelta(days=1))}],
    ):
        refused = house.put("/partners/CAFE/", {**cafe, "rates": rates})
        assert refusal(refused)[:2] == (422, "RATE_STANDS")
        assert everything() == before

    ended = {**earn, "to": tomorrow}
    after = {**earn, "rate": "0.02", "from": tomorrow}
    assert house.put("/partners/CAFE/", {**cafe, "rates": [ended, after]}).status_code == 200
    gap = {**earn, "from": iso(now - timedelta(days=20)), "to": earn["from"]}
    assert house.put("/partners/CAFE/", {**cafe, "rates": [gap, ended]}).status_code == 200


def test_the_house_is_no_partner_to_change(house, cafe):
    before = everything()

    assert refusal(house.put("/partners/HOUSE/", cafe))[:2] == (422, "HOUSE_STAYS")
    assert everything() == before


def test_terms_are_for_who_holds_them(house, cafe, api_of, till):
    house.put("/partners/CAFE/", cafe)
    own = api_of(Partner.objects.get(code="CAFE"))
    reading = api_of(None, scopes=["partners:read"])

    assert (
        own.get("/partners/CAFE/").json()["rates"] == house.get("/partners/CAFE/").json()["rates"]
    )
    for other in (till, reading):
        answer = other.get("/partners/CAFE/").json()
        assert answer["outlets"] == cafe["outlets"]
        assert answer["rates"] == []
        assert "contacts" not in answer
    assert refusal(till.put("/partners/CAFE/", cafe))[:2] == (403, "SCOPE_MISSING")


def test_partners_are_listed_and_an_inactive_one_is_seen_by_itself_and_the_house(
    house, cafe, till, api_of
):
    house.put("/partners/CAFE/", {**cafe, "status": "INACTIVE"})
    PartnerFactory(code="Z")

    def codes(api, **query):
        return [each["code"] for each in api.get("/partners/", **query).json()["results"]]

    assert codes(house) == ["CAFE", "GROCER", "HOUSE", "Z"]
    assert codes(house, kind="MERCHANT", status="ACTIVE") == ["GROCER", "Z"]
    assert codes(till) == ["GROCER", "HOUSE", "Z"]
    assert refusal(till.get("/partners/CAFE/"))[:2] == (404, "PARTNER_NOT_FOUND")
    assert refusal(till.get("/partners/NOBODY/"))[:2] == (404, "PARTNER_NOT_FOUND")
    first = house.get("/partners/", limit=2).json()
    assert codes(house, limit=2, cursor=first["next"]) == ["HOUSE", "Z"]
    mismatch = house.get("/partners/", limit=2, cursor=first["next"], status="ACTIVE")
    assert refusal(mismatch)[1] == "CURSOR_MISMATCH"


def test_a_list_costs_the_same_however_many_partners(house, cafe, statements):
    house.put("/partners/CAFE/", cafe)

    def sent(path):
        house.get(path)  # The token is looked up anew after a change.
        statements.sent.clear()
        assert house.get(path).status_code == 200
        return len(statements.sent)

    few = sent("/partners/")
    for n in range(5):
        house.put(f"/partners/CAFE{n}/", cafe)
    assert sent("/partners/") == few <= 5
    assert sent("/partners/CAFE/") <= 5


def test_exchange_partners_tell_their_terms(house, airline, cafe, till, now):
    house.put("/partners/AIR/", airline)
    house.put("/partners/CAFE/", cafe)
    coming = {**airline["rates"][0], "from": iso(now + timedelta(days=1))}
    house.put("/partners/LATER/", {**airline, "rates": [coming]})
    house.put("/partners/GONE/", {**airline, "status": "INACTIVE"})

    assert till.get("/partners/exchange/").json() == {
        "results": [
            {
                "code": "AIR",
                "name": "Air",
                "unit": "miles",
                "rates": airline["rates"],
                "minimum": 100,
                "maximum": 10000,
                "step": 10,
                "fee": 50,
                "account_format": "[0-9]{9}",
                "fulfilment": "P2D",
            }
        ],
        "next": None,
    }
