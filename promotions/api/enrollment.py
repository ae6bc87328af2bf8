"""Enrollment: making a member, and changing its profile and consents."""

from datetime import date
from typing import Annotated, Any

import msgspec
from django.http import HttpResponse
from msgspec import UNSET, Meta, UnsetType
from rest_framework.request import Request

from loyalty.api.fields import (
    END,
    PLAIN,
    Answer,
    Body,
    Instant,
    MemberReference,
    Name,
    Reference,
    Short,
    check_instant,
)
from loyalty.api.openapi import operation
from loyalty.caller import Caller
from loyalty.digest import digest_of
from loyalty.errors import FieldError, LockedOut, ValidationFailed, VersionConflict
from loyalty.scopes import Scope
from loyalty.secret import Secret
from loyalty.services import attempts, idempotency
from members.errors import DuplicateMember
from members.services.consents import Given
from promotions.api.member_info import MemberInfoViewSet
from promotions.services.membership import enrollment
from promotions.services.membership.enrollment import Enrolled, EnrollmentRequest, UpdateRequest

Slug = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_-]{0,63}" + END)]
Number = Annotated[str, Meta(pattern=r"^[0-9]{1,20}" + END)]


class AddressBody(Body, kw_only=True):
    """A postal address."""

    lines: Annotated[list[Short], Meta(max_length=4)] = []
    postal_code: Annotated[str, Meta(max_length=20, pattern=PLAIN)] | None = None
    city: Short | None = None
    region: Short | None = None
    country: Annotated[str, Meta(pattern=r"^[A-Z]{2}" + END, description="ISO 3166.")] | None = None


class ProfileBody(Body, kw_only=True):
    """Who a member is. What is missing stays as it is; null clears it."""

    first_name: Short | UnsetType | None = UNSET
    last_name: Short | UnsetType | None = UNSET
    birth_date: date | UnsetType | None = UNSET
    email: Annotated[str, Meta(max_length=254, pattern=PLAIN)] | UnsetType | None = UNSET
    phone: Annotated[str, Meta(max_length=40, pattern=PLAIN)] | UnsetType | None = UNSET
    address: AddressBody | UnsetType | None = UNSET
    language: Annotated[str, Meta(max_length=16, pattern=PLAIN)] | UnsetType | None = UNSET
    attributes: Annotated[dict[Name, Any], Meta(max_length=100)] | UnsetType | None = UNSET

    def given(self) -> dict[str, Any]:
        """Return the fields that were given, as plain values."""
        fields = msgspec.structs.asdict(self)
        if isinstance(self.address, AddressBody):
            fields["address"] = msgspec.structs.asdict(self.address)
        return {name: value for name, value in fields.items() if value is not UNSET}


class ConsentBody(Body, kw_only=True):
    """What the member says of a category and channel; without a channel, of all of them."""

    category: Slug
    channel: Slug | None = None
    given: bool
    at: Instant | None = None
    source: Short | None = None
    proof: Annotated[str, Meta(max_length=4000)] | None = None


Consents = Annotated[list[ConsentBody], Meta(max_length=100)]


class GivenAliasBody(Body, kw_only=True):
    """A name by which another system knows the member."""

    provider: Slug
    value: Annotated[str, Meta(min_length=1, max_length=200, pattern=PLAIN)]


class EnrollmentBody(Body, kw_only=True):
    """A new member. `issue_card` gives the next number of a range where no card is brought."""

    profile: ProfileBody = msgspec.field(default_factory=ProfileBody)
    consents: Consents = []
    card: Annotated[str, Meta(pattern=r"^[A-Za-z0-9]{1,32}" + END)] | None = None
    issue_card: bool = False
    aliases: Annotated[list[GivenAliasBody], Meta(max_length=20)] = []
    referrer: MemberReference | Number | None = None
    channel: Name | None = None
    pin: Annotated[str, Meta(min_length=1, max_length=32)] | None = None
    password: Annotated[str, Meta(min_length=1, max_length=200)] | None = None
    reference: Reference | None = None

    def __repr__(self) -> str:
        return "EnrollmentBody(…)"  # It may hold secrets.

    def without_secrets(self) -> "EnrollmentBody":
        """Return what a digest may be made of: of a PIN it would give the PIN away."""
        return msgspec.structs.replace(self, pin=None, password=None)


class UpdateBody(Body, kw_only=True):
    """What changes of a member."""

    profile: ProfileBody = msgspec.field(default_factory=ProfileBody)
    consents: Consents = []


class PointsGivenAnswer(Answer, kw_only=True):
    """Points of one type that a welcome or a referral gave."""

    type: str
    points: int


class EnrollmentAnswer(Answer, kw_only=True):
    """A member who was made, changed, or was there. `to_confirm` are contacts to be confirmed."""

    number: str
    card: str | None
    stage: str
    tier: str
    created: bool
    version: int
    points: list[PointsGivenAnswer]
    to_confirm: list[str]


class MemberViewSet(MemberInfoViewSet):
    """Members at their address, which is read and changed: a path belongs to one view."""

    action_scopes = {
        **MemberInfoViewSet.action_scopes,
        "create": Scope.MEMBERS_WRITE,
        "update": Scope.MEMBERS_WRITE,
    }
    member_actions = MemberInfoViewSet.member_actions | {"update"}
    public_actions = frozenset({"create"})

    @operation(
        "Enrollment",
        body=EnrollmentBody,
        answer=EnrollmentAnswer,
        status=201,
        replays=True,
        errors=[DuplicateMember, LockedOut],
    )
    def create(self, request: Request) -> HttpResponse:
        body, caller, now = self.body(EnrollmentBody), self.caller, self.now()
        wanted = _enrollment(body, caller)
        if caller.public:
            attempts.count(attempts.ENROLLMENT, caller.client_id, at=now)
        made: list[enrollment.Outcome] = []

        def work() -> EnrollmentAnswer:
            made[:] = [enrollment.enroll(wanted, at=now)]
            return _answer(made[0].enrolled)

        def status() -> int:
            return 201 if made[0].enrolled.created and not made[0].replayed else 200

        def headers() -> dict[str, str]:
            replayed = {"Idempotent-Replayed": "true"} if made[0].replayed else {}
            return {"ETag": f'"{made[0].enrolled.version}"', **replayed}

        response = self.change(body.without_secrets(), work, status=status, headers=headers)
        if caller.public:
            attempts.clear(attempts.ENROLLMENT, caller.client_id)
        return response

    @operation(
        "Update Member",
        body=UpdateBody,
        answer=EnrollmentAnswer,
        errors=[DuplicateMember, VersionConflict],
    )
    def update(self, request: Request, number: str) -> HttpResponse:
        body, now = self.body(UpdateBody), self.now()
        wanted = UpdateRequest(
            caller=self.caller,
            member=self.member_named(number),
            profile=body.profile.given(),
            consents=_consents(body.consents),
            expected=self.if_match(),
        )
        made: list[Enrolled] = []

        def work() -> EnrollmentAnswer:
            made[:] = [enrollment.update(wanted, at=now)]
            return _answer(made[0])

        # No key: the version guards a PATCH, and null, which clears, counts in no digest.
        done = idempotency.run(work, key=None, at=now)
        return self.stored(done, headers=lambda: {"ETag": f'"{made[0].version}"'})


def _enrollment(body: EnrollmentBody, caller: Caller) -> EnrollmentRequest:
    if caller.public and body.aliases:
        message = "An app binds aliases for a member who is signed in, and proves them."
        raise ValidationFailed([FieldError("/aliases", "NOT_HERE", message)])
    referrer = body.referrer
    if isinstance(referrer, str):
        named: dict[str, Any] | None = {"number": referrer}
    else:
        named = None if referrer is None else referrer.named("/referrer")
    return EnrollmentRequest(
        caller=caller,
        profile=body.profile.given(),
        consents=_consents(body.consents),
        card=body.card,
        issue_card=body.issue_card,
        aliases=tuple((each.provider, each.value) for each in body.aliases),
        referrer=named,
        channel=body.channel,
        pin=None if body.pin is None else Secret(body.pin),
        password=None if body.password is None else Secret(body.password),
        reference=body.reference,
        digest=digest_of("enroll", body.without_secrets()),
    )


def _consents(said: list[ConsentBody]) -> tuple[Given, ...]:
    for place, each in enumerate(said):
        check_instant(each.at, f"/consents/{place}/at")
    return tuple(
        Given(
            category=each.category,
            channel=each.channel or "",
            given=each.given,
            at=each.at,
            source=each.source or "",
            proof=each.proof or "",
        )
        for each in said
    )


def _answer(enrolled: Enrolled) -> EnrollmentAnswer:
    return EnrollmentAnswer(
        number=enrolled.number,
        card=enrolled.card,
        stage=enrolled.stage,
        tier=enrolled.tier,
        created=enrolled.created,
        version=enrolled.version,
        points=[PointsGivenAnswer(type=e.type, points=e.points) for e in enrolled.points],
        to_confirm=enrolled.to_confirm,
    )
