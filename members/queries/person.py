"""What is known of a member beside its points: cards, aliases, and who was merged into it."""

from collections.abc import Iterable
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


def person_of(member_id: int, groups: Iterable[str]) -> Person:
    """Return these groups of what is known of a member. One query for each.

    Groups are `cards`, `aliases`, `consents` and `merged_from`.
    """
    readers = {
        "cards": lambda: Card.objects.filter(member_id=member_id)
        .select_related("successor")
        .order_by("issued_at", "pk"),
        "aliases": lambda: Alias.objects.filter(member_id=member_id)
        .select_related("provider")
        .order_by("provider__code", "pk"),
        "consents": lambda: consents_of(member_id),
        "merged_from": lambda: Member.objects.filter(merged_into_id=member_id)
        .order_by("pk")
        .values_list("number", flat=True),
    }
    return Person(**{name: tuple(read()) for name, read in readers.items() if name in groups})
