"""What each stage of a membership allows, and which may follow which (API.md 1).

Reversals and returns work in every stage. The programme may change what PENDING, SUSPENDED and
EXPIRED allow (`members.queries.stages`); without its word, the contract's table stands.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Permissions:
    """What members of a stage may do; `contact` is NO, SERVICE, or CONSENT (as they agreed)."""

    earn: bool
    redeem: bool
    sign_in: bool
    contact: str


# A merged member is asked as its survivor, before its own stage is looked at.
DEFAULTS: Mapping[str, Permissions] = MappingProxyType(
    {
        "PENDING": Permissions(earn=True, redeem=False, sign_in=True, contact="SERVICE"),
        "ACTIVE": Permissions(earn=True, redeem=True, sign_in=True, contact="CONSENT"),
        "SUSPENDED": Permissions(earn=False, redeem=False, sign_in=True, contact="SERVICE"),
        "DISABLED": Permissions(earn=False, redeem=False, sign_in=False, contact="NO"),
        "EXPIRED": Permissions(earn=True, redeem=False, sign_in=True, contact="CONSENT"),
        "MERGED": Permissions(earn=False, redeem=False, sign_in=False, contact="NO"),
        "CLOSED": Permissions(earn=False, redeem=False, sign_in=False, contact="NO"),
    }
)
CHANGEABLE = ("PENDING", "SUSPENDED", "EXPIRED")

# PENDING comes back only to those who are not verified yet: from a suspension or a mistake.
# MERGED is entered by a merge and left by an unmerge alone, CLOSED never left.
TRANSITIONS: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "PENDING": frozenset({"ACTIVE", "SUSPENDED", "DISABLED", "EXPIRED", "CLOSED"}),
        "ACTIVE": frozenset({"SUSPENDED", "DISABLED", "EXPIRED", "CLOSED"}),
        "SUSPENDED": frozenset({"PENDING", "ACTIVE", "DISABLED", "EXPIRED", "CLOSED"}),
        "DISABLED": frozenset({"PENDING", "ACTIVE", "SUSPENDED", "CLOSED"}),
        "EXPIRED": frozenset({"ACTIVE", "SUSPENDED", "DISABLED", "CLOSED"}),
        "MERGED": frozenset(),
        "CLOSED": frozenset(),
    }
)
FINAL = frozenset(stage for stage, later in TRANSITIONS.items() if not later)


def may_change(before: str, after: str) -> bool:
    """Return whether a member may be moved from one stage to another."""
    return after in TRANSITIONS[before]


def leading_to(stage: str) -> list[str]:
    """Return the stages from which members may be moved to this one."""
    return [before for before, later in TRANSITIONS.items() if stage in later]


def may_earn(stage: str, allowed: Mapping[str, Permissions] = DEFAULTS) -> bool:
    """Return whether members of this stage earn points."""
    return allowed[stage].earn


def may_redeem(stage: str, allowed: Mapping[str, Permissions] = DEFAULTS) -> bool:
    """Return whether members of this stage spend points."""
    return allowed[stage].redeem


def may_sign_in(stage: str, allowed: Mapping[str, Permissions] = DEFAULTS) -> bool:
    """Return whether members of this stage may open a session."""
    return allowed[stage].sign_in


_HOLD_CARDS = frozenset({"PENDING", "ACTIVE", "SUSPENDED", "EXPIRED"})


def may_hold_cards(stage: str) -> bool:
    """Return whether members of this stage are given cards and aliases."""
    return stage in _HOLD_CARDS
