"""The back office's pages of cards, aliases, stages and tiers; a member's is in `promotions`."""

from members.admin import alias, card, stage, tier

__all__ = ["alias", "card", "stage", "tier"]
