"""What benefits a member is entitled to, from which source, and how much of the quota is left."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from dateutil.relativedelta import relativedelta
from django.db.models import Q

from loyalty.dates import start_of_day
from vouchers.models import Benefit, BenefitAllocation, BenefitUse, Subscription
from vouchers.queries.subscriptions import plans_in_force

Period = Benefit.Period
_LENGTH: dict[str, relativedelta] = {
    Period.DAY: relativedelta(days=1),
    Period.WEEK: relativedelta(weeks=1),
    Period.MONTH: relativedelta(months=1),
    Period.QUARTER: relativedelta(months=3),
    Period.YEAR: relativedelta(years=1),
}


@dataclass(frozen=True, slots=True)
class Holder:
    """The member whose benefits are looked at."""

    id: int
    tier: str | None
    tier_since: datetime | None


@dataclass(slots=True)
class Entitlement:
    """A benefit of a member: where it comes from, and how often it can still be had.

    `left` is None where there is no quota. `allocations` come on top, soonest-ending first.
    """

    benefit: Benefit
    by_tier: bool
    subscription: Subscription | None
    allocations: list[BenefitAllocation] = field(default_factory=list)
    used: int = 0
    quota_left: int | None = None
    resets_at: datetime | None = None

    @property
    def entitled(self) -> bool:
        """Whether tier or subscription give the benefit, allocations aside."""
        return self.by_tier or self.subscription is not None

    @property
    def left(self) -> int | None:
        allocated = sum(each.left for each in self.allocations)
        if not self.entitled:
            return allocated
        return None if self.quota_left is None else self.quota_left + allocated

    @property
    def sources(self) -> list[str]:
        """Where the benefit comes from, in the order in which it is used up."""
        found = ["TIER"] if self.by_tier else []
        found += ["SUBSCRIPTION"] if self.subscription else []
        return found + (["ALLOCATION"] if self.allocations else [])


def entitlements(
    holder: Holder, *, at: datetime, zone: ZoneInfo, code: str | None = None
) -> list[Entitlement]:
    """Return the benefits a member has or could have (with `code`, that one). Five queries.

    Without a code, only those that some source gives.
    """
    benefits = Benefit.objects.filter(
        Q(active_from=None) | Q(active_from__lte=at),
        Q(active_to=None) | Q(active_to__gt=at),
        active=True,
    ).select_related("voucher_type")
    if code is not None:
        benefits = benefits.filter(code=code)
    by_plan: dict[int, Subscription] = {}
    for subscription in plans_in_force(holder.id, at):
        for benefit in subscription.plan.benefits.all():
            by_plan.setdefault(benefit.pk, subscription)
    allocations = _allocations(holder.id, at)
    found = [
        Entitlement(
            benefit=benefit,
            by_tier=holder.tier is not None and holder.tier in benefit.tiers,
            subscription=by_plan.get(benefit.pk),
            allocations=allocations.get(benefit.pk, []),
        )
        for benefit in benefits.order_by("code")
    ]
    if code is None:
        found = [each for each in found if each.sources]
    _count_uses(found, holder, at, zone)
    return found


def _allocations(member_id: int, at: datetime) -> dict[int, list[BenefitAllocation]]:
    rows = BenefitAllocation.objects.filter(
        Q(valid_to=None) | Q(valid_to__gt=at), member_id=member_id, valid_from__lte=at, left__gt=0
    ).order_by("valid_to", "pk")
    found: dict[int, list[BenefitAllocation]] = {}
    for row in rows:
        found.setdefault(row.benefit_id, []).append(row)
    return found


def _count_uses(found: Sequence[Entitlement], holder: Holder, at: datetime, zone: ZoneInfo) -> None:
    """Fill in what was used of each quota, and when that begins anew. One query for all."""
    limited = {each.benefit.pk: each for each in found if each.benefit.quota is not None}
    if not limited:
        return
    starts = {key: _counts_from(each, holder, at, zone) for key, each in limited.items()}
    rows = BenefitUse.objects.filter(
        member_id=holder.id, benefit__in=limited, allocation=None, undone_at=None
    )
    if None not in starts.values():
        rows = rows.filter(at__gte=min(start for start in starts.values() if start is not None))
    uses: dict[int, list[tuple[datetime, int]]] = {key: [] for key in limited}
    for key, used_at, quantity in rows.order_by("at").values_list("benefit_id", "at", "quantity"):
        start = starts[key]
        if start is None or used_at >= start:
            uses[key].append((used_at, quantity))
    for key, each in limited.items():
        each.used = sum(quantity for _, quantity in uses[key])
        each.quota_left = max(0, (each.benefit.quota or 0) - each.used)
        oldest = uses[key][0][0] if uses[key] else None
        each.resets_at = _resets_at(each, oldest, at, zone)


def _counts_from(
    each: Entitlement, holder: Holder, at: datetime, zone: ZoneInfo
) -> datetime | None:
    """Return from when on uses count; None: from the beginning."""
    start = window_start(each.benefit, at, zone)
    if each.benefit.on_tier_change == Benefit.OnTierChange.FRESH and holder.tier_since:
        return max(start, holder.tier_since) if start else holder.tier_since
    return start


def _resets_at(
    each: Entitlement, oldest: datetime | None, at: datetime, zone: ZoneInfo
) -> datetime | None:
    benefit = each.benefit
    if benefit.reset == Benefit.Reset.CALENDAR:
        day = first_day(benefit.period, at.astimezone(zone).date()) + _LENGTH[benefit.period]
        return start_of_day(day, zone)
    if benefit.reset == Benefit.Reset.ROLLING and oldest is not None:
        return oldest + _LENGTH[benefit.period]
    return None


def window_start(benefit: Benefit, at: datetime, zone: ZoneInfo) -> datetime | None:
    """Return from when on uses count towards the quota; None: from the beginning."""
    if benefit.reset == Benefit.Reset.CALENDAR:
        return start_of_day(first_day(benefit.period, at.astimezone(zone).date()), zone)
    if benefit.reset == Benefit.Reset.ROLLING:
        return at - _LENGTH[benefit.period] + timedelta(microseconds=1)
    return None


def first_day(period: str, day: date) -> date:
    """Return the first day of the calendar period that a day is in; weeks begin on Monday."""
    if period == Period.DAY:
        return day
    if period == Period.WEEK:
        return day - timedelta(days=day.weekday())
    first_months = {
        Period.MONTH: day.month,
        Period.QUARTER: (day.month - 1) // 3 * 3 + 1,
        Period.YEAR: 1,
    }
    return day.replace(month=first_months[Period(period)], day=1)
