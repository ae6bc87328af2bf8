"""What is known of a member beside its points: cards, aliases, and who was merged into it."""

from collections.abc import Container
from dataclasses import dataclass

from members.models import Alias, Card, Consent, Member
from members.queries.consents import consents_of


@dataclass(frozen=True, slots=True)
class Person:
    """A member with what hangs on it; a group that was not asked for is empty."""

    cards: tuple[Card, ...] = ()
    aliases: tuple[Alias, ...] = ()
    consents: tuple[Consent, ...] = ()
    merged_from: tuple[str, ...] = ()


def person_of(member_id: int, groups: Container[str]) -> Person:
    """Return these groups of what is known of a member. One query for each.

    Groups are `cards`, `aliases`, `consents` and `merged_from`.
    """
    cards = Card.objects.filter(member_id=member_id).select_related("successor")
    aliases = Alias.objects.filter(member_id=member_id).select_related("provider")
    merged = Member.objects.filter(merged_into_id=member_id)
    return Person(
        cards=tuple(cards.order_by("issued_at", "pk")) if "cards" in groups else (),
        aliases=tuple(aliases.order_by("provider__code", "pk")) if "aliases" in groups else (),
        consents=tuple(consents_of(member_id)) if "consents" in groups else (),
        merged_from=(
            tuple(merged.order_by("pk").values_list("number", flat=True))
            if "merged_from" in groups
            else ()
        ),
    )
