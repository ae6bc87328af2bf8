"""The demo's campaigns: the real lists as segments, promotions by type, coupons as vouchers."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import islice
from typing import Any
from uuid import UUID, uuid5

from django.db import transaction

from loyalty.caller import Actor
from members.models import Segment
from members.services import segments
from partners.models import Partner
from promotions.demo import data
from promotions.demo.live import put_live
from promotions.demo.people import card_of
from vouchers.models import Voucher, VoucherType
from vouchers.services import authentication, issuing
from vouchers.services.authentication import AtTill
from vouchers.services.issuing import Issue

BY = Actor.system("demo")
CATEGORIES_OF_A_CAMPAIGN = 8
CHUNK = 100
# What each type of campaign gives, on the categories that its coupons are for.
AWARDS: dict[str, dict[str, Any]] = {
    "Type A": {"kind": "MULTIPLIER", "type": "PTS", "factor": "2"},
    "Type B": {"kind": "PER_AMOUNT", "type": "PTS", "points": 3, "per": "1.00"},
    "Type C": {"kind": "FIXED", "type": "PTS", "points": 50},
}
_SAME_EACH_TIME = UUID("6f1c1d4e-3d0f-4a3b-9d0c-6a4d5f0b2c11")


@dataclass(frozen=True, slots=True)
class Campaign:
    """A campaign as the data have it, shifted to our days; its end is exclusive."""

    number: int
    type: str
    start: datetime
    end: datetime
    households: tuple[int, ...]

    @property
    def code(self) -> str:
        return f"CAMPAIGN-{self.number}"


def campaigns(shift: timedelta) -> list[Campaign]:
    """Return the campaigns of the year."""
    lists: dict[int, list[int]] = {}
    for row in data.table("campaigns").to_pylist():
        lists.setdefault(row["campaign_id"], []).append(row["household_id"])
    return [
        Campaign(
            row["campaign_id"],
            row["campaign_type"],
            data.in_utc(row["start_date"]) + shift,
            data.in_utc(row["end_date"]) + shift + timedelta(days=1),
            tuple(lists.get(row["campaign_id"], ())),
        )
        for row in data.table("campaign_descriptions").to_pylist()
    ]


def load_segments(found: list[Campaign], *, at: datetime) -> None:
    """Make a segment of each campaign's list; a step."""
    for campaign in found:
        _, new = Segment.objects.get_or_create(
            code=campaign.code,
            defaults={"name": f"Campaign {campaign.number} ({campaign.type})", "created_at": at},
        )
        if new:
            add = [{"card": card_of(household)} for household in campaign.households]
            segments.change_members(campaign.code, add=add, remove=[], until=None, by=BY, at=at)


def load_promotions(found: list[Campaign], *, at: datetime, today: datetime) -> None:
    """Put a promotion live for each list, in its time, on the categories of its coupons."""
    wanted = _categories()
    for campaign in found:
        include = {"category": wanted[campaign.number]} if wanted.get(campaign.number) else {}
        definition = {
            "name": f"Campaign {campaign.number}",
            "audience": {"segments": [campaign.code]},
            "active_from": campaign.start.isoformat(),
            "active_to": campaign.end.isoformat(),
            "lines": {"include": include},
            "award": AWARDS[campaign.type],
            "combination": {"priority": 5},
        }
        if campaign.type == "Type C":
            definition["minimum"] = {"amount": "10.00"}
        put_live(campaign.code, definition, at=at, today=today)


def _categories() -> dict[int, list[str]]:
    """Return, by campaign, the categories in which most products of its coupons are."""
    category = {
        row["product_id"]: data.code_of(row["product_category"])
        for row in data.table("products").to_pylist()
    }
    counts: dict[int, Counter[str]] = {}
    for row in data.table("coupons").to_pylist():
        if code := category.get(row["product_id"]):
            counts.setdefault(row["campaign_id"], Counter())[code] += 1
    return {
        number: sorted(code for code, _ in count.most_common(CATEGORIES_OF_A_CAMPAIGN))
        for number, count in counts.items()
    }


def load_voucher_type() -> VoucherType:
    """Make what a coupon is: a dollar off, once."""
    kind, _ = VoucherType.objects.get_or_create(
        code="COUPON",
        defaults={
            "name": "Campaign coupon",
            "gives": VoucherType.Gives.AMOUNT,
            "value": Decimal("1.00"),
            "currency": "USD",
        },
    )
    return kind


def redeem_coupons(
    found: list[Campaign],
    *,
    members: Mapping[str, int],
    partner: Partner,
    shift: timedelta,
    since: datetime,
    until: datetime,
    on_progress: Callable[[int], None],
) -> int:
    """Issue a voucher for each coupon that was really redeemed, and use it on its day.

    One that is there already is left; return how many were new.
    """
    kind, by_number = load_voucher_type(), {each.number: each for each in found}
    known = set(Voucher.objects.filter(voucher_type=kind).values_list("origin_id", flat=True))
    store = partner.outlets.order_by("code").values_list("code", flat=True).first()
    rows = (row for row in _redemptions(shift) if since <= row[0] < until and row[3] not in known)
    count = 0
    while chunk := list(islice(rows, CHUNK)):
        with transaction.atomic():
            for at, household, number, key in chunk:
                campaign = by_number[number]
                order = Issue(
                    voucher_type=kind,
                    member_id=members[card_of(household)],
                    partner_id=partner.pk,
                    quantity=1,
                    origin=Voucher.Origin.PROMOTION,
                    origin_id=key,
                    valid_to=max(campaign.end, at + timedelta(days=1)),
                )
                (issued,) = issuing.issue(order, at=min(campaign.start, at))
                till = AtTill(partner_id=partner.pk, outlet=store, reference=f"COUPON-{key}")
                authentication.use(authentication.locked(issued.voucher.pk), till, at=at)
        count += len(chunk)
        on_progress(len(chunk))
    return count


def _redemptions(shift: timedelta) -> Iterator[tuple[datetime, int, int, UUID]]:
    for place, row in enumerate(data.table("coupon_redemptions").to_pylist()):
        at = data.in_utc(row["redemption_date"]) + shift + timedelta(hours=17)
        key = uuid5(_SAME_EACH_TIME, f"{place}-{row['household_id']}-{row['coupon_upc']}")
        yield at, row["household_id"], row["campaign_id"], key
