"""The back office's pages of promotions, and of members: all about one, with what apps below hold.

A member's page stands here as the API's Member Info does: in the highest app that it needs.
"""

from promotions.admin import event_type, ladder, member, promotion, sweepstake

__all__ = ["event_type", "ladder", "member", "promotion", "sweepstake"]
