"""From a till's basket to a purchase."""

import pytest

from promotions.engine.basket import (
    BasketInvalid,
    Product,
    TendersDiffer,
)
from tests.promotions.engine.calls import basket, made


def test_the_contracts_example_nets_4_63_and_0_84():
    assert [line.net for line in made(basket()).lines] == [463, 84]


def test_the_master_wins_over_what_the_till_says_of_a_product():
    products = {"B": Product(("DRINKS",), "BRAND")}

    known, unknown = made(basket(), products).lines[1], made(basket()).lines[1]

    assert (known.path, known.brand) == (("DRINKS",), "BRAND")
    assert unknown.path == ("TEA",)


def test_a_discount_above_what_the_lines_leave_is_refused():
    with pytest.raises(BasketInvalid) as refusal:
        made(basket(discount="6.48"))

    assert refusal.value.pointer == "/discount"


def test_tenders_must_sum_to_the_lines_less_discounts():
    made(basket(tenders=(("CARD", "5.47"),)))
    with pytest.raises(TendersDiffer):
        made(basket(tenders=(("CARD", "5.46"),)))
