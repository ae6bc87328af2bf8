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
from promotions.services import tickets
from promotions.services.rewards import gift_of, give, row_of
from promotions.services.tickets import TicketGift
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
                each.tickets = [number for number in each.tickets if number not in row.tickets]
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
    at, targets = transaction.posted_at, {}
    for reward in deserved:
        known = held.get(reward.version_id)
        targets[reward.version_id] = max(0, reward.quantity - (known.short if known else 0))
    rows = _take_back(held, targets, at)
    rows += _give(book, transaction, held, deserved, targets)
    if rows:
        told = [_told(row) for row in rows]
        transaction.header.data = {**(transaction.header.data or {}), "rewards": told}
    return rows


def _take_back(
    held: Mapping[int, HeldReward], targets: Mapping[int, int], at: datetime
) -> list[dict[str, Any]]:
    less = {
        key: each.quantity - targets.get(key, 0)
        for key, each in sorted(held.items())
        if each.quantity > targets.get(key, 0)
    }
    of_vouchers = {key: many for key, many in less.items() if held[key].vouchers}
    rows = _take_vouchers(held, of_vouchers, at) if of_vouchers else []
    of_tickets = {key: many for key, many in less.items() if held[key].tickets}
    return rows + (_take_tickets(held, of_tickets, at) if of_tickets else [])


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
    held: Mapping[int, HeldReward], less: Mapping[int, int], at: datetime
) -> list[dict[str, Any]]:
    taken = tickets.take_back(
        {key: (held[key].reward.code, held[key].tickets, many) for key, many in less.items()},
        at=at,
    )
    return [
        _row(held[key].reward, -len(found.numbers))
        | {"tickets": found.numbers, "treated": found.treated}
        for key, found in taken.items()
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
                origin_id=transaction.id,
                at=transaction.posted_at,
            )
            gifts.append((reward, gift))
    give([gift for _, gift in gifts])
    return [row_of(reward, gift) for reward, gift in gifts]


def _row(reward: Reward, quantity: int) -> dict[str, Any]:
    row = msgspec.structs.asdict(reward)
    return row | {"quantity": quantity}


def _told(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row as it is answered: whole codes are for the vouchers' own addresses."""
    hidden = ("version_id", "wanted")
    return {key: value for key, value in row.items() if key not in hidden}
