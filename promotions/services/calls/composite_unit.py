"""A composite call under way: what was asked for, on the book of its member."""

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

import uuid_utils.compat

from ledger.queries.books import Lots
from ledger.queries.configuration import Configuration
from ledger.services.burning import Burn, Spender
from ledger.services.checks import StepUpNeeded
from ledger.services.posting import LockedBook
from loyalty.caller import Actor
from loyalty.secret import Secret
from promotions.services.budgets import Purse
from promotions.services.calls.payment import VoucherToUse
from promotions.services.earning import EarnRequest
from promotions.services.facts import Known
from promotions.services.returns import ReturnRequest
from promotions.services.tiers.standings import Standing


@dataclass(frozen=True, slots=True, kw_only=True)
class CompositeRequest:
    """A call as a till sent it: `earn` is its purchase, with the till's own tenders.

    Vouchers were looked up; `benefits` are codes with quantities.
    """

    earn: EarnRequest
    by: Actor
    returns: tuple[ReturnRequest, ...] = ()
    vouchers: tuple[VoucherToUse, ...] = ()
    benefits: tuple[tuple[str, int], ...] = ()
    burns: tuple[Burn, ...] = ()
    step_up: Secret | None = None

    @property
    def spender(self) -> Spender:
        """Who burns points."""
        basket = self.earn.basket
        return Spender(
            partner_id=self.earn.partner_id,
            occurred_at=basket.occurred_at,
            offline=self.earn.offline,
        )

    @property
    def lots(self) -> Lots:
        """Which lots have to be loaded."""
        return Lots.ALL if self.returns or self.burns else Lots.DUE


@dataclass(slots=True)
class Unit:
    """A call under way on its member's book."""

    book: LockedBook
    settings: Configuration
    standing: Standing
    known: Known
    purse: Purse
    at: datetime
    sale: UUID = field(default_factory=uuid_utils.compat.uuid7)
    step_up: StepUpNeeded | None = None
