"""Versions, purchases and occasions for the engine."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec

from promotions.engine.basket import (
    Basket,
    BasketLine,
    purchase_of,
)
from promotions.engine.checks import check
from promotions.engine.definition import Definition
from promotions.engine.evaluate import evaluate
from promotions.engine.facts import Schemas
from promotions.engine.snapshot import Snapshot
from promotions.engine.types import PIECE, Line, MemberFacts, Purchase
from promotions.engine.versions import compile_version

AT = datetime(2026, 3, 7, 12, tzinfo=UTC)  # a Saturday


MEMBER = MemberFacts("BASE", "ACTIVE")


SURVEYS = Schemas(events={"SURVEY": {"score": {"type": "INTEGER"}, "paid": {"type": "DECIMAL"}}})


PER_EURO = {"kind": "PER_AMOUNT", "type": "PTS", "points": 1, "per": "1.00"}


def version(number=1, *, live=((AT - timedelta(days=9), None),), schemas=SURVEYS, **content):
    definition = msgspec.convert({"name": "x", "award": PER_EURO, **content}, Definition)
    check(definition)
    return compile_version(
        id=number,
        promotion=f"P{number:02}",
        number=1,
        live=live,
        definition=definition,
        currency="EUR",
        schemas=schemas,
    )


def purchase(*nets, at=AT, **changes):
    lines = tuple(
        Line(place, f"SKU{place}", PIECE, net, path=("FOOD", f"CAT{place}"), brand="OWN")
        for place, net in enumerate(nets, 1)
    )
    return msgspec.structs.replace(Purchase(at, at, "GROCER", "EUR", lines), **changes)


def points(bought, *versions, member=MEMBER):
    found = evaluate(bought, member, Snapshot(versions))
    return {(award.promotion, award.line): award.points for award in found.awards if award.points}


def occasion(trigger="EVENT", event=None, **attributes):
    return Purchase(AT, AT, "GROCER", "EUR", trigger=trigger, event=event, attributes=attributes)


TEN = {"award": {"kind": "FIXED", "type": "PTS", "points": 10}}


DAILY = {"per": "MEMBER", "period": "DAY"}


SIX_AT_MOST = {"limits": [{"per": "TRANSACTION", "measure": "POINTS", "at_most": 6}]}


TWICE = {"kind": "MULTIPLIER", "type": "PTS", "factor": "2"}


BASE = {"combination": {"base": True}}


def basket(**changes):
    lines = (
        BasketLine(1, "A", "2", "5.98", discount="0.50"),
        BasketLine(2, "B", "1", "0.99", category="TEA"),
    )
    plain = {"occurred_at": AT, "currency": "EUR", "lines": lines, "discount": "1.00"}
    return Basket(**{**plain, **changes})


def made(sent, products=None):
    return purchase_of(sent, products or {}, partner="GROCER", zone=ZoneInfo("Europe/Vienna"))
