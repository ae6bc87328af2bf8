"""A new password for who forgot the old one: by a token that is sent to the member's e-mail."""

from datetime import datetime

from loyalty.caller import Actor
from loyalty.models import Program
from loyalty.secret import Secret
from loyalty.services import attempts
from loyalty.services.use_case import use_case
from members.models import Verification
from members.queries.logins import login_of, named_by
from members.queries.stages import may_sign_in
from members.services import activity, messages, passwords, sessions, sign_in, step_ups
from members.services import verifications as codes
from members.services.verifications import Wanted
from members.sign_in_errors import ResetInvalid

MAIL = Wanted("PASSWORD", "EMAIL")


@use_case
def _ask(member_id: int | None, *, at: datetime) -> None:
    codes.ask(member_id, MAIL, at=at)


def forgot(login: str, *, address: str, at: datetime) -> None:
    """Send a token to the e-mail of the member whom a login name means, if it means one.

    Nothing tells whether it did. A member without an e-mail (or, where the programme asks for it,
    a confirmed one) goes to the help desk.

    :raises LockedOut: if too many were asked for by this name, known or not, or this address.
    """
    region = Program.objects.values_list("phone_region", flat=True).get()
    name = login_of(login, region)
    named = named_by(name)
    codes.count_sending(sign_in.subject_of(name, named), address=address, at=at)
    _ask(named.member_id if named else None, at=at)


def reset(token: Secret, password: Secret, *, address: str, at: datetime) -> int:
    """Set a new password for a token, which is used up; end all sessions, return how many.

    :raises ResetInvalid: if the token is unknown, used or over.
    :raises PasswordRefused: by the policy; the token may be sent again with another password.
    :raises LockedOut: if the address failed too often lately.
    """
    if address:
        attempts.count(attempts.SIGN_IN_ADDRESS, address, at=at)
    member_id, ended = _reset(token, password, at=at)
    sign_in.forget_all_failures(member_id)
    if address:
        attempts.forgive(attempts.SIGN_IN_ADDRESS, address)
    return ended


@use_case
def _reset(token: Secret, password: Secret, *, at: datetime) -> tuple[int, int]:
    row = (
        Verification.objects.select_for_update(of=("self",))
        .select_related("member")
        .filter(
            secret_hash=messages.token_hash(token),
            purpose=Verification.Purpose.PASSWORD,
            used_at=None,
            expires_at__gt=at,
        )
        .first()
    )
    member = row.member if row else None
    if row is None or member is None or not may_sign_in(member.stage):
        raise ResetInvalid
    passwords.store(member, password, at=at)
    Verification.objects.filter(member=member, purpose=row.purpose, used_at=None).update(used_at=at)
    codes.confirm_contact(member, row, at=at)
    step_ups.void(member.pk, at=at)
    ended = sessions.end_sessions(member.pk, at=at)
    by, data = Actor("MEMBER", member.number), {"sessions_ended": ended}
    activity.record(member.pk, "PASSWORD_RESET", by=by, at=at, data=data)
    return member.pk, ended
