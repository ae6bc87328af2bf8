"""The tables of promotions, by noun."""

from promotions.models.promotion import (
    BudgetSlot,
    Evaluation,
    EventType,
    LimitCounter,
    MemberEvent,
    Promotion,
    PromotionApproval,
    PromotionStatus,
    PromotionVersion,
)
from promotions.models.sweepstake import Draw, Prize, Sweepstake, Ticket, Winner

__all__ = [
    "BudgetSlot",
    "Draw",
    "Evaluation",
    "EventType",
    "LimitCounter",
    "MemberEvent",
    "Prize",
    "Promotion",
    "PromotionApproval",
    "PromotionStatus",
    "PromotionVersion",
    "Sweepstake",
    "Ticket",
    "Winner",
]
