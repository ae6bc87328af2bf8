"""Since when a fact of members is kept with evaluations: since a live promotion asks for it."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import msgspec
from django.db.models import Min

from promotions.engine.types import MemberFacts
from promotions.engine.versions import Version
from promotions.models import Promotion, PromotionStatus, PromotionVersion
from promotions.queries.history import Today

# By the name of a fact, or `segment CODE`: since when evaluations were told of it.
Recorded = Mapping[str, datetime]
ALL_SEGMENTS = "member.segments"
_FIELDS = {
    "member.language": "language",
    "member.birth_date": "born",
    "member.birth_month": "born",
    "member.birth_day": "born",
    "member.age": "born",
    "member.joined_at": "joined_at",
    "member.joined_days": "joined_at",
}


def recorded_since(versions: Iterable[Version]) -> Recorded:
    """Return since when each fact was asked for by a version that is or was live. Two queries."""
    made = dict(PromotionVersion.objects.values_list("pk", "created_at"))
    live = dict(
        PromotionStatus.objects.filter(status=Promotion.Status.LIVE)
        .values_list("promotion__code")
        .annotate(Min("since"))
    )
    since: dict[str, datetime] = {}
    for version in versions:
        at = max(made[version.id], live[version.promotion])
        for name in _asked(version):
            since[name] = min(at, since.get(name, at))
    return since


def _asked(version: Version) -> set[str]:
    named = {f"segment {code}" for code in version.segments | version.not_segments}
    profile = {
        _FIELDS.get(name, name)
        for name in version.asks
        if name in _FIELDS or name.startswith("member.attributes.") or name == ALL_SEGMENTS
    }
    return named | profile


def complete(
    member: MemberFacts, draft: Version, recorded: Recorded, today: Today, posted_at: datetime
) -> MemberFacts:
    """Return a member's facts with those of today that the draft asks for and nobody did then.

    The same object where nothing is missing.
    """
    missing = {name for name in _asked(draft) if name not in recorded or posted_at < recorded[name]}
    if not missing:
        return member
    changes: dict[str, Any] = {
        name: getattr(today, name) for name in ("language", "born", "joined_at") if name in missing
    }
    keys = [name[18:] for name in missing if name.startswith("member.attributes.")]
    if keys:
        known = {key: today.attributes[key] for key in keys if key in today.attributes}
        changes["attributes"] = {**member.attributes, **known}
    codes = _segments_of(missing, recorded, today, posted_at)
    if codes is not None:
        changes["segments"] = tuple(sorted({*member.segments, *codes}))
    return msgspec.structs.replace(member, **changes)


def _segments_of(
    missing: set[str], recorded: Recorded, today: Today, posted_at: datetime
) -> set[str] | None:
    """Return the segments of today that nobody asked for then; None where none is missing."""
    all_known = recorded.get(ALL_SEGMENTS)
    if all_known is not None and posted_at >= all_known:
        return None
    if ALL_SEGMENTS in missing:
        told = {name for name, since in recorded.items() if posted_at >= since}
        return {code for code in today.segments if f"segment {code}" not in told}
    named = {name.removeprefix("segment ") for name in missing if name.startswith("segment ")}
    return named & today.segments if named else None
