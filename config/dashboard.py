"""The landing page of the back office: how the programme stands, and what waits for somebody."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.core.cache import cache
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from redis.exceptions import RedisError

from ledger.admin.charts import STACKED, bars
from ledger.queries.configuration import Configuration, configuration
from ledger.queries.overview import (
    BACK,
    EARNED,
    EXPIRED,
    REDEEMED,
    TypeOverview,
    active_members,
    overview,
    promotion_costs,
)
from loyalty.models import Job, WebhookDelivery
from members.models import DuplicateFlag, Member
from promotions.models import PromotionApproval, PromotionVersion

DAYS = 30
PROMOTIONS_SHOWN = 8
KEPT_FOR = 300  # Seconds: a large programme's figures take a moment, and change slowly.
KEY = "dashboard"


def fill(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Add the programme's figures to the admin's index page."""
    context.update(
        _kept(),
        title="How the programme stands",
        zone=timezone.get_current_timezone_name(),
        waiting=_waiting(request, timezone.now()),
        options=STACKED,
    )
    return context


def _kept() -> dict[str, Any]:
    """Return the figures, which are read anew every five minutes; each time, without a cache."""
    try:
        found = cache.get(KEY)
        if found is None:
            found = _figures(timezone.now())
            cache.set(KEY, found, KEPT_FOR)
    except RedisError:
        found = _figures(timezone.now())
    return dict(found)


def _figures(at: datetime) -> dict[str, Any]:
    settings = configuration()
    types = [each for each in overview(settings, at=at, days=DAYS) if _says_something(each)]
    figures = [
        ("Members", f"{Member.objects.count():,}", ""),
        (f"Earned in {DAYS} days", f"{active_members(settings, at=at, days=DAYS):,}", "members"),
    ]
    for each in types:
        named = f"{each.code} outstanding" if len(types) > 1 else "Points outstanding"
        figures.append((named, f"{each.outstanding:,}", _money(each.worth, settings)))
    return {
        "as_of": at.astimezone(settings.zone).strftime("%H:%M"),
        "figures": figures,
        "days": DAYS,
        "charts": [(each.code, _totals(each), _by_day(each)) for each in types],
        "costs": _costs(settings, at),
    }


def _says_something(each: TypeOverview) -> bool:
    return bool(each.outstanding or any(each.days.values()))


def _totals(each: TypeOverview) -> str:
    moves = (EARNED, REDEEMED, EXPIRED, BACK)
    return ", ".join(f"{each.total(move):,} {move.lower()}" for move in moves)


def _by_day(each: TypeOverview) -> str:
    """Return the chart of a point type: what came above the line, what went below."""
    labels = [day.strftime("%d %b") for day in each.days]
    series: list[tuple[str, Sequence[float]]] = [
        (move, [sign * moves.get(move, 0) for moves in each.days.values()])
        for move, sign in ((EARNED, 1), (REDEEMED, -1), (EXPIRED, -1), (BACK, -1))
    ]
    return bars(labels, series)


def _costs(settings: Configuration, at: datetime) -> dict[str, Any]:
    """Return the table of what promotions granted, the versions of one together."""
    names = dict(PromotionVersion.objects.values_list("pk", "promotion__code"))
    sums: dict[tuple[str, str], tuple[int, Decimal | None]] = {}
    for each in promotion_costs(settings, at=at, days=DAYS):
        key = (names.get(each.version_id, "—"), each.code)
        points, worth = sums.get(key, (0, None))
        both = each.worth if worth is None else worth + (each.worth or 0)
        sums[key] = (points + each.points, both)
    rows = sorted(sums.items(), key=lambda row: (row[1][1] or 0, row[1][0]), reverse=True)
    return {
        "headers": ["Promotion", "Type", "Points", "Worth"],
        "rows": [
            [promotion, kind, f"{points:,}", _money(worth, settings) or "—"]
            for (promotion, kind), (points, worth) in rows[:PROMOTIONS_SHOWN]
        ],
    }


def _money(worth: Decimal | None, settings: Configuration) -> str:
    return "" if worth is None else f"{worth:,} {settings.currency}"


def _waiting(request: HttpRequest, at: datetime) -> list[tuple[str, str]]:
    """Return what waits for a person who may see it, with the page where it is found."""
    lately = at - timedelta(days=7)
    wanted = (
        ("promotions.view_promotionapproval", "Promotions to approve",
         "admin:promotions_promotionapproval_changelist",
         PromotionApproval.objects.filter(state=PromotionApproval.State.WAITING)),
        ("loyalty.view_job", "Failed jobs of the last week", "admin:loyalty_job_changelist",
         Job.objects.filter(status=Job.Status.FAILED, created_at__gte=lately)),
        ("members.view_duplicateflag", "Members that may be one person",
         "admin:members_duplicateflag_changelist",
         DuplicateFlag.objects.filter(status=DuplicateFlag.Status.OPEN)),
        ("loyalty.view_webhookdelivery", "Webhook deliveries that were given up",
         "admin:loyalty_webhookdelivery_changelist",
         WebhookDelivery.objects.filter(status=WebhookDelivery.Status.DEAD)),
    )  # fmt: skip
    return [
        (f"{words}: {count:,}", reverse(page))
        for permission, words, page, rows in wanted
        if request.user.has_perm(permission) and (count := rows.count())
    ]
