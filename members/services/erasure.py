"""Erasure of personal data (GDPR, Art. 17): the person goes, a pseudonym and the books stay."""

from collections.abc import Collection
from datetime import datetime

from django.db import connection

from loyalty import token_cache
from loyalty.caller import Actor
from members.models import (
    Activity,
    Alias,
    Card,
    Consent,
    Credential,
    DuplicateFlag,
    Enrolment,
    Member,
    MemberCurrency,
    RedemptionThreshold,
    ReleasedAlias,
    SegmentMember,
    Session,
    StepUp,
    Verification,
)
from members.queries.history import family_of
from members.services import activity
from members.services.profile import CONTACTS, EMPTY

# What is of no use without the person: it goes as a whole.
_GONE = (
    Alias,
    Credential,
    MemberCurrency,
    RedemptionThreshold,
    ReleasedAlias,
    SegmentMember,
    Session,
    StepUp,
    Verification,
)


def lock_family(member_id: int) -> list[Member]:
    """Lock a member and all who were merged into it, in key order, and return them; a step."""
    assert connection.in_atomic_block
    rows = Member.objects.filter(pk__in=family_of(member_id)).order_by("pk")
    return list(rows.select_for_update(of=("self",), no_key=True))


def erase_people(members: Collection[Member], *, by: Actor, at: datetime, reason: str) -> None:
    """Empty everything that tells who these locked members were; a step, harmless to repeat.

    What stays: the number as a pseudonym, stage and tier, closed cards, which consents were given
    when, that things happened and when. The first line written afterwards tells of the erasure,
    and `reason` must not name the person again.
    """
    assert connection.in_atomic_block
    ids = [each.pk for each in members if each.erased_at is None]
    if not ids:
        return
    Member.objects.filter(pk__in=ids).update(
        **EMPTY,
        **{f"{name}_confirmed_at": None for name in CONTACTS},
        referrer=None,
        erased_at=at,
    )
    for model in _GONE:
        model._default_manager.filter(member__in=ids).delete()
    Activity.objects.filter(member__in=ids).update(data={}, reason="")
    Consent.objects.filter(member__in=ids).update(source="", proof="")
    # Their digests were made of the profile; a retry of such an enrolment is a conflict now.
    Enrolment.objects.filter(member__in=ids).update(digest=b"", result={})
    Card.objects.filter(member__in=ids).exclude(status=Card.Status.CLOSED).update(
        status=Card.Status.CLOSED, closed_at=at
    )
    for side in ("earlier__in", "later__in"):
        DuplicateFlag.objects.filter(status=DuplicateFlag.Status.OPEN, **{side: ids}).update(
            status=DuplicateFlag.Status.DISMISSED, resolved_at=at, resolved_by=by.name
        )
    activity.record_many([(each, {}) for each in ids], "ERASED", by=by, at=at, reason=reason)
    token_cache.clear()
