"""One-time codes: asking for one, and confirming it.

Whoever asks learns nothing: a name that nobody has gets an id and an end like any other, and no
code fits it. A code lives ten minutes and five attempts, each counted before it is judged.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import uuid_utils.compat
from django.db import connection, transaction
from django.db.models import F
from django.utils.crypto import constant_time_compare

from loyalty.caller import Actor
from loyalty.models import Program
from loyalty.secret import Secret
from loyalty.services import attempts, jobs
from loyalty.services.use_case import use_case
from members.models import Member, Verification
from members.queries.stages import may_sign_in
from members.services import activity, messages, sign_in, step_ups
from members.services.stage import change_stage
from members.services.step_ups import Granted, Leave
from members.sign_in_errors import CodeWrong, ContactMissing

LIVES = {Verification.Purpose.PASSWORD: timedelta(hours=1)}
CODE_LIVES = timedelta(minutes=10)
ATTEMPTS_MAX = 5


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a code is asked for, and by which way it goes. `to`: only if that is the contact."""

    purpose: str
    channel: str
    to: str = ""
    points: int | None = None
    point_type: str = ""


@dataclass(frozen=True, slots=True)
class Confirmed:
    """A code that was right, and what it gave: the stage as it is now, or a proof."""

    purpose: str
    stage: str
    proof: Granted | None


def ask(member_id: int | None, wanted: Wanted, *, at: datetime) -> Verification:
    """Note that a code is to be sent, and tell the worker on commit; a step.

    None, a member who may not sign in, and a contact that is missing or unconfirmed are noted
    alike, and nothing is sent.
    """
    assert connection.in_atomic_block
    program = Program.objects.get(pk=1)
    member = Member.objects.filter(pk=member_id or 0).first()
    to = _contact(member, wanted, program) if member and may_sign_in(member.stage) else ""
    row = Verification.objects.create(
        id=uuid_utils.compat.uuid7(),
        member=member if to else None,
        purpose=wanted.purpose,
        channel=wanted.channel,
        to=to,
        points=wanted.points,
        point_type=wanted.point_type,
        created_at=at,
        expires_at=at + LIVES.get(Verification.Purpose(wanted.purpose), CODE_LIVES),
    )
    transaction.on_commit(
        lambda: jobs.tell("members.tasks.send_message", verification_id=str(row.pk))
    )
    return row


def ask_own(member_id: int, wanted: Wanted, *, at: datetime) -> Verification:
    """Ask for a code to a member's own contact, who may know whether there is one; a step.

    :raises ContactMissing: if the member has no such contact, or another.
    """
    row = ask(member_id, wanted, at=at)
    if row.member_id is None:
        raise ContactMissing(channel=wanted.channel)
    return row


def _contact(member: Member, wanted: Wanted, program: Program) -> str:
    """Return where the code goes; the empty text if it goes nowhere.

    Where the programme asks members to confirm their contacts, codes that open anything go to
    confirmed ones only: another's address may have been enrolled by mistake.
    """
    if wanted.channel == Verification.Channel.EMAIL:
        contact, confirmed_at = member.email, member.email_confirmed_at
    else:
        contact, confirmed_at = member.phone, member.phone_confirmed_at
    if wanted.to and wanted.to != contact:
        return ""
    opens = wanted.purpose != Verification.Purpose.CONTACT
    return "" if opens and program.confirm_contact and confirmed_at is None else contact


def count_sending(subject: str, *, address: str, at: datetime) -> None:
    """Count that a code is asked for, so that nobody's inbox is filled.

    :raises LockedOut: if too many were asked for without one being used.
    """
    if address:
        attempts.count(attempts.SIGN_IN_ADDRESS, address, at=at)
    attempts.count(attempts.CODES_SENT, subject, at=at)


def judge(
    verification_id: UUID, code: Secret, *, signs_in: bool, of: int | None = None, at: datetime
) -> Verification:
    """Return the verification whose code this is; wrong ones are counted, committed at once.

    `of` is the member who has to be meant, where a session confirms. It is not used up yet.

    :raises CodeWrong: if it is not, was used, is over, or failed too often.
    """
    row = _counted(verification_id, at=at)
    if row is None:
        raise CodeWrong(attempts_left=0)
    found = messages.secret_hash(row.pk, row.purpose, code)
    right = row.secret_hash is not None and constant_time_compare(bytes(row.secret_hash), found)
    fits = (row.purpose == Verification.Purpose.SIGN_IN) == signs_in and of in (None, row.member_id)
    if not right or not fits or row.purpose == Verification.Purpose.PASSWORD:
        raise CodeWrong(attempts_left=ATTEMPTS_MAX - row.attempts)
    return row


@use_case
def _counted(verification_id: UUID, *, at: datetime) -> Verification | None:
    counted = Verification.objects.filter(
        pk=verification_id, attempts__lt=ATTEMPTS_MAX, used_at=None, expires_at__gt=at
    ).update(attempts=F("attempts") + 1)
    return Verification.objects.get(pk=verification_id) if counted else None


def use(row: Verification, *, at: datetime) -> Member:
    """Use a right code up, and note that its contact is the member's; a step.

    :raises CodeWrong: if another call used it meanwhile.
    """
    assert connection.in_atomic_block
    used = Verification.objects.filter(pk=row.pk, used_at=None).update(used_at=at)
    if not used:
        raise CodeWrong(attempts_left=0)
    assert row.member_id is not None
    member = Member.objects.get(pk=row.member_id)
    confirm_contact(member, row, at=at)
    return member


def confirm_contact(member: Member, row: Verification, *, at: datetime) -> None:
    """Note that a member reads what is sent to a contact; a step.

    One who was PENDING becomes ACTIVE, where the programme asks members to confirm a contact.
    """
    email = row.channel == Verification.Channel.EMAIL
    column, contact = ("email_confirmed_at", "email") if email else ("phone_confirmed_at", "phone")
    if row.to != getattr(member, contact):
        return  # Changed since: what was confirmed is no longer the member's.
    if getattr(member, column) is None:
        Member.objects.filter(pk=member.pk).update(**{column: at})
        setattr(member, column, at)
        by, data = Actor("MEMBER", member.number), {"channel": row.channel}
        activity.record(member.pk, "CONTACT_CONFIRMED", by=by, at=at, data=data)
    pending = member.stage == Member.Stage.PENDING
    if pending and Program.objects.filter(pk=1, confirm_contact=True).exists():
        by = Actor("MEMBER", member.number)
        change_stage(member.pk, "ACTIVE", by=by, at=at, reason="A contact was confirmed.")
        member.stage = Member.Stage.ACTIVE


def confirm(
    verification_id: UUID,
    code: Secret,
    *,
    of: int | None,
    partner_id: int,
    client_id: str,
    at: datetime,
) -> Confirmed:
    """Confirm a code: the contact is the member's, and a proof of what it was asked for.

    :raises CodeWrong: if it is not the code, or is used or over.
    """
    row = judge(verification_id, code, signs_in=False, of=of, at=at)
    confirmed = _confirm(row, partner_id=partner_id, client_id=client_id, at=at)
    assert row.member_id is not None
    attempts.clear(attempts.CODES_SENT, sign_in.member_subject(row.member_id))
    return confirmed


@use_case
def _confirm(row: Verification, *, partner_id: int, client_id: str, at: datetime) -> Confirmed:
    member = use(row, at=at)
    if row.purpose == Verification.Purpose.CONTACT:
        return Confirmed(row.purpose, member.stage, None)
    leave = Leave(row.purpose, partner_id, client_id, row.points, row.point_type)
    return Confirmed(row.purpose, member.stage, step_ups.grant(member.pk, leave, at=at))


@use_case
def forget_old(*, at: datetime) -> int:
    """Delete codes that ended a day ago; return how many."""
    return Verification.objects.filter(expires_at__lt=at - timedelta(days=1)).delete()[0]
