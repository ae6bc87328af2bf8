"""Signing in, changing the password, signing out.

An attempt is counted first and cleared by success. Unknown, wrong, no password, a stage that
forbids it, a contact of two members: the answer, and about the work, is one and the same.
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from loyalty.caller import Actor
from loyalty.models import Program
from loyalty.secret import Secret
from loyalty.services import attempts
from loyalty.services.use_case import use_case
from members.models import Credential, Member
from members.queries.logins import Login, Named, login_of, named_by, names_of
from members.queries.stages import may_sign_in
from members.services import activity, passwords, sessions
from members.services.sessions import Opened
from members.sign_in_errors import PasswordWrong, SignInFailed


@dataclass(frozen=True, slots=True)
class SignInRequest:
    """Who wants in, from where. `address` is the person's, where the caller knows it."""

    login: str
    password: Secret
    device: str = ""
    address: str = ""


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A session that was opened, and the member it is of."""

    opened: Opened
    number: str
    stage: str
    must_change_password: bool


def sign_in(request: SignInRequest, *, at: datetime) -> SignedIn:
    """Open a session for who knows a login name and its password.

    :raises SignInFailed: for whatever reason.
    :raises LockedOut: if the name, its member or the address failed too often lately.
    """
    login = login_of(request.login, Program.objects.values_list("phone_region", flat=True).get())
    count(login, address=request.address, at=at)
    named = named_by(login)
    attempts.count(attempts.SIGN_IN_MEMBER, subject_of(login, named), at=at)
    right, outdated = passwords.verified(request.password, named.password if named else "")
    if not right or named is None:
        raise SignInFailed
    upgraded = passwords.hashed(request.password) if outdated else None
    signed_in = _open(named, upgraded, device=request.device, at=at)
    if signed_in is None:
        raise SignInFailed
    _forget_failures(login, named, request.address)
    return signed_in


def count(login: Login, *, address: str, at: datetime) -> None:
    """Count an attempt by a login name, known or not, and from an address.

    :raises LockedOut: if one of the two failed too often lately.
    """
    if address:
        attempts.count(attempts.SIGN_IN_ADDRESS, address, at=at)
    attempts.count(attempts.SIGN_IN, login.counted_as, at=at)


def subject_of(login: Login, named: Named | None) -> str:
    """Return the subject under which attempts at a login's member are counted, if it has one."""
    return member_subject(named.member_id) if named else f"nobody:{login.counted_as}"


def member_subject(member_id: int) -> str:
    """Return the subject under which a member's attempts are counted, whatever the name."""
    return f"member:{member_id}"


@use_case
def _open(named: Named, upgraded: str | None, *, device: str, at: datetime) -> SignedIn | None:
    """Open the session, unless the password or the stage changed while the hash was compared."""
    credential = (
        Credential.objects.select_for_update(of=("self",))
        .select_related("member")
        .get(pk=named.member_id)
    )
    member = credential.member
    if credential.password != named.password or not may_sign_in(member.stage):
        return None
    if upgraded is not None:
        credential.password = upgraded
        credential.save(update_fields=["password"])
    opened = sessions.open_session(member.pk, at=at, device=device)
    return SignedIn(opened, member.number, member.stage, credential.must_change_password)


def _forget_failures(login: Login, named: Named, address: str) -> None:
    attempts.clear(attempts.SIGN_IN, login.counted_as)
    attempts.clear(attempts.SIGN_IN_MEMBER, member_subject(named.member_id))
    if address:
        attempts.forgive(attempts.SIGN_IN_ADDRESS, address)


def check_password(member_id: int, password: Secret, *, at: datetime) -> str:
    """Return the hash that a member's password was found to fit; wrong ones count to lock-out.

    :raises PasswordWrong: if it is not the member's.
    :raises LockedOut: if too many failed lately.
    """
    left = attempts.count(attempts.SIGN_IN_MEMBER, member_subject(member_id), at=at)
    encoded = Credential.objects.filter(pk=member_id).values_list("password", flat=True).first()
    if not passwords.verified(password, encoded or "")[0]:
        raise PasswordWrong(attempts_left=left)
    attempts.clear(attempts.SIGN_IN_MEMBER, member_subject(member_id))
    assert encoded
    return encoded


def change_password(
    member_id: int, session_id: UUID, *, old: Secret, new: Secret, by: Actor, at: datetime
) -> int:
    """Set a new password and end the member's other sessions; return how many that were.

    :raises PasswordWrong, LockedOut: see `check_password`.
    :raises PasswordRefused: by the policy, or if it was used before.
    """
    encoded = check_password(member_id, old, at=at)
    return _change(member_id, session_id, encoded, new, by=by, at=at)


@use_case
def _change(
    member_id: int, session_id: UUID, encoded: str, new: Secret, *, by: Actor, at: datetime
) -> int:
    credential = (
        Credential.objects.select_for_update(of=("self",))
        .select_related("member")
        .get(pk=member_id)
    )
    if credential.password != encoded:  # Changed meanwhile, by another session.
        raise PasswordWrong(attempts_left=attempts.SIGN_IN_MEMBER.free)
    passwords.store(credential.member, new, at=at)
    ended = sessions.end_sessions(member_id, at=at, keep=session_id)
    activity.record(member_id, "PASSWORD_CHANGED", by=by, at=at, data={"sessions_ended": ended})
    return ended


@use_case
def sign_out(member_id: int, session_id: UUID, *, everywhere: bool, at: datetime) -> int:
    """End a session, or all sessions of its member; return how many there were."""
    return sessions.end_sessions(member_id, at=at, only=None if everywhere else session_id)


def forget_all_failures(member_id: int) -> None:
    """Clear the failed sign-ins of a member, by all its names."""
    region = Program.objects.values_list("phone_region", flat=True).get()
    for name in names_of(member_id):
        attempts.clear(attempts.SIGN_IN, login_of(name, region).counted_as)
    attempts.clear(attempts.SIGN_IN_MEMBER, member_subject(member_id))
    attempts.clear(attempts.CODES_SENT, member_subject(member_id))


@use_case
def unlock(member: Member, *, by: Actor, reason: str, at: datetime) -> None:
    """Let the help desk clear the failed sign-ins of a member."""
    forget_all_failures(member.pk)
    activity.record(member.pk, "SIGN_IN_UNLOCKED", by=by, at=at, reason=reason)


@use_case
def end_all(member: Member, *, by: Actor, reason: str, at: datetime) -> int:
    """Let the help desk end all sessions of a member; return how many there were."""
    ended = sessions.end_sessions(member.pk, at=at)
    activity.record(
        member.pk, "SESSIONS_ENDED", by=by, at=at, reason=reason, data={"sessions": ended}
    )
    return ended
