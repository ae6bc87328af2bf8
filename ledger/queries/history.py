"""Transactions as they are read: one, or a member's, newest first."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from ledger.kernel.book import Account, Effect
from ledger.kernel.book import Transaction as Draft
from ledger.models import Transaction
from ledger.queries.books import execute
from loyalty.money import places


class Posted(msgspec.Struct, kw_only=True):
    """A transaction as answers are made from, whether it was just drafted or was stored."""

    id: UUID
    member_id: int
    version: int
    kind: str
    partner_id: int
    reference: str | None
    sale: UUID | None
    original: UUID | None
    lock: UUID | None
    occurred_at: datetime
    posted_at: datetime
    amount: str | None
    currency: str | None
    outlet: str | None
    purpose: str | None
    reason: str | None
    tier_before: str | None
    tier_after: str | None
    effects: list[Effect]
    data: dict[str, Any]
    balances: list[Account] = []
    reversed_by: list[UUID] = []


def posted_of_draft(draft: Draft, member_id: int) -> Posted:
    """Return what was just drafted, in the shape in which it will be read."""
    header = draft.header
    return Posted(
        id=draft.id,
        member_id=member_id,
        version=draft.version,
        kind=str(header.kind),
        partner_id=header.partner_id,
        reference=header.reference,
        sale=header.sale,
        original=header.original,
        lock=header.lock,
        occurred_at=header.occurred_at,
        posted_at=draft.posted_at,
        amount=header.amount,
        currency=header.currency,
        outlet=header.outlet,
        purpose=header.purpose,
        reason=header.reason,
        tier_before=header.tier_before,
        tier_after=header.tier_after,
        effects=draft.effects,
        # What is stored as JSON reads back as JSON; let the first answer be the same.
        data=msgspec.json.decode(msgspec.json.encode(header.data or {})),
        balances=draft.balances,
    )


def posted_of_row(row: Transaction) -> Posted:
    """Return a stored transaction, without its balances."""
    return Posted(
        id=row.pk,
        member_id=row.member_id,
        version=row.version,
        kind=row.kind,
        partner_id=row.partner_id,
        reference=row.reference,
        sale=row.sale,
        original=row.original,
        lock=row.lock,
        occurred_at=row.occurred_at,
        posted_at=row.posted_at,
        amount=_plain(row.amount, row.currency),
        currency=row.currency,
        outlet=row.outlet,
        purpose=row.purpose,
        reason=row.reason,
        tier_before=row.tier_before,
        tier_after=row.tier_after,
        effects=[msgspec.convert(effect, Effect) for effect in row.effects],
        data=row.data or {},
    )


def _plain(amount: Any, currency: str | None) -> str | None:
    """Return stored money with the places of its currency."""
    return None if amount is None else f"{amount:.{places(currency or '')}f}"


def posted(transaction_id: UUID) -> Posted:
    """Return a stored transaction with the balances after it, as its first answer had them."""
    found = posted_of_row(Transaction.objects.get(pk=transaction_id))
    found.balances = balances_at(found.member_id, found.version)
    return found


def balances_at(member_id: int, version: int) -> list[Account]:
    """Return a member's balances after a version: the last figures of each point type by then."""
    row = execute(
        """
        SELECT coalesce(json_agg(json_build_object(
            'point_type', (f ->> 'type')::bigint, 'available', (f ->> 'available')::bigint,
            'pending', (f ->> 'pending')::bigint, 'locked', (f ->> 'locked')::bigint,
            'debt', (f ->> 'debt')::bigint) ORDER BY (f ->> 'type')::bigint), '[]')::text
        FROM (
            SELECT DISTINCT ON (f ->> 'type') f
            FROM ledger_transaction t, jsonb_array_elements(t.effects) f
            WHERE t.member_id = %s AND t.version <= %s
            ORDER BY f ->> 'type', t.version DESC
        ) last
        """,
        (member_id, version),
    )
    return msgspec.json.decode(row[0], type=list[Account])


class HistoryFilter(msgspec.Struct, frozen=True):
    """Which transactions of a member: by till's time or by ours, by kind, by point type."""

    member_id: int
    start: datetime | None = None
    end: datetime | None = None
    by_posted: bool = False
    kinds: tuple[str, ...] = ()
    point_type: int | None = None


def member_history(wanted: HistoryFilter, *, before: int | None, limit: int) -> list[Posted]:
    """Return a member's transactions before a version, newest first. Two queries.

    The index on (member, version) carries the page, so it costs the same at any depth.
    """
    rows = Transaction.objects.filter(member_id=wanted.member_id).order_by("-version")
    clock = "posted_at" if wanted.by_posted else "occurred_at"
    if before is not None:
        rows = rows.filter(version__lt=before)
    if wanted.start is not None:
        rows = rows.filter(**{f"{clock}__gte": wanted.start})
    if wanted.end is not None:
        rows = rows.filter(**{f"{clock}__lt": wanted.end})
    if wanted.kinds:
        rows = rows.filter(kind__in=wanted.kinds)
    if wanted.point_type is not None:
        rows = rows.filter(effects__contains=[{"type": wanted.point_type}])
    page = [posted_of_row(row) for row in rows[:limit]]
    reversals = reversals_of(each.id for each in page)
    for each in page:
        each.reversed_by = reversals.get(each.id, [])
    return page


def reversals_of(ids: Iterable[UUID]) -> dict[UUID, list[UUID]]:
    """Return, for each of these transactions, those that reverse or return it."""
    found: dict[UUID, list[UUID]] = {}
    undoing = ["EARN_REVERSAL", "RETURN", "REDEMPTION_REVERSAL", "RETURN_REVERSAL", "UNLOCK"]
    rows = Transaction.objects.filter(original__in=list(ids), kind__in=undoing)
    for original, key in rows.order_by("version").values_list("original", "id"):
        if original is not None:
            found.setdefault(original, []).append(key)
    return found
