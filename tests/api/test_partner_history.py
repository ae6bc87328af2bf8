"""Partner History: what counts to a partner, and what became of the points that it issued."""

from datetime import timedelta

import pytest
from django.db import connection
from django.db.models import Sum

from ledger.models import Account, Transaction
from ledger.queries.partner_history import PartnerHistoryFilter, page_query
from ledger.services.partner_settlement import settle_month
from partners.models import PartnerRate
from tests.factories.ledger import give
from tests.factories.members import MemberFactory
from tests.factories.partners import PartnerFactory
from tests.factories.promotions import promotion
from tests.ledger.settlement_story import Story

ONE_DAY = timedelta(days=1)
OCTOBER = {"from": "2026-09-30T22:00:00Z", "to": "2026-10-31T23:00:00Z", "by": "posted"}


@pytest.fixture
def story(program):
    return Story().play()


@pytest.fixture
def cafe(story, api_of):
    return api_of(story.cafe)


@pytest.fixture
def grocer(story, api_of):
    return api_of(story.grocer)


def moved(row):
    return row["kind"], [(each["movement"], each["points"]) for each in row["movements"]]


def totals(answer):
    return {
        (each["movement"], each["rate"]): (
            each["transactions"],
            each["points"],
            each["settlement"] and each["settlement"]["amount"],
        )
        for each in answer["totals"]
    }


def refusal(answer):
    document = answer.json()
    return answer.status_code, document["code"]


def test_what_counts_to_a_partner_newest_first(cafe):
    answer = cafe.get("/partners/CAFE/transactions/", **OCTOBER).json()

    assert [moved(row) for row in answer["results"]] == [
        ("REDEMPTION_REVERSAL", [("REDEMPTION_REVERSED", 100)]),
        ("EARN_REVERSAL", [("REVERSED", -200)]),
        ("EARN", [("EARNED", 200)]),
        ("REDEMPTION", [("REDEEMED", -300)]),
    ]
    assert answer["next"] is None
    redemption = answer["results"][-1]["movements"][0]
    assert redemption["rate"] == "0.011"
    assert redemption["settlement"] == {"amount": "-3.30", "currency": "EUR"}


def test_expiry_and_what_the_programme_takes_count_to_the_issuer(grocer):
    answer = grocer.get("/partners/GROCER/transactions/", kinds="EXPIRY,ADJUSTMENT", **OCTOBER)

    assert [moved(row) for row in answer.json()["results"]] == [
        ("ADJUSTMENT", [("ADJUSTED", -20)]),
        ("EXPIRY", [("EXPIRED", -50)]),
    ]
    assert {row["partner"] for row in answer.json()["results"]} == {"HOUSE"}
    assert all(row["reference"] is None for row in answer.json()["results"])


def test_the_totals_are_those_of_the_statement(grocer, story):
    settle_month(story.day(1).date(), at=story.day(30) + timedelta(days=4))

    answer = grocer.get("/partners/GROCER/transactions/", **OCTOBER).json()

    assert totals(answer) == {
        ("EARNED", "0.012"): (2, 1050, "12.60"),
        ("EARNED", "0.015"): (1, 333, "5.00"),
        ("EXPIRED", None): (1, -50, None),
        ("ADJUSTED", None): (1, -20, None),
    }


def test_an_exchange_counts_to_the_exchange_partner_and_not_to_the_till(grocer, story, api_of):
    air = api_of(story.air).get("/partners/AIR/transactions/", **OCTOBER).json()
    till = grocer.get("/partners/GROCER/transactions/", **OCTOBER).json()

    assert [moved(row) for row in air["results"]] == [("REDEMPTION", [("EXCHANGED", -400)])]
    assert air["results"][0]["reference"] is None
    assert "EXCHANGED" not in str(till)


def test_what_became_of_the_points_it_issued(grocer):
    answer = grocer.get("/partners/GROCER/transactions/", view="issued", **OCTOBER).json()

    shown = {(row["kind"], row["partner"]): moved(row)[1] for row in answer["results"]}
    assert shown[("REDEMPTION", "CAFE")] == [("REDEEMED", -300)]
    assert shown[("REDEMPTION", "GROCER")] == [("EXCHANGED", -400)]
    assert shown[("REDEMPTION_REVERSAL", "CAFE")] == [("REDEMPTION_REVERSED", 100)]
    elsewhere = [row for row in answer["results"] if row["partner"] == "CAFE"]
    assert all(each["rate"] is None for row in elsewhere for each in row["movements"])
    assert all(row["reference"] is None and row["outlet"] is None for row in elsewhere)


def test_members_are_the_same_strangers_each_time(grocer, cafe, story):
    of_grocer = grocer.get("/partners/GROCER/transactions/", **OCTOBER).json()["results"]
    of_cafe = cafe.get("/partners/CAFE/transactions/", **OCTOBER).json()["results"]

    ann = {row["member"] for row in of_grocer if row["kind"] == "ADJUSTMENT"}
    assert len({row["member"] for row in of_grocer}) == 2
    assert ann < {row["member"] for row in of_grocer}
    assert not {row["member"] for row in of_grocer} & {row["member"] for row in of_cafe}
    assert story.ann.number not in str(of_grocer)


def test_a_partner_sees_its_own_and_the_house_all(cafe, house):
    assert refusal(cafe.get("/partners/GROCER/transactions/")) == (404, "PARTNER_NOT_FOUND")
    assert refusal(cafe.get("/partners/NOBODY/transactions/")) == (404, "PARTNER_NOT_FOUND")
    assert refusal(house.get("/partners/NOBODY/transactions/")) == (404, "PARTNER_NOT_FOUND")
    assert house.get("/partners/GROCER/transactions/", **OCTOBER).status_code == 200


def test_pages_follow_each_other_and_totals_come_with_the_first(grocer):
    whole = grocer.get("/partners/GROCER/transactions/", **OCTOBER).json()["results"]

    found, more, sums = [], {}, []
    while more is not None:
        page = grocer.get("/partners/GROCER/transactions/", limit=2, **OCTOBER, **more).json()
        found += page["results"]
        sums.append(page["totals"])
        more = {"cursor": page["next"]} if page["next"] else None

    assert found == whole
    assert len(found) == 5
    assert sums[0] is not None
    assert sums[1:] == [None] * (len(sums) - 1)


def test_a_cursor_belongs_to_its_filters(grocer, house):
    first = grocer.get("/partners/GROCER/transactions/", limit=2, **OCTOBER).json()

    other = {**OCTOBER, "view": "issued"}
    answer = grocer.get("/partners/GROCER/transactions/", cursor=first["next"], **other)
    elsewhere = house.get("/partners/CAFE/transactions/", cursor=first["next"], **OCTOBER)

    assert refusal(answer) == (400, "CURSOR_MISMATCH")
    assert refusal(elsewhere) == (400, "CURSOR_MISMATCH")


def test_pages_of_now_stay_with_the_period_of_the_first(till, member, partner):
    for _ in range(3):
        give(member, 10, partner=partner)
    first = till.get("/partners/GROCER/transactions/", limit=2).json()
    give(member, 10, partner=partner)

    second = till.get("/partners/GROCER/transactions/", limit=2, cursor=first["next"]).json()

    assert (second["from"], second["to"]) == (first["from"], first["to"])
    assert len(first["results"] + second["results"]) == 3


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ({"kinds": "EARN,NONE"}, "/kinds"),
        ({"view": "all"}, "/view"),
        ({"limit": 0}, "/limit"),
        ({"limit": 201}, "/limit"),
        ({"from": "yesterday"}, "/from"),
        ({"from": "1990-01-01T00:00:00Z"}, "/from"),
        ({"from": "2024-01-01T00:00:00Z", "to": "2026-01-01T00:00:00Z"}, "/to"),
        ({"outlet": "s1"}, "/outlet"),
        ({"color": "red"}, "/color"),
    ],
)
def test_what_the_query_gets_wrong(till, query, pointer):
    answer = till.get("/partners/GROCER/transactions/", **query)

    assert answer.status_code == 400
    assert [each["pointer"] for each in answer.json()["errors"]] == [pointer]


def test_an_unknown_point_type_is_refused(till):
    answer = till.get("/partners/GROCER/transactions/", type="MILES")

    assert refusal(answer) == (422, "POINT_TYPE_UNKNOWN")


def test_by_outlet_and_by_the_tills_time(till, purchase, now, member):
    promotion()
    yesterday = (now - timedelta(days=1)).isoformat()
    till.post("/transactions/earn/", purchase(outlet="S2", occurred_at=yesterday))
    till.post("/transactions/earn/", purchase())

    url, since = "/partners/GROCER/transactions/", (now - timedelta(hours=1)).isoformat()
    assert len(till.get(url, outlet="S2").json()["results"]) == 1
    by_till = till.get(url, **{"from": since}).json()["results"]
    by_us = till.get(url, **{"from": since, "by": "posted"}).json()["results"]
    assert [row["outlet"] for row in by_till] == ["S1"]
    assert [row["outlet"] for row in by_us] == ["S1", "S2"]


def test_without_a_rate_there_are_points_and_no_money(till, member, partner):
    give(member, 10, partner=partner)

    [row] = till.get("/partners/GROCER/transactions/").json()["results"]

    assert row["movements"][0]["rate"] is None
    assert row["movements"][0]["settlement"] is None


def test_a_sessions_member_does_not_reach_it(session_of, member):
    assert session_of(member).get("/partners/GROCER/transactions/").status_code in (403, 404)


def test_it_sends_few_statements_however_long_the_history(till, member, partner, statements, now):
    PartnerRate.objects.create(
        partner=partner,
        kind="EARN",
        point_type="PTS",
        rate="0.01",
        valid_from=now - timedelta(days=9),
    )
    for _ in range(30):
        give(member, 10, partner=partner)
    till.get("/partners/GROCER/transactions/")
    statements.sent.clear()

    assert till.get("/partners/GROCER/transactions/").status_code == 200

    assert len(statements.sent) <= 4, statements.sent


@pytest.mark.parametrize("view", ["CAUSED", "ISSUED"])
def test_a_page_walks_the_indexes(partner, now, view):
    members = [MemberFactory() for _ in range(3)]
    other = PartnerFactory(code="OTHER")
    for number in range(60):
        give(members[number % 3], 10, partner=[partner, other][number % 2])
    wanted = PartnerHistoryFilter(
        partner_id=partner.pk,
        view=view,
        start=now - timedelta(days=31),
        end=now + timedelta(days=1),
        by_posted=False,
        future_tolerance=300,
    )
    statement, arguments = page_query(wanted, before=None, limit=5)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute(f"EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF) {statement}", arguments)
        plan = "\n".join(row[0] for row in cursor.fetchall())

    assert "transaction_of_partner" in plan
    assert "transaction_not_earned" in plan
    assert "Sort Key: t.posted_at DESC, t.id DESC" not in plan.split("Limit")[-1]
    assert Transaction.objects.count() == 60


def test_who_funds_a_promotion_issues_what_it_gives(till, api_of, purchase, member, now):
    supplier = PartnerFactory(code="SOAP", kind="SUPPLIER", currency="EUR")
    PartnerRate.objects.create(
        partner=supplier, kind="EARN", point_type="PTS", rate="0.02", valid_from=now - ONE_DAY
    )
    promotion()
    promotion("BUBBLES", award={"kind": "FIXED", "type": "PTS", "points": 30}, funded_by="SOAP")
    earned = till.post("/transactions/earn/", purchase()).json()

    of_till = till.get("/partners/GROCER/transactions/").json()
    of_supplier = api_of(supplier).get("/partners/SOAP/transactions/").json()

    assert [moved(row) for row in of_till["results"]] == [("EARN", [("EARNED", 4)])]
    [row] = of_supplier["results"]
    assert (row["id"], row["partner"], row["reference"]) == (earned["id"], "GROCER", None)
    assert row["movements"][0]["points"] == 30
    assert row["movements"][0]["settlement"] == {"amount": "0.60", "currency": "EUR"}

    back = {
        "original": {"id": earned["id"]},
        "reference": "BACK",
        "occurred_at": now.isoformat(),
        "reason": "Changed their mind",
    }
    assert till.post("/transactions/reverse-earn/", back).status_code == 201

    again = api_of(supplier).get("/partners/SOAP/transactions/").json()
    assert totals(again) == {
        ("EARNED", "0.02"): (1, 30, "0.60"),
        ("REVERSED", "0.02"): (1, -30, "-0.60"),
    }


def test_the_house_has_a_history_of_its_own(house, story):
    answer = house.get("/partners/HOUSE/transactions/", **OCTOBER).json()

    assert [moved(row) for row in answer["results"]] == [("ADJUSTMENT", [("EARNED", 70)])]
    assert totals(answer) == {("EARNED", None): (1, 70, None)}


def test_the_histories_of_all_partners_are_the_ledger(house, story):
    found = [
        each["points"]
        for code in ("GROCER", "CAFE", "AIR", "HOUSE")
        for each in house.get(f"/partners/{code}/transactions/", **OCTOBER).json()["totals"]
    ]

    held = Account.objects.aggregate(held=Sum("available") + Sum("pending") - Sum("debt"))
    assert sum(found) == held["held"] == 783
