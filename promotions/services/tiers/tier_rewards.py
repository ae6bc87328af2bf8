"""What promotions give for a move between tiers."""

from uuid import UUID

from ledger.services.posting import LockedBook
from partners.queries import house
from promotions.services.budgets import Purse
from promotions.services.occasions import Occasion, post_bonus
from promotions.services.snapshot import snapshot_of
from promotions.services.tiers import tiering
from promotions.services.tiers.standings import Standing, posted_at

TRIGGER = "TIER_CHANGE"


def reward_move(
    standing: Standing,
    book: LockedBook,
    before: str,
    *,
    purse: Purse,
    sale: UUID | None = None,
) -> None:
    """Reward that a member no longer holds the tier `before`; a step on a settled book.

    What is given counts towards tiers as all points do, and may move the member once more; that is
    rewarded, too. The records are the standing's, to be written with the books. `sale` is the earn
    that moved the member, if one did: with it the reward is taken back.
    """
    while standing.held.tier != before and rewards_moves(standing):
        after = standing.held.tier
        bonus = post_bonus(book, _occasion(standing, book, before, sale), purse=purse, tier=after)
        if bonus.transaction is None or bonus.record is None:
            return
        standing.records.append(bonus.record)
        tiering.add_bonus(standing, book, bonus.transaction)
        before = after


def rewards_moves(standing: Standing) -> bool:
    """Return whether any promotion rewards moves between tiers."""
    return TRIGGER in snapshot_of(standing.settings).triggers


def climbed(standing: Standing, before: str) -> bool:
    """Return whether a member holds a higher tier than the one before."""
    ladder = standing.ladder
    return ladder is not None and ladder.rung(standing.held.tier).rank > ladder.rung(before).rank


def _occasion(standing: Standing, book: LockedBook, before: str, sale: UUID | None) -> Occasion:
    programme, after = house(), standing.held.tier
    ladder = standing.ladder
    up = ladder is None or ladder.rung(after).rank > ladder.rung(before).rank
    return Occasion(
        trigger=TRIGGER,
        occurred_at=posted_at(book),
        partner_id=programme.pk,
        partner_code=programme.code,
        sale=sale,
        attributes={"before": before, "after": after, "up": up},
    )
