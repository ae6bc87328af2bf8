"""Recording what members agree to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection

from loyalty.caller import Actor
from loyalty.errors import FieldError, ValidationFailed
from members.models import Consent
from members.queries.consents import consents_of
from members.services import activity

TOLERANCE = timedelta(minutes=5)  # How far ahead the clock of a form may be.


@dataclass(frozen=True, slots=True)
class Given:
    """What a member says of a category and channel; without a channel, of all of them."""

    category: str
    channel: str
    given: bool
    at: datetime | None = None
    source: str = ""
    proof: str = ""


def record_consents(
    member_id: int,
    said: Sequence[Given],
    *,
    known: Mapping[str, frozenset[str]],
    by: Actor,
    at: datetime,
) -> list[Consent]:
    """Add what a member says to the history of consents; return what was new. A step.

    `known` are the programme's categories, each with its channels. What stands already is not
    written again; an older word than the latest is kept, and changes nothing.

    :raises ValidationFailed: if a category or channel is unknown, named twice, or of the future.
    """
    assert connection.in_atomic_block
    _check(said, known, at)
    if not said:
        return []
    now = {(each.category, each.channel): each for each in consents_of(member_id)}
    rows = []
    for each in said:
        stands = now.get((each.category, each.channel))
        if stands is not None and stands.given == each.given:
            continue
        rows.append(
            Consent(
                member_id=member_id,
                category=each.category,
                channel=each.channel,
                given=each.given,
                at=each.at or at,
                source=each.source,
                proof=each.proof,
                recorded_at=at,
            )
        )
    Consent.objects.bulk_create(rows)
    for kind, given in (("CONSENT_GIVEN", True), ("CONSENT_WITHDRAWN", False)):
        lines = [
            (member_id, {"category": row.category, "channel": row.channel or None})
            for row in rows
            if row.given is given
        ]
        activity.record_many(lines, kind, by=by, at=at)
    return rows


def _check(said: Sequence[Given], known: Mapping[str, frozenset[str]], at: datetime) -> None:
    errors, seen = [], set()
    for place, each in enumerate(said):
        pointer = f"/consents/{place}"
        if each.category not in known:
            message = "The programme has no such category of communication."
            errors.append(FieldError(f"{pointer}/category", "NOT_A_CHOICE", message))
        elif each.channel and each.channel not in known[each.category]:
            message = "The programme does not use this channel."
            errors.append(FieldError(f"{pointer}/channel", "NOT_A_CHOICE", message))
        if each.at is not None and each.at > at + TOLERANCE:
            message = "This has not happened yet."
            errors.append(FieldError(f"{pointer}/at", "IN_FUTURE", message))
        if (each.category, each.channel) in seen:
            message = "A category and channel is named once."
            errors.append(FieldError(pointer, "REPEATED", message))
        seen.add((each.category, each.channel))
    if errors:
        raise ValidationFailed(errors)
