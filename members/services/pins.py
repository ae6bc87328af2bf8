"""PINs: setting one with proof, comparing it, and the step-up that a right one gives.

A PIN has few digits, so its hash alone would give it away: a secret of the server is mixed in
first, which the database does not hold.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.contrib.auth.hashers import make_password, verify_password
from django.db import connection
from django.utils.crypto import salted_hmac

from loyalty.caller import Actor
from loyalty.errors import FieldError, ValidationFailed
from loyalty.models import Program
from loyalty.secret import Secret
from loyalty.services import attempts
from loyalty.services.use_case import use_case
from members.models import Credential, Member
from members.pin_rules import reason_against
from members.queries import resolve
from members.services import activity, passwords, sign_in, step_ups
from members.services.step_ups import Granted, Leave
from members.sign_in_errors import PinNotSet, PinRefused, PinWrong, ProofNeeded


@dataclass(frozen=True, slots=True)
class Proof:
    """What proves that the member is asking: at most one of the PIN, the password and a code.

    `code` is what a confirmed one-time code for the PIN gave.
    """

    pin: Secret | None = None
    password: Secret | None = None
    code: Secret | None = None


@dataclass(frozen=True, slots=True)
class PinRequest:
    """A member's new PIN. Without proof it is the first one, where the caller may set that."""

    member: dict[str, Any]
    pin: Secret
    proof: Proof
    may_set_first: bool
    partner_id: int


@dataclass(frozen=True, slots=True)
class VerifyRequest:
    """A PIN, or a password in its place, and what the step-up is wanted for."""

    member: dict[str, Any]
    pin: Secret | None
    password: Secret | None
    leave: Leave


def _peppered(member_id: int, pin: Secret) -> str:
    return salted_hmac(
        "laurel.pin",
        f"{member_id}:{pin.reveal()}",
        secret=settings.LAUREL_PIN_PEPPER,
        algorithm="sha256",
    ).hexdigest()


def _verified(member_id: int, pin: Secret, encoded: str) -> bool:
    return verify_password(_peppered(member_id, pin), encoded)[0]


def subject(member_id: int) -> str:
    """Return the subject under which attempts at a member's PIN are counted."""
    return f"member:{member_id}"


def check_policy(member: Member, pin: Secret) -> None:
    """Refuse a PIN of another length, a sequence, a repetition, or the birth date.

    :raises PinRefused: with the reason and the number of digits.
    """
    digits = Program.objects.values_list("pin_digits", flat=True).get(pk=1)
    reason = reason_against(pin.reveal(), digits=digits, birth_date=member.birth_date)
    if reason is not None:
        raise PinRefused(reason=reason, digits=digits)


def store(member: Member, pin: Secret, *, at: datetime) -> None:
    """Keep a member's new PIN; a step. The first one, or with proof made before.

    Step-ups that the old one gave are void.

    :raises PinRefused: by the policy, or if it is the one in use.
    """
    assert connection.in_atomic_block
    check_policy(member, pin)
    credential, _ = Credential.objects.select_for_update().get_or_create(member=member)
    if credential.pin and _verified(member.pk, pin, credential.pin):
        raise PinRefused(reason="REUSED", digits=len(pin.reveal()))
    credential.pin, credential.pin_set_at = make_password(_peppered(member.pk, pin)), at
    credential.save(update_fields=["pin", "pin_set_at"])
    step_ups.void(member.pk, at=at)


def set_pin(request: PinRequest, *, by: Actor, at: datetime) -> Member:
    """Set or change a member's PIN; return the member.

    :raises MemberNotFound: if nobody is named.
    :raises ProofNeeded: if there is a PIN, or the caller may not set the first one, and no proof.
    :raises PinWrong, PasswordWrong, StepUpInvalid: if the proof proves nothing.
    :raises LockedOut: if too many attempts failed lately.
    :raises PinRefused: if the new PIN is too easy to guess, or the one in use.
    """
    member = resolve(request.member)
    proof = request.proof
    encoded = _encoded(member.pk)
    if proof.pin is not None:
        check_pin(member.pk, proof.pin, at=at)
    elif proof.password is not None:
        sign_in.check_password(member.pk, proof.password, at=at)
    elif proof.code is None and (encoded or not request.may_set_first):
        raise ProofNeeded
    _set(member, request, encoded, by=by, at=at)
    attempts.clear(attempts.PIN, subject(member.pk))
    return member


@use_case
def _set(member: Member, request: PinRequest, encoded: str, *, by: Actor, at: datetime) -> None:
    now = Credential.objects.select_for_update().filter(pk=member.pk).first()
    if encoded != (now.pin if now else ""):  # Set meanwhile: what was proved is out of date.
        raise ProofNeeded
    if request.proof.code is not None:
        leave = Leave("PIN", request.partner_id)
        step_ups.spend(member.pk, request.proof.code, leave, on="PIN", at=at)
    store(member, request.pin, at=at)
    activity.record(member.pk, "PIN_CHANGED" if encoded else "PIN_SET", by=by, at=at)


def _encoded(member_id: int) -> str:
    return Credential.objects.filter(pk=member_id).values_list("pin", flat=True).first() or ""


def check_pin(member_id: int, pin: Secret, *, at: datetime) -> str:
    """Return the hash that a member's PIN was found to fit; wrong ones count to lock-out.

    :raises PinNotSet: if the member has none.
    :raises PinWrong: if it is not the member's; tells how many attempts are left.
    :raises LockedOut: if too many failed lately.
    """
    left = attempts.count(attempts.PIN, subject(member_id), at=at)
    encoded = _encoded(member_id)
    if not encoded:
        raise PinNotSet
    if not _verified(member_id, pin, encoded):
        raise PinWrong(attempts_left=left)
    attempts.clear(attempts.PIN, subject(member_id))
    return encoded


def verify(request: VerifyRequest, *, at: datetime) -> Granted:
    """Compare a PIN, or a password where the programme allows it; give a step-up if it is right.

    :raises MemberNotFound: if nobody is named.
    :raises PinNotSet, PinWrong, LockedOut: see `check_pin`.
    :raises ValidationFailed: if a password comes and the programme asks for the PIN.
    """
    member = resolve(request.member)
    if request.pin is not None:
        return _grant(member.pk, request.leave, pin=check_pin(member.pk, request.pin, at=at), at=at)
    assert request.password is not None
    if not Program.objects.values_list("password_steps_up", flat=True).get(pk=1):
        message = "This programme asks for the PIN; a password does not stand in for it."
        raise ValidationFailed([FieldError("/password", "NOT_HERE", message)])
    left = attempts.count(attempts.PIN, subject(member.pk), at=at)
    password = Credential.objects.filter(pk=member.pk).values_list("password", flat=True).first()
    if not passwords.verified(request.password, password or "")[0]:
        raise PinWrong(attempts_left=left)
    attempts.clear(attempts.PIN, subject(member.pk))
    return _grant(member.pk, request.leave, password=password, at=at)


@use_case
def _grant(member_id: int, leave: Leave, *, at: datetime, **unchanged: str | None) -> Granted:
    """Give the step-up, unless the PIN or password changed while its hash was compared."""
    if not Credential.objects.select_for_update().filter(pk=member_id, **unchanged).exists():
        raise PinWrong(attempts_left=attempts.PIN.free)
    return step_ups.grant(member_id, leave, at=at)


@use_case
def unlock(member: Member, *, by: Actor, reason: str, at: datetime) -> None:
    """Let the help desk clear the failed attempts at a member's PIN."""
    attempts.clear(attempts.PIN, subject(member.pk))
    activity.record(member.pk, "PIN_UNLOCKED", by=by, at=at, reason=reason)


@use_case
def reset(member: Member, *, by: Actor, reason: str, at: datetime) -> None:
    """Let the help desk take a member's PIN away, so that a first one can be set again."""
    Credential.objects.filter(pk=member.pk).update(pin="", pin_set_at=None)
    step_ups.void(member.pk, at=at)
    attempts.clear(attempts.PIN, subject(member.pk))
    activity.record(member.pk, "PIN_RESET", by=by, at=at, reason=reason)
