"""The worked tables of docs/evaluation.md, executed: what is explained is what is computed."""

import re
from pathlib import Path

import msgspec
import pytest

from promotions.engine.basket import BasketLine
from promotions.engine.evaluate import evaluate
from promotions.engine.returns import Wanted, kept, refunds, together
from promotions.engine.snapshot import Snapshot
from promotions.engine.types import PIECE
from tests.promotions.engine.calls import (
    BASE,
    MEMBER,
    PER_EURO,
    TWICE,
    basket,
    made,
    points,
    version,
)
from tests.promotions.engine.calls import purchase as purchase_of_nets

PAGE = Path(__file__).parents[2] / "docs" / "evaluation.md"


def table(first_heading):
    """Return the rows of the page's table whose first column is headed so."""
    lines = PAGE.read_text().splitlines()
    start = next(n for n, line in enumerate(lines) if line.startswith(f"| {first_heading} |"))
    rows = []
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split("|")])
    assert rows
    return rows


def test_the_basket_discount_is_shared_as_the_page_says():
    rows = table("Line")
    lines = tuple(
        BasketLine(int(number), None, "1", amount, discount=discount or "0")
        for number, amount, discount, _, _, _ in rows
    )

    nets = [line.net for line in made(basket(lines=lines, discount="1.00")).lines]

    assert [f"{net / 100:.2f}" for net in nets] == [row[5] for row in rows]
    assert [f"{float(row[3]) - float(row[4]):.2f}" for row in rows] == [row[5] for row in rows]


def award_of(text):
    """Return the award that the page describes in words."""
    if found := re.fullmatch(r"(\d+) per (\S+), per (line|basket), (\w+)", text):
        given, per, scope, rounding = found.groups()
        return {
            **PER_EURO,
            "points": int(given),
            "per": per,
            "scope": scope.upper(),
            "rounding": rounding,
        }
    kind, given = re.match(r"(FIXED|PER_ITEM) (\d+)", text).groups()
    return {"kind": kind, "type": "PTS", "points": int(given)}


@pytest.mark.parametrize(("award", "_steps", "expected"), table("Award"))
def test_each_award_gives_what_the_page_says(award, _steps, expected):
    found = points(purchase_of_nets(463, 84), version(award=award_of(award)))

    assert sum(found.values()) == int(expected)


@pytest.mark.parametrize(
    ("limit", "multiply", "base", "extra", "total"), table("Limit of the base")
)
def test_limits_and_multipliers_go_together_as_the_page_says(limit, multiply, base, extra, total):
    limits = []
    if limit != "none":
        at_most, measure, then = re.fullmatch(r"(\S+) (\w+)(, SKIP)?", limit).groups()
        most = int(at_most) if measure == "POINTS" else at_most
        limits = [{"per": "TRANSACTION", "measure": measure, "at_most": most}]
        limits[0]["then"] = "SKIP" if then else "REDUCE"
    doubled = version(2, award=TWICE, combination={"multiply": multiply})

    found = points(purchase_of_nets(1000), version(1, limits=limits, **BASE), doubled)

    by_promotion = [found.get((code, 1), 0) for code in ("P01", "P02")]
    assert [*by_promotion, sum(by_promotion)] == [int(base), int(extra), int(total)]


@pytest.mark.parametrize(("measure", "left", "then", "expected"), table("Measure"))
def test_what_is_left_of_a_limit_bounds_as_the_page_says(measure, left, then, expected):
    limit = {"per": "MEMBER", "period": "DAY", "measure": measure, "at_most": 1000, "then": then}
    limited = version(award={"kind": "FIXED", "type": "PTS", "points": 100}, limits=[limit])

    found = evaluate(purchase_of_nets(500), MEMBER, Snapshot([limited]), ceilings={1: (int(left),)})

    assert sum(award.points for award in found.awards) == int(expected)


@pytest.mark.parametrize(("back", "keeps", "expected"), table("Comes back"))
def test_what_is_kept_is_evaluated_as_the_page_says(back, keeps, expected):
    bought = purchase_of_nets(1000, 2500)
    three = msgspec.structs.replace(bought.lines[0], quantity=3 * PIECE)
    bought = msgspec.structs.replace(bought, lines=(three, bought.lines[1]))
    returned = []
    if found := re.fullmatch(r"(\d) of line (\d)(?: for (\S+))?", back):
        refund = round(float(found[3]) * 100) if found[3] else None
        wanted = [Wanted(int(found[2]), int(found[1]) * PIECE, refund)]
        returned = refunds(bought, {}, wanted)
    bonus = {"kind": "FIXED", "type": "PTS", "points": 100}
    versions = Snapshot([version(1), version(2, award=bonus, minimum={"amount": "30.00"})])

    left = kept(bought, together(returned))

    nets = [0 if line.gone else line.net - line.refunded for line in left.lines]
    assert " + ".join(f"{net / 100:.2f}" for net in nets) == keeps
    given = evaluate(left, MEMBER, versions).awards
    assert sum(award.points for award in given) == int(expected)
