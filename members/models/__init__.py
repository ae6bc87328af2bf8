"""The tables of members, by noun."""

from members.models.activity import Activity
from members.models.alias import Alias, ReleasedAlias
from members.models.card import Card, CardRange
from members.models.consent import Consent
from members.models.currency import MemberCurrency
from members.models.enrolment import DuplicateFlag, Enrolment
from members.models.ladder import LadderVersion, TierCheck, TierMeasure, TierOverride
from members.models.member import Member
from members.models.merge import Merge
from members.models.segment import Segment, SegmentMember
from members.models.session import Credential, Session
from members.models.stage import StagePermission
from members.models.tier import Tier
from members.models.verification import RedemptionThreshold, StepUp, Verification

__all__ = [
    "Activity",
    "Alias",
    "Card",
    "CardRange",
    "Consent",
    "Credential",
    "DuplicateFlag",
    "Enrolment",
    "LadderVersion",
    "Member",
    "MemberCurrency",
    "Merge",
    "RedemptionThreshold",
    "ReleasedAlias",
    "Segment",
    "SegmentMember",
    "Session",
    "StagePermission",
    "StepUp",
    "Tier",
    "TierCheck",
    "TierMeasure",
    "TierOverride",
    "Verification",
]
