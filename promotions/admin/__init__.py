"""The back office's pages of promotions, and of members: all about one, with what apps below hold.

A member's page stands here as the API's Member Info does: in the highest app that it needs.
"""

from promotions.admin import ladder, member, promotion

__all__ = ["ladder", "member", "promotion"]
