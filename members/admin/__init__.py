"""The back office's pages of members, by noun; a member's own is in `promotions.admin`."""

from members.admin import alias, card, duplicate, segment, stage, tier

__all__ = ["alias", "card", "duplicate", "segment", "stage", "tier"]
