"""Who may enter a sweepstake."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime

from members.models import Member
from members.queries.segments import segment_codes
from promotions.models import Sweepstake


@dataclass(frozen=True, slots=True)
class Entrant:
    """A member as sweepstakes ask of it."""

    id: int
    tier: str
    stage: str
    born: date | None
    country: str | None
    segments: frozenset[str] = frozenset()


def entrants(member_ids: Iterable[int]) -> dict[int, Entrant]:
    """Return members as sweepstakes ask of them, without their segments. One query."""
    rows = Member.objects.filter(pk__in=set(member_ids)).values_list(
        "pk", "tier__code", "stage", "birth_date", "address__country"
    )
    return {row[0]: Entrant(*row) for row in rows}


def entrant(member_id: int, at: datetime) -> Entrant:
    """Return a member with its segments. Two queries."""
    return entrant_of(Member.objects.select_related("tier").get(pk=member_id), at)


def entrant_of(member: Member, at: datetime) -> Entrant:
    """Return a member that was read, with its segments. One query."""
    return Entrant(
        member.pk,
        member.tier.code,
        member.stage,
        member.birth_date,
        member.address.get("country"),
        frozenset(segment_codes(member.pk, at)),
    )


def keeps_out(sweepstake: Sweepstake, who: Entrant, on: date) -> str | None:
    """Return why a member may not enter; None if it may."""
    if reason := forbids(sweepstake, who, on):
        return reason
    if sweepstake.stages and who.stage not in sweepstake.stages:
        return "STAGE"
    if sweepstake.tiers and who.tier not in sweepstake.tiers:
        return "TIER"
    if sweepstake.segments and not who.segments.intersection(sweepstake.segments):
        return "SEGMENT"
    return None


def forbids(sweepstake: Sweepstake, who: Entrant, on: date) -> str | None:
    """Return why the law keeps a member out, whoever gives the ticket: age, or where it lives."""
    if sweepstake.min_age is not None:
        if who.born is None:
            return "AGE_UNKNOWN"
        if _age(who.born, on) < sweepstake.min_age:
            return "AGE"
    if sweepstake.countries and who.country not in sweepstake.countries:
        return "REGION"
    return None


def _age(born: date, on: date) -> int:
    return on.year - born.year - ((on.month, on.day) < (born.month, born.day))
