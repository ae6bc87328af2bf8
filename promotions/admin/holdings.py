"""What a member has, as tables on the member's page."""

from datetime import datetime

from django.db.models import Q
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.http import urlencode

from ledger.models import Transaction
from members.models import Member, Segment, SegmentMember
from promotions.admin.tables import table
from vouchers import codes
from vouchers.models import Subscription, Voucher
from vouchers.queries.vouchers import status_of

ROWS = 10


def _moment(at: datetime | None) -> str:
    return timezone.localtime(at).strftime("%Y-%m-%d\N{NO-BREAK SPACE}%H:%M") if at else ""


def _all_of(page: str, member: Member) -> str:
    url = f"{reverse(page)}?{urlencode({'q': member.number})}"
    return format_html("<a class='underline' href='{}'>All of this member</a>", url)


def transactions_of(member: Member) -> str:
    """Return a member's latest transactions, each with a link, and a link to all of them."""
    rows = (
        Transaction.objects.filter(member=member)
        .select_related("partner")
        .defer("digest", "data")
        .order_by("-version")[:ROWS]
    )
    shown = table(
        ["posted", "kind", "points", "partner", "reference"],
        (
            [
                format_html(
                    "<a class='underline' href='{}'>{}</a>",
                    reverse("admin:ledger_transaction_change", args=[row.pk]),
                    _moment(row.posted_at),
                ),
                row.get_kind_display(),
                ", ".join(f"{effect['points']:+,}" for effect in row.effects if effect["points"]),
                row.partner,
                row.reference or "",
            ]
            for row in rows
        ),
    )
    return format_html("{}{}", shown, _all_of("admin:ledger_transaction_changelist", member))


def vouchers_of(member: Member, at: datetime) -> str:
    """Return a member's latest vouchers, and a link to all of them."""
    rows = (
        Voucher.objects.filter(member=member).select_related("voucher_type").order_by("-pk")[:ROWS]
    )
    shown = table(
        ["voucher", "code", "status", "until"],
        (
            [
                row.voucher_type,
                codes.masked(row.hint),
                Voucher.Status(status_of(row, at)).label,
                _moment(row.expires_at),
            ]
            for row in rows
        ),
    )
    return format_html("{} {}", shown, _all_of("admin:vouchers_voucher_changelist", member))


def subscriptions_of(member: Member) -> str:
    """Return a member's subscriptions, newest first."""
    rows = Subscription.objects.filter(member=member).select_related("plan").order_by("-pk")[:ROWS]
    return table(
        ["plan", "status", "until"],
        ([row.plan, row.get_status_display(), _moment(row.period_to)] for row in rows),
    )


def segments_of(member: Member, at: datetime) -> str:
    """Return the codes of the active segments that a member is in."""
    held = SegmentMember.objects.filter(member=member).filter(Q(until=None) | Q(until__gt=at))
    found = Segment.objects.filter(pk__in=held.values("segment_id"), active=True)
    return ", ".join(found.order_by("code").values_list("code", flat=True)) or "-"
