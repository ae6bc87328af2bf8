"""Login, Logout and Change Password."""

from typing import Annotated
from uuid import UUID

from django.http import HttpResponse
from msgspec import Meta
from rest_framework.request import Request

from loyalty.api.authentication import CallerAuthentication, address_of
from loyalty.api.fields import ADDRESS, Answer, Body, Short
from loyalty.api.openapi import operation
from loyalty.api.views import ProgramViewSet
from loyalty.caller import Caller, CallerKind
from loyalty.errors import FieldError, LockedOut, Unauthenticated, ValidationFailed
from loyalty.scopes import Scope
from loyalty.secret import Secret
from members.queries.sessions import TOKEN_PREFIX
from members.services import sessions, sign_in
from members.services.code_sign_in import sign_in_by_code
from members.services.sessions import Opened
from members.services.sign_in import SignedIn
from members.sign_in_errors import PasswordRefused, PasswordWrong, RefreshInvalid, SignInFailed

Login = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=254,
        description="An e-mail address, phone number, card, member number or alias.",
    ),
]
PasswordText = Annotated[str, Meta(min_length=1, max_length=200)]
CodeText = Annotated[str, Meta(min_length=1, max_length=12)]
Address = Annotated[str, Meta(max_length=64, pattern=ADDRESS)]


class SecretBody(Body):
    """A body that holds secrets: it never shows what it holds."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}(…)"


class SignInBody(SecretBody, kw_only=True):
    """A login name with its password, or a one-time code with the id it was asked for under.

    `address` is the person's, sent by a server that signs members in for its app.
    """

    login: Login | None = None
    password: PasswordText | None = None
    verification: UUID | None = None
    code: CodeText | None = None
    device: Short = ""
    address: Address = ""


class RefreshBody(SecretBody, kw_only=True):
    """A refresh token, which works once."""

    refresh: Annotated[str, Meta(min_length=1, max_length=400)]


class SessionAnswer(Answer, kw_only=True):
    """The tokens of a session; they are shown once."""

    token: str
    expires_in: int
    refresh: str
    member: str
    stage: str
    must_change_password: bool


class EndQuery(Body, kw_only=True):
    """Whether all sessions of the member end, on every device."""

    all: bool = False


class EndedAnswer(Answer, kw_only=True):
    """How many sessions ended; none if they had ended before."""

    ended: int


class PasswordBody(SecretBody, kw_only=True):
    """The old password and the new one."""

    old: PasswordText
    new: PasswordText


def person_address(request: Request, caller: Caller, given: str) -> str:
    """Return the address of who is signing in: where an app calls itself, the call's own.

    :raises ValidationFailed: if an app that calls itself gives one.
    """
    if caller.kind is CallerKind.CLIENT:
        return given
    if given:
        message = "A server gives its app's address; an app is seen by its own."
        raise ValidationFailed([FieldError("/address", "NOT_HERE", message)])
    return address_of(request._request)


class SessionViewSet(ProgramViewSet):
    """Signing in, and staying so."""

    action_scopes = {"open": Scope.SESSIONS_WRITE, "refresh": Scope.SESSIONS_WRITE}
    public_actions = frozenset({"open", "refresh"})

    @operation("Login", body=SignInBody, answer=SessionAnswer, errors=[SignInFailed, LockedOut])
    def open(self, request: Request) -> HttpResponse:
        done = self._signed_in(self.body(SignInBody), request)
        return self.answer(
            session_answer(
                done.opened,
                number=done.number,
                stage=done.stage,
                must_change_password=done.must_change_password,
            )
        )

    def _signed_in(self, body: SignInBody, request: Request) -> SignedIn:
        address = person_address(request, self.caller, body.address)
        _check_way(body)
        if body.verification is not None:
            assert body.code is not None
            return sign_in_by_code(
                body.verification,
                Secret(body.code),
                device=body.device,
                address=address,
                at=self.now(),
            )
        assert body.login is not None
        assert body.password is not None
        wanted = sign_in.SignInRequest(body.login, Secret(body.password), body.device, address)
        return sign_in.sign_in(wanted, at=self.now())

    @operation(
        "Refresh Session",
        body=RefreshBody,
        answer=SessionAnswer,
        errors=[RefreshInvalid],
    )
    def refresh(self, request: Request) -> HttpResponse:
        token = Secret(self.body(RefreshBody).refresh)
        opened = sessions.refresh(token, at=self.now())
        member = opened.session.member
        credential = getattr(member, "credential", None)
        return self.answer(
            session_answer(
                opened,
                number=member.number,
                stage=member.stage,
                must_change_password=bool(credential and credential.must_change_password),
            )
        )


def _check_way(body: SignInBody) -> None:
    """:raises ValidationFailed: unless one way in is given whole, and the other not at all."""
    ways = (("login", "password"), ("verification", "code"))
    given = [[name for name in way if getattr(body, name) is not None] for way in ways]
    if not any(given):
        raise ValidationFailed([FieldError("/login", "MISSING_FIELD", "Give a login name.")])
    if all(given):
        message = "Give a password or a code, not both."
        raise ValidationFailed([FieldError(f"/{given[1][0]}", "EXACTLY_ONE", message)])
    way = ways[0] if given[0] else ways[1]
    missing = [name for name in way if getattr(body, name) is None]
    if missing:
        message = f"Give {' and '.join(way)}."
        raise ValidationFailed([FieldError(f"/{missing[0]}", "MISSING_FIELD", message)])


def session_answer(
    opened: Opened, *, number: str, stage: str, must_change_password: bool
) -> SessionAnswer:
    """Return a session's tokens as the API answers them."""
    session = opened.session
    return SessionAnswer(
        token=opened.token,
        expires_in=int((session.expires_at - session.refreshed_at).total_seconds()),
        refresh=opened.refresh,
        member=number,
        stage=stage,
        must_change_password=must_change_password,
    )


class EndedSessionAuthentication(CallerAuthentication):
    """Let a session's token that is no longer valid pass, as nobody's: it has nothing to end."""

    def authenticate(self, request: Request) -> tuple[Caller, str] | None:
        try:
            return super().authenticate(request)
        except Unauthenticated:
            token = request.headers.get("Authorization", "").partition(" ")[2]
            if not token.startswith(TOKEN_PREFIX):
                raise
            return self._nobody(request), token

    def _nobody(self, request: Request) -> Caller:
        return Caller(
            client_id=f"session:ended@{address_of(request._request)}",
            partner_id=0,
            partner_code="",
            house=False,
            scopes=frozenset(),
            rate_limit_per_minute=60,
            kind=CallerKind.MEMBER,
        )


class CurrentSessionViewSet(ProgramViewSet):
    """Ending the session that asks. An ended one is ended: calling again succeeds."""

    authentication_classes = [EndedSessionAuthentication]
    action_scopes = {"end": None}
    member_actions = frozenset({"end"})

    @operation("Logout", answer=EndedAnswer, query=EndQuery)
    def end(self, request: Request) -> HttpResponse:
        wanted, caller = self.query(EndQuery), self.caller
        if caller.member_id is None or caller.session_id is None:
            return self.answer(EndedAnswer(ended=0))
        ended = sign_in.sign_out(
            caller.member_id, caller.session_id, everywhere=wanted.all, at=self.now()
        )
        return self.answer(EndedAnswer(ended=ended))


class OwnPasswordViewSet(ProgramViewSet):
    """What a member does with the password."""

    action_scopes = {"change_password": None}
    member_actions = frozenset({"change_password"})

    @operation(
        "Change Password",
        body=PasswordBody,
        answer=EndedAnswer,
        errors=[PasswordWrong, PasswordRefused, LockedOut],
    )
    def change_password(self, request: Request) -> HttpResponse:
        body, caller = self.body(PasswordBody), self.caller
        assert caller.member_id is not None
        assert isinstance(caller.session_id, UUID)
        ended = sign_in.change_password(
            caller.member_id,
            caller.session_id,
            old=Secret(body.old),
            new=Secret(body.new),
            by=caller.actor,
            at=self.now(),
        )
        return self.answer(EndedAnswer(ended=ended))
