"""Recording what members agree to."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection

from loyalty.caller import Actor
from loyalty.errors import FieldError, ValidationFailed
from loyalty.models import CommunicationCategory, CommunicationChannel
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
    by: Actor,
    at: datetime,
) -> list[Consent]:
    """Add what a member says to the history of consents; return what was new. A step.

    What stands already is not written again; an older word than the latest is kept, and changes
    nothing.

    :raises ValidationFailed: if a category or channel is unknown, named twice, of the
        future, or without the proof that its category needs.
    """
    assert connection.in_atomic_block
    _check(said, at)
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


def _check(said: Sequence[Given], at: datetime) -> None:
    if not said:
        return
    categories = CommunicationCategory.objects.filter(active=True)
    proved = dict(categories.values_list("code", "needs_proof"))
    channels = set(CommunicationChannel.objects.filter(active=True).values_list("code", flat=True))
    errors, seen = [], set()

    def wrong(place: int, field: str, code: str, message: str) -> None:
        errors.append(FieldError(f"/consents/{place}{field}", code, message))

    for place, each in enumerate(said):
        if each.category not in proved:
            message = "The programme has no such category of communication."
            wrong(place, "/category", "NOT_A_CHOICE", message)
        if each.channel and each.channel not in channels:
            wrong(place, "/channel", "NOT_A_CHOICE", "The programme does not use this channel.")
        if each.given and not each.proof and proved.get(each.category):
            wrong(place, "/proof", "MISSING_FIELD", "This consent is taken only with its proof.")
        if each.at is not None and each.at > at + TOLERANCE:
            wrong(place, "/at", "IN_FUTURE", "This has not happened yet.")
        if (each.category, each.channel) in seen:
            wrong(place, "", "REPEATED", "A category and channel is named once.")
        seen.add((each.category, each.channel))
    if errors:
        raise ValidationFailed(errors)
