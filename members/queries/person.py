"""What is known of a member beside its points: cards, aliases, consents, segments, merges."""

from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from django.db.models import Q

from members.models import Alias, Card, Consent, Member, SegmentMember
from members.queries.consents import consents_of, defaults


@dataclass(frozen=True, slots=True)
class Person:
    """A member with what hangs on it; a group that was not asked for is empty."""

    cards: tuple[Card, ...] = ()
    aliases: tuple[Alias, ...] = ()
    consents: tuple[Consent, ...] = ()
    consent_defaults: Mapping[str, bool] = field(default_factory=dict)
    merged_from: tuple[str, ...] = ()
    segments: tuple[SegmentMember, ...] = ()


def person_of(member_id: int, groups: Container[str], *, at: datetime) -> Person:
    """Return these groups of what is known of a member at `at`. One query each, consents two.

    Groups are `cards`, `aliases`, `consents`, `merged_from` and `segments`.
    """
    cards = Card.objects.filter(member_id=member_id).select_related("successor")
    aliases = Alias.objects.filter(member_id=member_id).select_related("provider")
    segments = SegmentMember.objects.filter(
        Q(until=None) | Q(until__gt=at), member_id=member_id, segment__active=True
    ).select_related("segment")
    merged = Member.objects.filter(merged_into_id=member_id)
    return Person(
        cards=tuple(cards.order_by("issued_at", "pk")) if "cards" in groups else (),
        aliases=tuple(aliases.order_by("provider__code", "pk")) if "aliases" in groups else (),
        consents=tuple(consents_of(member_id)) if "consents" in groups else (),
        consent_defaults=defaults() if "consents" in groups else {},
        merged_from=(
            tuple(merged.order_by("pk").values_list("number", flat=True))
            if "merged_from" in groups
            else ()
        ),
        segments=tuple(segments.order_by("segment__code")) if "segments" in groups else (),
    )
