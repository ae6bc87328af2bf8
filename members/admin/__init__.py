"""The back office's pages of members, by noun."""

from members.admin import card, member, tier

__all__ = ["card", "member", "tier"]
