"""Signing in by a one-time code, without a password."""

from datetime import datetime
from uuid import UUID

from loyalty.secret import Secret
from loyalty.services import attempts
from loyalty.services.use_case import use_case
from members.models import Credential, Verification
from members.queries.stages import may_sign_in
from members.services import sessions, sign_in, verifications
from members.services.sign_in import SignedIn
from members.sign_in_errors import CodeWrong, SignInFailed


def sign_in_by_code(
    verification_id: UUID, code: Secret, *, device: str, address: str, at: datetime
) -> SignedIn:
    """Open a session for who reads the code that was sent to a member's contact.

    It works, too, for who is locked out by wrong passwords, and clears that.

    :raises SignInFailed: for whatever reason.
    :raises LockedOut: if the address failed too often lately.
    """
    if address:
        attempts.count(attempts.SIGN_IN_ADDRESS, address, at=at)
    try:
        row = verifications.judge(verification_id, code, signs_in=True, at=at)
        signed_in = _open(row, device=device, at=at)
    except CodeWrong:
        raise SignInFailed from None
    assert row.member_id is not None
    sign_in.forget_all_failures(row.member_id)
    if address:
        attempts.forgive(attempts.SIGN_IN_ADDRESS, address)
    return signed_in


@use_case
def _open(row: Verification, *, device: str, at: datetime) -> SignedIn:
    member = verifications.use(row, at=at)
    if not may_sign_in(member.stage):
        raise SignInFailed
    opened = sessions.open_session(member.pk, at=at, device=device)
    must_change = Credential.objects.filter(pk=member.pk, must_change_password=True).exists()
    return SignedIn(opened, member.number, member.stage, must_change)
