"""Baskets in another currency: converted at the dated rate, returned at the rate of the sale."""

from datetime import timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import msgspec
import pytest
from django.core.management import call_command
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger.models import PointType, PointValue, Transaction
from members.models import TierMeasure
from promotions.engine.basket import BasketLine, Counting, purchase_of
from promotions.engine.currency import in_currency
from promotions.engine.money import to_minor, to_text
from promotions.engine.returns import Returned, Wanted, kept, refunds, together
from promotions.engine.types import PIECE
from tests.factories.currencies import LONG_AGO, rate
from tests.factories.ledger import balance, give
from tests.factories.promotions import promotion
from tests.promotions.engine.calls import basket
from tests.promotions.engine.calls import purchase as purchase_of_nets
from tests.promotions.test_documented_tables import table

VIENNA = ZoneInfo("Europe/Vienna")
PLAIN = {"discount": None, "tenders": None}


def in_euro(currency, amounts, of):
    lines = tuple(BasketLine(n, None, "1", amount) for n, amount in enumerate(amounts, 1))
    sent = msgspec.structs.replace(basket(lines=lines), currency=currency, discount="0", tenders=())
    made = purchase_of(sent, {}, partner="GROCER", zone=VIENNA)
    return in_currency(made, "EUR", Decimal(of))


@pytest.mark.parametrize(("sent", "of", "lines", "expected"), table("Sent"))
def test_lines_are_converted_as_the_page_says(sent, of, lines, expected):
    bought = in_euro(sent, lines.split(" + "), of)

    assert " + ".join(to_text(line.net, "EUR") for line in bought.lines) == expected
    assert [line.paid for line in bought.lines] == [
        to_minor(amount, sent) for amount in lines.split(" + ")
    ]


money = st.integers(0, 10**7)
rates = st.integers(1, 10**14).map(lambda n: Decimal(n).scaleb(-9))
at_leisure = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


@at_leisure
@given(st.lists(money, min_size=1, max_size=12), rates, st.sampled_from(["USD", "JPY", "BHD"]))
def test_converted_lines_always_sum_to_the_converted_total(nets, of, currency):
    sent = msgspec.structs.replace(purchase_of_nets(*nets), currency=currency)

    bought = in_currency(sent, "EUR", of)
    whole = in_currency(
        msgspec.structs.replace(
            sent, lines=(msgspec.structs.replace(sent.lines[0], net=sum(nets)),)
        ),
        "EUR",
        of,
    )

    assert sum(line.net for line in bought.lines) == whole.lines[0].net
    assert all(line.net >= 0 for line in bought.lines)


@at_leisure
@given(
    st.lists(st.integers(1, 10**5), min_size=1, max_size=5),
    rates,
    st.permutations(range(5)),
    st.lists(st.integers(0, 10**5), min_size=5, max_size=5),
)
def test_whatever_comes_back_in_whatever_order_leaves_the_same(nets, of, order, amounts):
    sent = msgspec.structs.replace(purchase_of_nets(*nets), currency="USD")
    bought = in_currency(sent, "EUR", of)
    back = [Returned(n + 1, 0, min(amounts[n], nets[n])) for n in range(len(nets))]

    at_once = kept(bought, together(back))
    in_order = kept(bought, together([back[n] for n in order if n < len(back)]))

    assert at_once == in_order
    if at_once is not None:
        left = sum(max(0, x.net - x.refunded) for x in at_once.lines)
        assert left <= sum(x.net for x in bought.lines)


def test_everything_returned_leaves_nothing():
    bought = in_euro("USD", ["4.63", "0.84"], "0.913")
    wanted = [Wanted(1, PIECE, None), Wanted(2, PIECE, None)]

    found = refunds(bought, {}, wanted)

    assert [each.refund for each in found] == [463, 84]
    assert kept(bought, together(found)) is None


def test_what_does_not_count_is_converted_too():
    lines = (BasketLine(1, None, "1", "10.00", tax="2.00"), BasketLine(2, None, "1", "10.00"))
    sent = msgspec.structs.replace(
        basket(lines=lines), currency="USD", discount="5.00", tenders=(("POINTS", "15.00"),)
    )
    counting = Counting(tax=False, basket_discount_lowers_lines=False)
    made = purchase_of(sent, {}, partner="GROCER", zone=VIENNA, counting=counting)

    bought = in_currency(made, "EUR", Decimal("0.5"))

    assert [(x.net, x.before, x.tax, x.paid) for x in bought.lines] == [
        (375, 500, 100, 750),
        (375, 500, 0, 750),
    ]
    assert [each.amount for each in bought.tenders] == [750]


@pytest.fixture
def dollars(member):
    promotion()
    rate("USD", "0.5")


def test_a_basket_in_dollars_earns_on_what_it_is_in_euro(till, purchase, dollars, member):
    lines = [{"line": 1, "amount": "25.00"}]

    answer = till.post("/transactions/earn/", purchase(currency="USD", lines=lines, **PLAIN)).json()

    assert [a["points"] for a in answer["awards"]] == [12]
    posted = Transaction.objects.get()
    assert (posted.amount, posted.currency) == (Decimal("25.00"), "USD")
    assert TierMeasure.objects.get(measure="SPEND").amount == 1250
    evaluated = till.post("/transactions/evaluate/", purchase(currency="USD", lines=lines, **PLAIN))
    assert [a["points"] for a in evaluated.json()["awards"]] == [12]


def test_the_rate_is_that_of_the_sale(till, purchase, dollars, now):
    rate("USD", "2", since=now - timedelta(days=1))
    lines = [{"line": 1, "amount": "10.00"}]

    def earn(at):
        body = purchase(currency="USD", lines=lines, occurred_at=at.isoformat(), **PLAIN)
        return [a["points"] for a in till.post("/transactions/earn/", body).json()["awards"]]

    assert earn(now) == [20]
    assert earn(now - timedelta(days=1)) == [20]
    assert earn(now - timedelta(days=1, seconds=1)) == [5]


@pytest.mark.parametrize("why", ["unknown", "not yet", "over", "given up"])
def test_without_a_rate_at_that_instant_it_is_refused(till, purchase, dollars, now, why):
    currency = {"unknown": "GBP"}.get(why, "CHF")
    if why == "not yet":
        rate("CHF", "1.1", since=now + timedelta(seconds=1))
    if why == "over":
        rate("CHF", "1.1", until=now)
    if why == "given up":
        made = rate("CHF", "1.1").currency
        made.active = False
        made.save()
    for path in ("earn", "evaluate"):
        answer = till.post(f"/transactions/{path}/", purchase(currency=currency))

        assert (answer.status_code, answer.json()["code"]) == (422, "NO_RATE")
        assert answer.json()["currency"] == currency
    assert not Transaction.objects.exists()


def test_a_later_rate_ends_an_earlier_one_for_good(till, purchase, dollars, now):
    rate("USD", "2", since=now - timedelta(days=2), until=now - timedelta(days=1))

    assert till.post("/transactions/earn/", purchase(currency="USD")).json()["code"] == "NO_RATE"


def test_a_yen_has_no_parts(till, purchase, dollars):
    rate("JPY", "0.006")
    lines = [{"line": 1, "amount": "1000.5"}]

    refused = till.post("/transactions/earn/", purchase(currency="JPY", lines=lines, **PLAIN))
    lines = [{"line": 1, "amount": "1000"}]
    earned = till.post("/transactions/earn/", purchase(currency="JPY", lines=lines, **PLAIN))

    assert refused.json()["errors"][0]["pointer"] == "/lines/0/amount"
    assert [a["points"] for a in earned.json()["awards"]] == [6]


def test_items_come_back_at_the_rate_of_the_sale_and_in_its_currency(
    till, purchase, dollars, member, now, capsys
):
    lines = [
        {"line": 1, "quantity": "2", "amount": "25.00"},
        {"line": 2, "amount": "10.00"},
    ]
    sale = till.post("/transactions/earn/", purchase(currency="USD", lines=lines, **PLAIN)).json()
    rate("USD", "3", since=now)

    def give_back(reference, *items):
        body = {"original": {"id": sale["id"]}, "reference": reference, "lines": list(items)}
        return till.post(
            "/transactions/return-items/", {**body, "occurred_at": now.isoformat()}
        ).json()

    first = give_back("B1", {"line": 1, "quantity": "1"})

    assert [a["points"] for a in first["awards"]] == [-6]
    assert first["kept"]["lines"] == [
        {"line": 1, "quantity": 10000, "amount": 1250},
        {"line": 2, "quantity": 10000, "amount": 1000},
    ]
    too_much = give_back("B2", {"line": 2, "quantity": "0", "amount": "22.51"})
    assert too_much["code"] == "RETURN_EXCEEDS_PURCHASE"
    give_back("B3", {"line": 1, "quantity": "1"}, {"line": 2, "quantity": "1"})
    assert balance(member).available == 0
    assert not TierMeasure.objects.exclude(amount=0).exists()
    call_command("replay_evaluations", "--quiet")
    assert "3 the same, 0 without their facts, 0 differ" in capsys.readouterr().out


def test_everything_returned_is_the_same_as_a_reversal(till, purchase, dollars, member, now):
    lines = [{"line": n, "quantity": "3", "amount": f"{n}.33"} for n in range(1, 5)]

    def sell(reference):
        body = purchase(currency="USD", lines=lines, reference=reference, **PLAIN)
        return till.post("/transactions/earn/", body).json()

    def books():
        held = balance(member)
        measures = TierMeasure.objects.filter(amount__gt=0).values_list("measure", "amount")
        return held.available, held.debt, held.reversed, sorted(measures)

    sales = [sell("A"), sell("B")]
    back = {"original": {"id": sales[0]["id"]}, "reference": "A", "occurred_at": now.isoformat()}
    for part in range(3):
        some = [{"line": n, "quantity": "1"} for n in range(1, 5)]
        body = {**back, "reference": f"A{part}", "lines": some}
        assert till.post("/transactions/return-items/", body).status_code == 201
    returned = books()
    sales.append(sell("C"))
    back = {**back, "original": {"id": sales[2]["id"]}}
    assert till.post("/transactions/reverse-earn/", back).status_code == 201

    assert books()[:2] == returned[:2]
    assert books()[2] == 2 * returned[2]
    assert books()[3] == returned[3]


@pytest.fixture
def worth_a_cent(member):
    points = PointType.objects.get(code="PTS")
    PointValue.objects.all().delete()
    PointValue.objects.create(point_type=points, currency="EUR", value="0.01", valid_from=LONG_AGO)


@pytest.mark.parametrize(
    ("currency", "of", "value", "points"),
    [
        ("USD", "0.5", "10.00", 500),
        ("USD", "0.5", "10", 500),
        ("JPY", "0.006", "1000", 600),
        ("BHD", "2.5", "1.001", 251),
        ("EUR", "1", "10.00", 1000),
    ],
)
def test_points_are_redeemed_by_value_in_another_currency(
    till, member, now, worth_a_cent, currency, of, value, points
):
    if currency != "EUR":
        rate(currency, of)
    give(member, 5000)
    body = {
        "member": {"number": member.number},
        "reference": "R",
        "occurred_at": now.isoformat(),
        "type": "PTS",
        "value": {"amount": value, "currency": currency},
    }

    answer = till.post("/transactions/redeem/", body).json()
    again = till.post("/transactions/redeem/", body).json()

    assert answer["points"][0]["points"] == -points
    assert Decimal(answer["value"]["amount"]) == Decimal(value)
    assert answer["value"]["currency"] == currency
    assert again == answer


def test_a_value_has_the_places_of_its_currency(till, member, now, worth_a_cent):
    rate("JPY", "0.006")
    give(member, 5000)
    body = {"member": {"number": member.number}, "reference": "R", "type": "PTS"}
    value = {"amount": "100.5", "currency": "JPY"}

    answer = till.post(
        "/transactions/redeem/", {**body, "occurred_at": now.isoformat(), "value": value}
    )

    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, "/value/amount")
    assert balance(member).available == 5000
