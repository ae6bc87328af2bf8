"""One-time codes, and Forgot Password."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from django.http import HttpResponse
from msgspec import Meta
from rest_framework.request import Request

from loyalty.api.fields import Answer, Code, MemberReference, Points
from loyalty.api.openapi import operation
from loyalty.api.views import ProgramViewSet
from loyalty.errors import FieldError, LockedOut, MemberNotFound, ValidationFailed
from loyalty.models import Program
from loyalty.scopes import Scope
from loyalty.secret import Secret
from members import contacts
from members.api.pins import leave_of
from members.api.sign_in import (
    Address,
    CodeText,
    EndedAnswer,
    Login,
    PasswordText,
    SecretBody,
    person_address,
)
from members.queries import resolve
from members.queries.logins import login_of, named_by
from members.services import password_reset, sign_in, verifications
from members.services.verifications import LIVES, Wanted
from members.sign_in_errors import CodeWrong, ContactMissing, PasswordRefused, ResetInvalid


class VerificationBody(SecretBody, kw_only=True):
    """What a code is wanted for, whose, and which way it goes; a session is its own member's.

    `to` is the contact that the caller means: nothing is sent if the member has another.
    """

    purpose: Literal["CONTACT", "SIGN_IN", "PIN", "THRESHOLD", "REDEEM"]
    channel: Literal["email", "sms"]
    login: Login | None = None
    member: MemberReference | None = None
    to: Annotated[str, Meta(min_length=1, max_length=254)] | None = None
    points: Points | None = None
    type: Code | None = None
    address: Address = ""


class VerificationAnswer(Answer, kw_only=True):
    """The code's id and end; where it went is shown, masked, to the member's own session only."""

    id: UUID
    expires_at: datetime
    to: str | None


class ConfirmBody(SecretBody, kw_only=True):
    """A code that came, with the id it was asked for under."""

    id: UUID
    code: CodeText


class ConfirmedAnswer(Answer, kw_only=True):
    """What the code gave: the stage as it is now, and a proof of what it was asked for."""

    purpose: str
    stage: str
    proof: str | None
    expires_at: datetime | None


class ForgotBody(SecretBody, kw_only=True):
    """The login name of who forgot the password."""

    login: Login
    address: Address = ""


class ForgotAnswer(Answer, kw_only=True):
    """Always the same: whether a mail goes out is not told."""

    expires_in: int


class ResetBody(SecretBody, kw_only=True):
    """The token of the mail, and the new password."""

    token: Annotated[str, Meta(min_length=1, max_length=100)]
    password: PasswordText
    address: Address = ""


class VerificationViewSet(ProgramViewSet):
    """Codes to a member's e-mail or phone."""

    action_scopes = {"ask": Scope.SESSIONS_WRITE, "confirm": Scope.SESSIONS_WRITE}
    member_actions = frozenset({"ask", "confirm"})
    public_actions = frozenset({"ask", "confirm"})

    @operation(
        "Ask for a Code",
        body=VerificationBody,
        answer=VerificationAnswer,
        status=202,
        errors=[ContactMissing, LockedOut],
    )
    def ask(self, request: Request) -> HttpResponse:
        body, caller, now = self.body(VerificationBody), self.caller, self.now()
        region = Program.objects.values_list("phone_region", flat=True).get(pk=1)
        wanted = _wanted(body, region)
        own = caller.member_id
        if own is not None:
            _refuse_names(body)
            member_id: int | None = own
            subject, address = sign_in.member_subject(own), ""
        else:
            address = person_address(request, caller, body.address)
            member_id, subject = _named(body, region)
        verifications.count_sending(subject, address=address, at=now)

        def work() -> VerificationAnswer:
            if own is not None:
                row = verifications.ask_own(own, wanted, at=now)
            else:
                row = verifications.ask(member_id, wanted, at=now)
            shown = contacts.masked(row.to) if own is not None else None
            return VerificationAnswer(id=row.pk, expires_at=row.expires_at, to=shown)

        return self.change(body, work, status=202)

    @operation("Confirm a Code", body=ConfirmBody, answer=ConfirmedAnswer, errors=[CodeWrong])
    def confirm(self, request: Request) -> HttpResponse:
        body, caller = self.body(ConfirmBody), self.caller
        done = verifications.confirm(
            body.id,
            Secret(body.code),
            of=caller.member_id,
            partner_id=caller.partner_id,
            client_id=caller.client_id,
            at=self.now(),
        )
        return self.answer(
            ConfirmedAnswer(
                purpose=done.purpose,
                stage=done.stage,
                proof=done.proof.token if done.proof else None,
                expires_at=done.proof.expires_at if done.proof else None,
            )
        )


class PasswordViewSet(ProgramViewSet):
    """A new password for who forgot the old one."""

    action_scopes = {"forgot": Scope.SESSIONS_WRITE, "reset": Scope.SESSIONS_WRITE}
    public_actions = frozenset({"forgot", "reset"})

    @operation(
        "Forgot Password", body=ForgotBody, answer=ForgotAnswer, status=202, errors=[LockedOut]
    )
    def forgot(self, request: Request) -> HttpResponse:
        body = self.body(ForgotBody)
        address = person_address(request, self.caller, body.address)
        password_reset.forgot(body.login, address=address, at=self.now())
        [lives] = LIVES.values()
        return self.answer(ForgotAnswer(expires_in=int(lives.total_seconds())), status=202)

    @operation(
        "Reset Password",
        body=ResetBody,
        answer=EndedAnswer,
        errors=[ResetInvalid, PasswordRefused, LockedOut],
    )
    def reset(self, request: Request) -> HttpResponse:
        body = self.body(ResetBody)
        ended = password_reset.reset(
            Secret(body.token),
            Secret(body.password),
            address=person_address(request, self.caller, body.address),
            at=self.now(),
        )
        return self.answer(EndedAnswer(ended=ended))


def _wanted(body: VerificationBody, region: str) -> Wanted:
    if body.purpose in ("CONTACT", "SIGN_IN"):
        if body.points is not None or body.type is not None:
            message = "Points are for the purpose REDEEM."
            raise ValidationFailed([FieldError("/points", "NOT_HERE", message)])
    else:
        leave_of(body.purpose, body.points, body.type, partner_id=0, client_id="")
    return Wanted(
        purpose=body.purpose,
        channel=body.channel.upper(),
        to=_contact(body.to, body.channel, region) if body.to else "",
        points=body.points,
        point_type=body.type or "",
    )


def _contact(text: str, channel: str, region: str) -> str:
    try:
        return contacts.email_of(text) if channel == "email" else contacts.phone_of(text, region)
    except contacts.NotAContact:
        kind = "an e-mail address" if channel == "email" else "a phone number"
        raise ValidationFailed([FieldError("/to", "NOT_IN_FORM", f"Give {kind}.")]) from None


def _refuse_names(body: VerificationBody) -> None:
    for name, value in (("login", body.login), ("member", body.member), ("address", body.address)):
        if value:
            message = "A session acts for its own member; leave this out."
            raise ValidationFailed([FieldError(f"/{name}", "NOT_HERE", message)])
    if body.purpose == "SIGN_IN":
        message = "The member is signed in."
        raise ValidationFailed([FieldError("/purpose", "NOT_HERE", message)])


def _named(body: VerificationBody, region: str) -> tuple[int | None, str]:
    """Return whom a body means, if anybody, and the subject under which askings are counted."""
    if (body.login is None) == (body.member is None):
        message = "Give exactly one of login and member."
        raise ValidationFailed([FieldError("/login", "EXACTLY_ONE", message)])
    if body.login is not None:
        login = login_of(body.login, region)
        named = named_by(login)
        return named.member_id if named else None, sign_in.subject_of(login, named)
    assert body.member is not None
    reference = body.member.named()
    try:
        member_id = resolve(reference).pk
    except MemberNotFound:
        return None, f"nobody:{sorted(reference.items())!r}"
    return member_id, sign_in.member_subject(member_id)
