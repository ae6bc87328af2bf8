"""What becomes of vouchers and tickets when their sale is taken back, whole or in part.

What the member keeps decides, as it does for points. What nobody has used is cancelled, the last
issued first; what was used, or drawn, stays, and the answer says so.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from django.db import connection

from ledger.kernel.book import Transaction
from ledger.services.posting import LockedBook
from promotions.engine.types import Reward
from promotions.services.rewarding import tickets
from promotions.services.rewarding.rewards import gift_of, give, row_of
from promotions.services.rewarding.tickets import TicketGift
from vouchers import codes
from vouchers.services import rewarding
from vouchers.services.rewarding import Gift


class StoredVoucher(msgspec.Struct, frozen=True):
    """A voucher that a posting gave, or (in a return) took back."""

    id: UUID


class StoredReward(msgspec.Struct, frozen=True):
    """A reward as it is stored with a posting; a return's `quantity` may be below zero."""

    version_id: int
    promotion: str
    version: int
    kind: str
    code: str
    quantity: int
    wanted: int = 0
    vouchers: list[StoredVoucher] = []
    tickets: list[int] = []
    treated: str | None = None


@dataclass(slots=True)
class HeldReward:
    """What a sale still has of a promotion version's rewards, in the order they were issued.

    `short` is what there was too little of when it was sold: no return makes up for it.
    """

    reward: Reward
    short: int = 0
    vouchers: list[UUID] = field(default_factory=list)
    tickets: list[int] = field(default_factory=list)

    @property
    def quantity(self) -> int:
        return len(self.vouchers) + len(self.tickets)


def held_of(stored: Iterable[Sequence[StoredReward]]) -> dict[int, HeldReward]:
    """Return what is held still, by version: what a sale gave, less what its returns took back."""
    held: dict[int, HeldReward] = {}
    for rows in stored:
        for row in rows:
            reward = Reward(row.version_id, row.promotion, row.version, row.kind, row.code, 0)
            each = held.setdefault(row.version_id, HeldReward(reward))
            named = [voucher.id for voucher in row.vouchers]
            if row.quantity < 0:
                each.vouchers = [key for key in each.vouchers if key not in named]
                # Counted, not named: an undone return may have given others for them.
                each.tickets = each.tickets[: len(each.tickets) - len(row.tickets)]
            else:
                each.vouchers += named
                each.tickets += row.tickets
                each.short += row.wanted - row.quantity
    return held


def post_changes(
    book: LockedBook,
    transaction: Transaction,
    held: Mapping[int, HeldReward],
    deserved: Sequence[Reward] = (),
) -> list[dict[str, Any]]:
    """Take back what is held and no longer deserved, and issue what now is; a step.

    `transaction` is the draft of the return or reversal: what it did is told in its data. Return
    the rows that are stored with its evaluation. Counters come before vouchers in the order of
    locks: what the return frees of budgets is held already (`budgets.hold`).
    """
    assert connection.in_atomic_block
    targets = {}
    for reward in deserved:
        known = held.get(reward.version_id)
        targets[reward.version_id] = max(0, reward.quantity - (known.short if known else 0))
    rows = _take_back(transaction, held, targets)
    rows += _give(book, transaction, held, deserved, targets)
    if rows:
        told = [_told(row) for row in rows]
        transaction.header.data = {**(transaction.header.data or {}), "rewards": told}
    return rows


def _take_back(
    transaction: Transaction, held: Mapping[int, HeldReward], targets: Mapping[int, int]
) -> list[dict[str, Any]]:
    at = transaction.posted_at
    less = {
        key: each.quantity - targets.get(key, 0)
        for key, each in sorted(held.items())
        if each.quantity > targets.get(key, 0)
    }
    of_vouchers = {key: many for key, many in less.items() if held[key].vouchers}
    rows = _take_vouchers(held, of_vouchers, at) if of_vouchers else []
    of_tickets = {key: many for key, many in less.items() if held[key].tickets}
    return rows + (_take_tickets(transaction, held, of_tickets) if of_tickets else [])


def _take_vouchers(
    held: Mapping[int, HeldReward], less: Mapping[int, int], at: datetime
) -> list[dict[str, Any]]:
    taken = rewarding.take_back(
        {key: (held[key].vouchers, many) for key, many in less.items()}, at=at
    )
    return [
        _row(held[key].reward, -len(found))
        | {
            "vouchers": [
                {
                    "id": each.voucher.pk,
                    "code": codes.masked(each.voucher.hint),
                    "treated": each.treated,
                }
                for each in found
            ]
        }
        for key, found in taken.items()
    ]


def _take_tickets(
    transaction: Transaction, held: Mapping[int, HeldReward], less: Mapping[int, int]
) -> list[dict[str, Any]]:
    wanted = {key: (held[key].reward.code, many) for key, many in less.items()}
    taken = tickets.take_back(_sale_of(transaction), wanted, at=transaction.posted_at)
    return [
        _row(held[key].reward, -len(found.numbers))
        | {"tickets": found.numbers, "treated": found.treated}
        for key, found in taken.items()
        if found.numbers
    ]


def _give(
    book: LockedBook,
    transaction: Transaction,
    held: Mapping[int, HeldReward],
    deserved: Sequence[Reward],
    targets: Mapping[int, int],
) -> list[dict[str, Any]]:
    """Issue what a return makes deserved, as where what kept it from standing came back."""
    gifts: list[tuple[Reward, Gift | TicketGift]] = []
    for reward in deserved:
        known = held.get(reward.version_id)
        more = targets[reward.version_id] - (known.quantity if known else 0)
        if more > 0:
            gift = gift_of(
                reward,
                more,
                member_id=book.book.member_id,
                partner_id=transaction.header.partner_id,
                origin_id=_sale_of(transaction),
                at=transaction.posted_at,
            )
            gifts.append((reward, gift))
    give([gift for _, gift in gifts])
    return [row_of(reward, gift) for reward, gift in gifts]


def _sale_of(transaction: Transaction) -> UUID:
    """Return the sale that a return or reversal is of: all its rewards come from there."""
    assert transaction.header.original is not None
    return transaction.header.original


def undo(
    book: LockedBook,
    transaction: Transaction,
    rows: Sequence[StoredReward],
    *,
    sale: UUID,
    taken_at: datetime,
) -> None:
    """Undo what a return did to rewards, as far as there are any still; a step.

    `transaction` is the draft that undoes the return of `sale`, whose rewards are `rows`; what it
    did is told in its data. Vouchers come back as they were, for tickets there are new ones.
    """
    assert connection.in_atomic_block
    at = transaction.posted_at
    gone = [row for row in rows if row.quantity < 0]
    more = [row for row in rows if row.quantity > 0]
    told = [_told(row) for row in _bring_back(gone, taken_at, at)]
    if lists := {n: ([v.id for v in row.vouchers], row.quantity) for n, row in enumerate(more)}:
        rewarding.take_back(lists, at=at)
    if won := {n: (row.code, row.quantity) for n, row in enumerate(more) if row.tickets}:
        tickets.take_back(sale, won, at=at)
    again = [row for row in gone if row.tickets and row.treated == "VOID"]
    gifts = [
        TicketGift(
            sweepstake=row.code,
            member_id=book.book.member_id,
            partner_id=transaction.header.partner_id,
            quantity=-row.quantity,
            origin_id=sale,
            at=at,
        )
        for row in again
    ]
    tickets.give(gifts)
    told += [
        _told(_plain(row) | {"quantity": len(gift.tickets), "tickets": gift.tickets})
        for row, gift in zip(again, gifts, strict=True)
    ]
    if told:
        transaction.header.data = {**(transaction.header.data or {}), "rewards": told}


def _bring_back(
    gone: Sequence[StoredReward], taken_at: datetime, at: datetime
) -> list[dict[str, Any]]:
    """Bring back the vouchers that a return took; return what is told of them."""
    keys = [each.id for row in gone for each in row.vouchers]
    if not keys:
        return []
    back = {each.pk: each for each in rewarding.give_back(keys, taken_at=taken_at, at=at)}
    told = []
    for row in gone:
        mine = [back[each.id] for each in row.vouchers if each.id in back]
        shown = [{"id": each.pk, "code": codes.masked(each.hint)} for each in mine]
        if mine:
            told.append(_plain(row) | {"quantity": len(mine), "vouchers": shown})
    return told


def _plain(row: StoredReward) -> dict[str, Any]:
    """Return a stored reward without what was given or taken of it."""
    names = ("version_id", "promotion", "version", "kind", "code")
    return {name: getattr(row, name) for name in names}


def _row(reward: Reward, quantity: int) -> dict[str, Any]:
    row = msgspec.structs.asdict(reward)
    return row | {"quantity": quantity}


def _told(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row as it is answered: whole codes are for the vouchers' own addresses."""
    hidden = ("version_id", "wanted")
    return {key: value for key, value in row.items() if key not in hidden}
