"""Vouchers and tickets that promotions give: issued once per unit, just before it is written.

Every unit that stores evaluations comes by here (`awarding.recording`), so that all its rewards
are issued in lock order: books, counters, vouchers' stock by type, sweepstakes. What cannot be
issued refuses nothing: the answer tells it as a near miss, and it uses up no limit or budget.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Protocol
from uuid import UUID

from django.db import connection

from promotions.engine.types import NEAR_MISSES_MAX, NearMiss, Reward
from promotions.services.budgets import BudgetKey
from promotions.services.rewarding import tickets
from promotions.services.rewarding.tickets import TicketGift
from vouchers.services import rewarding
from vouchers.services.rewarding import Gift


@dataclass(slots=True, kw_only=True)
class Record:
    """What is stored beside a posting: its evaluation, and what it counts for the member.

    `due` are the rewards that are still to be issued.
    """

    evaluation: dict[str, Any]
    counts: list[dict[str, Any]]
    partner_id: int
    at: datetime
    due: Sequence[Reward] = ()

    @property
    def result(self) -> dict[str, Any]:
        """The evaluation's result: enough to answer a replay by itself."""
        result: dict[str, Any] = self.evaluation["result"]
        return result


class GivesBack(Protocol):
    """Where budgets go back to that were claimed and are not needed."""

    def give_back(self, key: BudgetKey, amount: int, /) -> None:
        """Take back what was granted and not needed."""


def issue(records: Sequence[Record], purse: GivesBack | None) -> None:
    """Issue what is due, and put what was issued into the records' results; a step.

    No statement where nothing is due.
    """
    rewarded = [record for record in records if record.due]
    if not rewarded:
        return
    assert connection.in_atomic_block
    gifts = {
        (place, each.version_id): _gift(record, each)
        for place, record in enumerate(rewarded)
        for each in record.due
    }
    give(gifts.values())
    for place, record in enumerate(rewarded):
        rows: list[dict[str, Any]] = []
        misses: list[NearMiss] = []
        for reward in record.due:
            gift = gifts[place, reward.version_id]
            rows.append(row_of(reward, gift))
            if gift.short is not None:
                misses.append(_miss(reward, gift))
            if not given_by(gift):
                _free(record, reward, purse)
        record.result["rewards"] = rows
        record.due = ()
        if misses:
            known = record.result["near_misses"]
            record.result["near_misses"] = [*misses, *known][:NEAR_MISSES_MAX]


def _gift(record: Record, reward: Reward) -> Gift | TicketGift:
    return gift_of(
        reward,
        reward.quantity,
        member_id=record.evaluation["member_id"],
        partner_id=record.partner_id,
        origin_id=record.evaluation["transaction_id"],
        at=record.at,
    )


def gift_of(
    reward: Reward,
    quantity: int,
    *,
    member_id: int,
    partner_id: int,
    origin_id: UUID,
    at: datetime,
) -> Gift | TicketGift:
    """Return what is to be given for a reward; nothing is yet."""
    if reward.kind == "TICKET":
        return TicketGift(
            sweepstake=reward.code,
            member_id=member_id,
            partner_id=partner_id,
            quantity=quantity,
            origin_id=origin_id,
            at=at,
        )
    return Gift(
        voucher_type=reward.code,
        member_id=member_id,
        partner_id=partner_id,
        quantity=quantity,
        origin_id=origin_id,
        at=at,
    )


def give(gifts: Collection[Gift | TicketGift]) -> None:
    """Give vouchers, then tickets, as far as there are any; a step."""
    rewarding.give([gift for gift in gifts if isinstance(gift, Gift)])
    tickets.give([gift for gift in gifts if isinstance(gift, TicketGift)])


def given_by(gift: Gift | TicketGift) -> int:
    """Return how many vouchers or tickets a gift came to."""
    return len(gift.vouchers if isinstance(gift, Gift) else gift.tickets)


def row_of(reward: Reward, gift: Gift | TicketGift) -> dict[str, Any]:
    """Return what is stored of a reward, also of one that came to nothing.

    Codes are kept by the vouchers, sealed.
    """
    row: dict[str, Any] = {
        "version_id": reward.version_id,
        "promotion": reward.promotion,
        "version": reward.version,
        "kind": reward.kind,
        "code": reward.code,
        "wanted": gift.quantity,
        "quantity": given_by(gift),
    }
    if isinstance(gift, TicketGift):
        return row | {"tickets": gift.tickets}
    return row | {
        "vouchers": [
            {"id": each.pk, "valid_from": each.valid_from, "expires_at": each.expires_at}
            for each in gift.vouchers
        ]
    }


def _miss(reward: Reward, gift: Gift | TicketGift) -> NearMiss:
    assert gift.short is not None
    missing = gift.quantity - given_by(gift)
    return NearMiss(reward.promotion, reward.version, gift.short, str(missing))


def _free(record: Record, reward: Reward, purse: GivesBack | None) -> None:
    """Let a reward that came to nothing use up no limit and no budget."""
    kept = []
    for use in record.result.get("uses", []):
        if use["version_id"] != reward.version_id:
            kept.append(use)
        elif use["per"] != "MEMBER" and purse is not None:
            purse.give_back(_key_of(use), use["amount"])
    if "uses" in record.result:
        record.result["uses"] = kept
    record.counts = [each for each in record.counts if each["promotion"] != reward.promotion]


def _key_of(use: Mapping[str, Any]) -> BudgetKey:
    start: date = use["start"]
    return BudgetKey(use["promotion"], use["per"], use["period"], start, use["measure"])
