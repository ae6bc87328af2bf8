"""The back office's pages of cards, stages and tiers; a member's own is in `promotions.admin`."""

from members.admin import card, stage, tier

__all__ = ["card", "stage", "tier"]
