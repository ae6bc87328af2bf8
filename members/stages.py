"""What each stage of a membership allows (API.md 1). Reversals and returns work in every stage."""

_EARN = frozenset({"PENDING", "ACTIVE", "EXPIRED"})
_REDEEM = frozenset({"ACTIVE"})


def may_earn(stage: str) -> bool:
    """Return whether members of this stage earn points."""
    return stage in _EARN


def may_redeem(stage: str) -> bool:
    """Return whether members of this stage spend points."""
    return stage in _REDEEM


_SIGN_IN = frozenset({"PENDING", "ACTIVE", "SUSPENDED", "EXPIRED"})


def may_sign_in(stage: str) -> bool:
    """Return whether members of this stage may open a session."""
    return stage in _SIGN_IN


_HOLD_CARDS = _SIGN_IN


def may_hold_cards(stage: str) -> bool:
    """Return whether members of this stage are given cards and aliases."""
    return stage in _HOLD_CARDS
