"""The demo's programme: products, ladder, promotions."""

from datetime import datetime, timedelta
from typing import Any

import msgspec
from django.db import connection

from loyalty.caller import Actor
from loyalty.models import Master, MasterEntity
from members.ladder import Definition, Measure, Threshold, Window
from promotions.demo import data, rewards
from promotions.demo.live import put_live
from promotions.services.tiers.ladder import write_ladder

PROMOTIONS: dict[str, dict[str, Any]] = {
    "BASE": {
        "name": "A point for every dollar",
        "award": {"kind": "PER_AMOUNT", "type": "PTS", "points": 1, "per": "1.00"},
        "lines": {"exclude": {"category": ["FUEL"]}},
        "combination": {"base": True},
        "tests": [
            {
                "name": "Two dollars and a half",
                "basket": {"occurred_at": "2026-01-05T12:00:00Z", "lines": [{"amount": "2.50"}]},
                "points": [{"type": "PTS", "points": 2}],
            }
        ],
    },
    "FRESH": {
        "name": "Double points on produce",
        "award": {"kind": "MULTIPLIER", "type": "PTS", "factor": "2"},
        "lines": {"include": {"category": ["PRODUCE"]}},
    },
    "OWN-BRAND": {
        "name": "Two points for each of our own products",
        "award": {"kind": "PER_ITEM", "type": "PTS", "points": 2},
        "lines": {"include": {"brand": ["Private"]}, "exclude": {"category": ["FUEL"]}},
        "limits": [{"per": "TRANSACTION", "measure": "POINTS", "at_most": 40}],
    },
    "BIG-BASKET": {
        "name": "100 points from 75 dollars, for a month",
        "award": {"kind": "FIXED", "type": "PTS", "points": 100},
        "minimum": {"amount": "75.00"},
        "expiry": {"after": "P1M", "from": "EARNED"},
    },
    "WEEKEND-COFFEE": {
        "name": "Coffee at the weekend",
        "award": {"kind": "PER_AMOUNT", "type": "PTS", "points": 3, "per": "1.00"},
        "lines": {"include": {"category": ["COFFEE"]}},
        "weekdays": ["SAT", "SUN"],
    },
    "BEAUTY": {
        "name": "Five points a dollar on cosmetics, after two weeks",
        "award": {"kind": "PER_AMOUNT", "type": "PTS", "points": 5, "per": "1.00"},
        "lines": {"include": {"category": ["COSMETICS"]}},
        "pending": "P14D",
    },
    "GOLD": {
        "name": "A quarter more for gold members",
        "award": {"kind": "MULTIPLIER", "type": "PTS", "factor": "1.25", "scope": "BASKET"},
        "audience": {"tiers": ["GOLD"]},
    },
}


def load_products() -> int:
    """Make the 92,331 products and their categories by COPY, unless they are there."""
    entity = MasterEntity.objects.get(code="product")
    if Master.objects.filter(entity=entity).exists():
        return 0
    rows = data.table("products").to_pylist()
    paths = {_path(row) for row in rows}
    parents = _load_categories({path[:depth] for path in paths for depth in range(1, 4)} - {()})
    with connection.cursor() as cursor, cursor.copy(_COPY) as copy:
        for row in rows:
            path = _path(row)
            attributes = {"brand": row["brand"], "size": row["package_size"]}
            copy.write_row(
                (
                    entity.pk,
                    str(row["product_id"]),
                    (row["product_type"] or row["product_category"] or "Product")[:200],
                    parents.get(path),
                    list(path),
                    msgspec.json.encode({k: v for k, v in attributes.items() if v}).decode(),
                    "{}",
                    False,
                )
            )
    return len(rows)


_COPY = (
    "COPY loyalty_master (entity_id, code, name, parent_id, path, attributes, translations,"
    " retired) FROM STDIN"
)


def _path(row: dict[str, Any]) -> tuple[str, ...]:
    """Return the codes of department, category and type; fuel is a department of its own."""
    names = (row["department"], row["product_category"], row["product_type"])
    codes = [code for name in names if (code := data.code_of(name))]
    if "GASOLINE" in (row["product_type"] or ""):
        codes[:1] = ["FUEL"]
    return tuple(dict.fromkeys(codes))


def _load_categories(paths: set[tuple[str, ...]]) -> dict[tuple[str, ...], int]:
    """Make a category for each path, parents first; one code is one category. Return their ids."""
    entity = MasterEntity.objects.get(code="category")
    ids: dict[str, int] = {}
    for path in sorted(paths, key=lambda path: (len(path), path)):
        if path[-1] in ids:
            continue
        parent = ids.get(path[-2]) if len(path) > 1 else None
        made = Master.objects.create(
            entity=entity,
            code=path[-1],
            name=path[-1].replace("-", " ").title(),
            parent_id=parent,
            path=list(path[:-1]),
        )
        ids[path[-1]] = made.pk
    return {path: ids[path[-1]] for path in paths}


# By spend of the last three months: about a fifth of the households are silver, one in twenty gold.
LADDER = Definition(
    measure=Measure.SPEND,
    window=Window.ROLLING_MONTHS,
    months=3,
    thresholds=(Threshold("SILVER", "750.00"), Threshold("GOLD", "1500.00")),
    grace="P1M",
)


def load_ladder(*, at: datetime) -> None:
    """Put the demo's ladder in effect from `at` on: purchases lift, reviews lower."""
    write_ladder(LADDER, effective_from=at, at=at, by=Actor.system("demo"))


def load_promotions(*, at: datetime, today: datetime) -> None:
    """Put the demo's promotions live from `at` on, and one that runs out shortly before `today`."""
    rewards.load_rewards(at=at, today=today)
    found = {**PROMOTIONS, **rewards.PROMOTIONS, "PIZZA-MONTH": _pizza_month(today)}
    for code, definition in found.items():
        put_live(code, definition, at=at, today=today)


def _pizza_month(today: datetime) -> dict[str, Any]:
    """Return a promotion of four weeks whose budget is for about three."""
    return {
        "name": "Twenty points for each frozen pizza, until 20,000 are given",
        "award": {"kind": "PER_ITEM", "type": "PTS", "points": 20},
        "lines": {"include": {"category": ["FROZEN-PIZZA"]}},
        "active_from": (today - timedelta(weeks=5)).isoformat(timespec="seconds"),
        "active_to": (today - timedelta(weeks=1)).isoformat(timespec="seconds"),
        "budget": {"measure": "POINTS", "at_most": 20_000, "then": "REDUCE"},
        "limits": [{"per": "TRANSACTION", "measure": "POINTS", "at_most": 100}],
    }
