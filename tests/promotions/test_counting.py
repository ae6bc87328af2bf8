"""What counts where programmes differ: settings of the programme, frozen with each sale."""

import re

import pytest
from django.core.management import call_command
from django.db import transaction
from django.urls import reverse

from loyalty.models import Program
from loyalty.services import epoch
from promotions.models import Evaluation
from tests.factories.ledger import balance
from tests.factories.loyalty import UserFactory
from tests.factories.promotions import promotion
from tests.promotions.test_documented_tables import table

pytestmark = pytest.mark.usefixtures("member")
PER_EURO = {"kind": "PER_AMOUNT", "type": "PTS", "points": 1, "per": "1.00"}
LINES = [
    {"line": 1, "amount": "10.00", "tax": "2.00", "category": "COFFEE"},
    {"line": 2, "amount": "5.00", "tax": "1.00", "category": "SHIPPING"},
    {"line": 3, "amount": "20.00", "category": "GIFT-CARDS"},
]
BASKET = {
    "lines": LINES,
    "discount": "7.00",
    "tenders": [{"type": "CARD", "amount": "21.00"}, {"type": "POINTS", "amount": "7.00"}],
}
SETTINGS = {
    "as they are by default": {},
    "points paid count": {"counts_points_paid": True},
    "tax does not count": {"counts_tax": False},
    "shipping does not count": {"counts_shipping": False},
    "gift-card sales count": {"counts_gift_cards": True},
    "a basket's discount does not lower categories": {"basket_discount_lowers_lines": False},
}


def settle(**changes):
    """Change the programme's settings, as the back office does."""
    with transaction.atomic():
        Program.objects.update(**changes)
        epoch.bump()


@pytest.fixture(autouse=True)
def programme(program):
    settle(shipping_category="SHIPPING", gift_card_category="GIFT-CARDS")
    promotion("BASE")
    promotion("COFFEE", lines={"include": {"category": ["COFFEE"]}})


def earn(till, purchase, status=201, **body):
    response = till.post("/transactions/earn/", purchase(**body))
    assert response.status_code == status, response.json()
    return response.json()


@pytest.mark.parametrize(("setting", "base", "coffee"), table("Setting"))
def test_each_setting_counts_as_the_page_says(till, purchase, setting, base, coffee):
    settle(**SETTINGS[setting])

    awards = earn(till, purchase, **BASKET)["awards"]

    given = [str(a["points"]) for a in awards if a["promotion"] == "BASE"]
    assert " + ".join(given) == base
    assert [str(a["points"]) for a in awards if a["promotion"] == "COFFEE"] == [coffee]


@pytest.mark.parametrize(("purchases", "lost", "carried"), table("Purchases"))
@pytest.mark.parametrize("carries", [False, True])
def test_remainders_are_lost_or_carried_as_the_page_says(
    till, purchase, purchases, lost, carried, carries
):
    promotion("BASE", award={**PER_EURO, "scope": "BASKET"})
    settle(carries_remainders=carries)

    answers = [
        earn(till, purchase, lines=None, amount=amount, discount=None, tenders=None)
        for amount in purchases.split(", ")
    ]

    given = [sum(a["points"] for a in answer["awards"]) for answer in answers]
    assert ", ".join(map(str, given)) == (carried if carries else lost)


@pytest.mark.parametrize("setting", list(SETTINGS))
def test_a_setting_that_is_changed_changes_no_return_and_no_replay(
    till, purchase, member, now, setting, capsys
):
    settle(**SETTINGS[setting])
    sale = earn(till, purchase, **BASKET)
    settle(
        counts_points_paid=True,
        counts_tax=False,
        counts_shipping=False,
        counts_gift_cards=True,
        basket_discount_lowers_lines=False,
        shipping_category="",
    )

    def give_back(line, reference):
        body = {"original": {"id": sale["id"]}, "reference": reference}
        lines = [{"line": line, "quantity": "1"}]
        return till.post(
            "/transactions/return-items/",
            {**body, "occurred_at": now.isoformat(), "lines": lines},
        ).json()

    shipping = sum(a["points"] for a in sale["awards"] if a["line"] == 2)
    back = give_back(2, "B2")
    assert sum(a["points"] for a in back["awards"]) == -shipping
    give_back(1, "B1")
    give_back(3, "B3")
    assert balance(member).available == 0
    call_command("replay_evaluations", "--quiet")
    assert capsys.readouterr().out.startswith("4 the same, 0 without their facts, 0 differ")


def test_what_was_carried_comes_back_with_its_sale(till, purchase, member, now):
    promotion("BASE", award={**PER_EURO, "scope": "BASKET"})
    settle(carries_remainders=True)
    plain = {"lines": None, "discount": None, "tenders": None}
    first = earn(till, purchase, amount="0.60", **plain)
    earn(till, purchase, amount="0.60", **plain)
    assert balance(member).available == 1

    body = {"original": {"id": first["id"]}, "reference": "B", "occurred_at": now.isoformat()}
    assert till.post("/transactions/reverse-earn/", body).status_code == 201
    earn(till, purchase, amount="0.40", **plain)
    earn(till, purchase, amount="1.00", **plain)

    # 0.60 - 1.00 given + 0.40: nothing is left below the step, and a whole one follows.
    assert balance(member).available == 2


@pytest.mark.parametrize(
    ("tax", "code"), [("10.01", "OUT_OF_RANGE"), ("-1", "NOT_A_DECIMAL"), ("0.001", "OUT_OF_RANGE")]
)
def test_tax_that_cannot_be_is_refused(till, purchase, tax, code):
    lines = [{"line": 1, "amount": "10.00", "tax": tax}]

    answer = earn(till, purchase, status=400, lines=lines, discount=None, tenders=None)

    assert [(e["pointer"], e["code"]) for e in answer["errors"]] == [("/lines/0/tax", code)]
    assert not Evaluation.objects.exists()


def test_the_settings_page_shows_them_with_a_word_of_help(client):
    client.force_login(UserFactory(groups=["Programme manager"]))

    page = client.get(reverse("admin:loyalty_program_change", args=[1])).content.decode()

    assert "What counts for promotions" in page
    assert len(re.findall("earns nothing", page)) == 1
    assert client.get(reverse("admin:loyalty_currency_add")).status_code == 200


def test_the_programme_tells_what_counts(till):
    answer = till.get("/program/").json()

    assert (answer["counts_points_paid"], answer["counts_tax"]) == (False, True)
    assert answer["shipping_category"] == "SHIPPING"
