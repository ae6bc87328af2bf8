"""What becomes of two members' own rows when they are merged, or parted again. Steps."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import Count

from loyalty import token_cache
from loyalty.caller import Actor
from loyalty.models import Program
from loyalty.services import outbox
from members.models import (
    Alias,
    Card,
    Consent,
    DuplicateFlag,
    Member,
    Merge,
    Segment,
    SegmentMember,
    Session,
)
from members.queries.consents import consents_of
from members.services import activity


@dataclass(frozen=True, slots=True)
class Conflict:
    """A rule of the programme that the survivor is above once both are one; nothing is lost."""

    kind: str
    about: str
    held: int
    at_most: int


def lock_two(giver_id: int, taker_id: int) -> tuple[Member, Member]:
    """Lock both members' rows in key order, after their books; return them, giver first."""
    assert connection.in_atomic_block
    rows = {
        row.pk: row
        for row in Member.objects.select_for_update(of=("self",), no_key=True)
        .filter(pk__in=[giver_id, taker_id])
        .order_by("pk")
    }
    return rows[giver_id], rows[taker_id]


def conflicts_of(giver_id: int, taker_id: int) -> list[Conflict]:
    """Return which limits the survivor would be above. Three queries."""
    found = []
    both = [giver_id, taker_id]
    aliases = (
        Alias.objects.filter(member__in=both)
        .values_list("provider__code", "provider__max_per_member")
        .annotate(held=Count("pk"))
        .order_by("provider__code")
    )
    for code, at_most, held in aliases:
        if held > at_most:
            found.append(Conflict("ALIASES", code, held, at_most))
    cards = Card.objects.filter(member__in=both, status=Card.Status.ACTIVE).count()
    if cards > 1 and not Program.objects.values_list("several_cards", flat=True).get(pk=1):
        found.append(Conflict("CARDS", "ACTIVE", cards, 1))
    return found


def take_over(giver: Member, taker: Member, *, by: Actor, at: datetime) -> dict[str, Any]:
    """Give the taker the cards, aliases, sessions and consents of the giver; return what moved.

    The survivor's profile, credentials, limits and currency stand. Of consents the latest word
    counts, whoever of the two gave it. Two open sessions of one person stay two.
    """
    moved: dict[str, Any] = {
        "cards": _move(Card, giver.pk, taker.pk),
        "aliases": _move(Alias, giver.pk, taker.pk),
        "sessions": _move(Session, giver.pk, taker.pk, ended_at=None),
        "consents": _take_consents(giver.pk, taker.pk, at),
        **_take_segments(giver.pk, taker.pk),
    }
    DuplicateFlag.objects.filter(
        earlier=min(giver.pk, taker.pk), later=max(giver.pk, taker.pk)
    ).update(status=DuplicateFlag.Status.MERGED, resolved_at=at, resolved_by=by.name)
    token_cache.clear()
    return moved


def _move(model: Any, giver_id: int, taker_id: int, **condition: Any) -> list[str]:
    rows = model.objects.filter(member_id=giver_id, **condition)
    keys = list(rows.order_by("pk").select_for_update().values_list("pk", flat=True))
    model.objects.filter(pk__in=keys).update(member_id=taker_id)
    return [str(key) for key in keys]


def _take_segments(giver_id: int, taker_id: int) -> dict[str, list[dict[str, Any]]]:
    """Move the giver's places in static segments; dynamic ones follow their own condition.

    Returns the places that it left, and the segments that the taker was not in before.
    """
    static = Segment.objects.filter(kind=Segment.Kind.STATIC).values("pk")
    places = SegmentMember.objects.filter(member_id=giver_id, segment__in=static)
    left: list[Any] = list(places.values("segment_id", "since", "until"))
    there = set(
        SegmentMember.objects.filter(
            member_id=taker_id, segment_id__in=[each["segment_id"] for each in left]
        ).values_list("segment_id", flat=True)
    )
    entered = [each for each in left if each["segment_id"] not in there]
    SegmentMember.objects.bulk_create(SegmentMember(member_id=taker_id, **each) for each in entered)
    places.delete()
    return {
        "segments": [_plain(each) for each in left],
        "segments_entered": [{"segment_id": each["segment_id"]} for each in entered],
    }


def _plain(place: dict[str, Any]) -> dict[str, Any]:
    return {
        "segment_id": place["segment_id"],
        "since": place["since"].isoformat(),
        "until": place["until"].isoformat() if place["until"] else None,
    }


def _give_segments_back(merge: Merge) -> int:
    entered = [each["segment_id"] for each in merge.moved.get("segments_entered", [])]
    SegmentMember.objects.filter(member_id=merge.taker_id, segment_id__in=entered).delete()
    left = merge.moved.get("segments", [])
    SegmentMember.objects.bulk_create(
        (
            SegmentMember(
                member_id=merge.giver_id,
                segment_id=each["segment_id"],
                since=datetime.fromisoformat(each["since"]),
                until=datetime.fromisoformat(each["until"]) if each["until"] else None,
            )
            for each in left
        ),
        ignore_conflicts=True,
    )
    return len(left)


def _take_consents(giver_id: int, taker_id: int, at: datetime) -> list[dict[str, Any]]:
    """Repeat for the taker what the giver said later; return the words that it replaces."""
    said = {(each.category, each.channel): each for each in consents_of(taker_id)}
    replaced = []
    for each in consents_of(giver_id):
        before = said.get((each.category, each.channel))
        if before is not None and (before.at >= each.at or before.given == each.given):
            continue
        copy = Consent.objects.create(
            member_id=taker_id,
            category=each.category,
            channel=each.channel,
            given=each.given,
            at=each.at,
            source=each.source,
            proof=each.proof,
            recorded_at=at,
        )
        replaced.append({"copy": copy.pk, "before": before.given if before else None})
    return replaced


def note_merge(
    giver: Member,
    taker: Member,
    *,
    moved: dict[str, Any],
    transfers: tuple[UUID, UUID],
    by: Actor,
    at: datetime,
    reason: str,
) -> Merge:
    """Make the giver MERGED, which is final but for an unmerge; write history and announcement."""
    merge = Merge.objects.create(
        giver=giver,
        taker=taker,
        stage_before=giver.stage,
        moved=moved,
        transfer_out=transfers[0],
        transfer_into=transfers[1],
        merged_at=at,
        merged_by=by.name,
    )
    Member.objects.filter(pk=giver.pk).update(
        stage=Member.Stage.MERGED, merged_into=taker, stage_since=at
    )
    both = {"from": giver.number, "into": taker.number}
    activity.record(giver.pk, "MERGED", by=by, at=at, reason=reason, data=both)
    activity.record(taker.pk, "MERGED_IN", by=by, at=at, reason=reason, data=both)
    outbox.record("member.merged", at=at, member_id=taker.pk, payload=both)
    return merge


def give_back(merge: Merge, *, by: Actor, at: datetime) -> dict[str, int]:
    """Return to the giver what the merge moved and the taker still has; its stage, too."""
    counts = {}
    models: tuple[tuple[str, Any], ...] = (
        ("cards", Card),
        ("aliases", Alias),
        ("sessions", Session),
    )
    for name, model in models:
        counts[name] = model.objects.filter(
            pk__in=merge.moved.get(name, []), member_id=merge.taker_id
        ).update(member_id=merge.giver_id)
    counts["segments"] = _give_segments_back(merge)
    for each in merge.moved.get("consents", []):
        _restate(merge.taker_id, each, at)
    Member.objects.filter(pk=merge.giver_id).update(
        stage=merge.stage_before, merged_into=None, stage_since=at
    )
    merge.undone_at, merge.undone_by = at, by.name
    merge.save(update_fields=["undone_at", "undone_by"])
    token_cache.clear()
    return counts


def _restate(member_id: int, taken: dict[str, Any], at: datetime) -> None:
    """Say again what the member had said before a merge, unless something was said since."""
    copy = Consent.objects.get(pk=taken["copy"])
    latest = (
        Consent.objects.filter(member_id=member_id, category=copy.category, channel=copy.channel)
        .order_by("-at", "-id")
        .first()
    )
    if latest is None or latest.pk != copy.pk:
        return
    Consent.objects.create(
        member_id=member_id,
        category=copy.category,
        channel=copy.channel,
        given=bool(taken["before"]),
        at=at,
        source="UNMERGE",
        recorded_at=at,
    )


def note_unmerge(merge: Merge, *, by: Actor, at: datetime, reason: str) -> None:
    """Write the unmerge in both histories, and announce it."""
    both = {"from": merge.taker.number, "into": merge.giver.number}
    for member_id in (merge.giver_id, merge.taker_id):
        activity.record(member_id, "UNMERGED", by=by, at=at, reason=reason, data=both)
    outbox.record(
        "member.stage_changed",
        at=at,
        member_id=merge.giver_id,
        payload={"from": "MERGED", "to": merge.stage_before, "reason": reason},
    )
