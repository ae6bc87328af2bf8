"""The back office's pages of cards and tiers, by noun; a member's own is in `promotions.admin`."""

from members.admin import card, tier

__all__ = ["card", "tier"]
