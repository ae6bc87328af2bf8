"""Step-ups: leave to do one thing that a session or a token alone does not allow."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import uuid_utils.compat
from django.db import connection
from django.db.models import Q

from loyalty.models import Program
from loyalty.secret import Secret
from loyalty.services.use_case import use_case
from members.models import StepUp
from members.queries.sessions import hash_of
from members.sign_in_errors import StepUpInvalid

PREFIX = "msu_"
SECRET_BYTES = 24
KEPT = timedelta(days=90)


@dataclass(frozen=True, slots=True)
class Leave:
    """What a step-up is for, and who may use it: the partner whose client asked."""

    purpose: str
    partner_id: int
    client_id: str = ""
    points: int | None = None
    point_type: str = ""


@dataclass(frozen=True, slots=True)
class Granted:
    """A step-up's token, which is shown once, and when it ends."""

    token: str = field(repr=False)
    expires_at: datetime


def grant(member_id: int, leave: Leave, *, at: datetime) -> Granted:
    """Give a member a step-up; a step. What proves the member was judged before."""
    assert connection.in_atomic_block
    lives = Program.objects.values_list("step_up_lives", flat=True).get(pk=1)
    granted = Granted(PREFIX + secrets.token_urlsafe(SECRET_BYTES), at + lives)
    StepUp.objects.create(
        id=uuid_utils.compat.uuid7(),
        member_id=member_id,
        token_hash=hash_of(granted.token),
        purpose=leave.purpose,
        points=leave.points,
        point_type=leave.point_type,
        partner_id=leave.partner_id,
        client_id=leave.client_id,
        created_at=at,
        expires_at=granted.expires_at,
    )
    return granted


def spend(
    member_id: int,
    token: Secret,
    leave: Leave,
    *,
    on: str,
    at: datetime,
    covers: Mapping[str, int] | None = None,
) -> None:
    """Use a step-up up, in the transaction of what it is for; a step. One statement.

    `covers` are the ways to cover what is spent: so many points of a type, or of another.

    Two changes that come with one token wait for each other on its row; if the first is undone,
    the second may have it. `on` names the change, such as the posting's reference.

    :raises StepUpInvalid: if it is unknown, spent or over, or was given for another member,
        partner or purpose, or for fewer points.
    """
    assert connection.in_atomic_block
    wanted = StepUp.objects.filter(
        token_hash=hash_of(token.reveal()),
        member_id=member_id,
        partner_id=leave.partner_id,
        purpose=leave.purpose,
        spent_at=None,
        expires_at__gt=at,
    )
    if leave.points is not None:
        wanted = wanted.filter(points__gte=leave.points, point_type=leave.point_type)
    if covers is not None:
        enough = Q(pk=None)
        for point_type, points in covers.items():
            enough |= Q(points__gte=points, point_type=point_type)
        wanted = wanted.filter(enough)
    if not wanted.update(spent_at=at, spent_on=on):
        raise StepUpInvalid


def void(member_id: int, *, at: datetime) -> None:
    """End the step-ups that a member has not used, as when the PIN changes; a step."""
    StepUp.objects.filter(member_id=member_id, spent_at=None).update(spent_at=at)


@use_case
def forget_old(*, at: datetime) -> int:
    """Delete step-ups that ended a quarter of a year ago; return how many."""
    return StepUp.objects.filter(expires_at__lt=at - KEPT).delete()[0]
