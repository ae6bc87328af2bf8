"""Enrolment: the member with all that hangs on it, the welcome points, and later changes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec
from django.db import connection

from loyalty.caller import Caller
from loyalty.errors import (
    FieldError,
    MemberNotFound,
    ReferenceConflict,
    ValidationFailed,
    VersionConflict,
)
from loyalty.models import Program
from loyalty.secret import Secret
from loyalty.services import outbox
from members import stages
from members.errors import DuplicateMember, StageForbids
from members.models import Enrolment, Member
from members.queries import resolve
from members.queries.visibility import sees_person
from members.services import activity, aliases, cards, duplicates, passwords, pins, profile
from members.services.consents import Given, record_consents
from members.services.enrolment import enrol
from promotions.services.membership.welcome import PointsGiven, welcome

Policy = Program.DuplicatePolicy


@dataclass(frozen=True, slots=True)
class EnrollmentRequest:
    """Who enrols, by whom, and what comes with it. `profile` holds what was given of it."""

    caller: Caller
    profile: Mapping[str, Any]
    consents: tuple[Given, ...] = ()
    card: str | None = None
    issue_card: bool = False
    aliases: tuple[tuple[str, str], ...] = ()
    referrer: Mapping[str, Any] | None = None
    channel: str | None = None
    pin: Secret | None = None
    password: Secret | None = None
    reference: str | None = None
    digest: bytes = b""


class Enrolled(msgspec.Struct, frozen=True):
    """A member who was made, or (`created` false) was there.

    `to_confirm` are the contacts that wait for a confirmation.
    """

    number: str
    card: str | None
    stage: str
    tier: str
    created: bool
    version: int
    points: list[PointsGiven] = []
    to_confirm: list[str] = []


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a request to enrol; `replayed` if it had been made before."""

    enrolled: Enrolled
    replayed: bool = False


def enroll(request: EnrollmentRequest, *, at: datetime) -> Outcome:
    """Make a member, with card, aliases, consents, credential and welcome points; a step.

    Of enrolments with one contact, card, alias or reference that come at once, one makes the
    member and the others see it.

    :raises ReferenceConflict: if the reference names another enrolment.
    :raises ValidationFailed: for what is wrong with the profile, a consent or the referrer.
    :raises DuplicateMember: if a member has one of the contacts, by the programme's policy.
    :raises LoyaltyError: what `give_card`, `bind_alias`, `passwords.store`, `pins.store` refuse.
    """
    assert connection.in_atomic_block
    caller = request.caller
    if (earlier := _earlier(request)) is not None:
        return Outcome(earlier, replayed=True)
    program = Program.objects.get(pk=1)
    stored = profile.read_profile(request.profile, program, at=at)
    profile.check_whole(stored, program)
    referrer = _referrer(request.referrer)
    duplicates.hold(*duplicates.contact_names(stored))
    same = duplicates.same_contact(stored)
    matched = duplicates.shared_contacts(stored, same)
    if referrer is not None and referrer in same:
        raise _no_referrer("ONESELF", "Nobody refers themselves.")
    if same and program.duplicate_policy != Policy.FLAG:
        enrolled = _there_already(program, same, matched, caller)
        return Outcome(_keep(request, same[0], enrolled, at=at))
    pending = program.confirm_contact
    member = enrol(
        partner=caller.partner_id,
        at=at,
        profile=stored,
        stage=Member.Stage.PENDING if pending else Member.Stage.ACTIVE,
        referrer=referrer,
    )
    duplicates.flag(member, same, matched=matched, at=at)
    _tell(member, referrer, request, at=at)
    _vouch(member, request, at=at)
    welcomed = welcome(member, referrer, caller, channel=request.channel, at=at)
    card = _equip(member, request, at=at)
    enrolled = Enrolled(
        number=member.number,
        card=card,
        stage=member.stage,
        tier=welcomed.tier or member.tier.code,
        created=True,
        version=member.version,
        points=welcomed.points,
        to_confirm=_to_confirm(member) if pending else [],
    )
    return Outcome(_keep(request, member, enrolled, at=at))


def _earlier(request: EnrollmentRequest) -> Enrolled | None:
    """Return what this reference was answered before; a twin that comes meanwhile waits.

    :raises ReferenceConflict: if it was used for other content, or the member was erased.
    """
    if request.reference is None:
        return None
    partner_id = request.caller.partner_id
    duplicates.hold(f"enrolment {partner_id} {request.reference}")
    row = Enrolment.objects.filter(partner_id=partner_id, reference=request.reference).first()
    if row is None:
        return None
    if bytes(row.digest) != request.digest:
        raise ReferenceConflict
    return msgspec.convert(row.result, Enrolled)


def _keep(
    request: EnrollmentRequest, member: Member, enrolled: Enrolled, *, at: datetime
) -> Enrolled:
    if request.reference is not None:
        Enrolment.objects.create(
            partner_id=request.caller.partner_id,
            reference=request.reference,
            digest=request.digest,
            member=member,
            result=msgspec.to_builtins(enrolled),
            at=at,
        )
    return enrolled


def _referrer(reference: Mapping[str, Any] | None) -> Member | None:
    """:raises ValidationFailed: if the referrer is nobody, or no longer takes part."""
    if reference is None:
        return None
    try:
        found = resolve(reference)
    except MemberNotFound:
        raise _no_referrer("UNKNOWN", "No member is named so.") from None
    if not stages.may_earn(found.stage):
        raise _no_referrer("UNKNOWN", "No member is named so.")
    return found


def _no_referrer(code: str, message: str) -> ValidationFailed:
    return ValidationFailed([FieldError("/referrer", code, message)])


def _there_already(
    program: Program, same: list[Member], matched: list[str], caller: Caller
) -> Enrolled:
    """Return the member who is there, where policy and caller allow it.

    :raises DuplicateMember: otherwise. A public client is not told what matched, and the number
        is for those alone who may see the member.
    """
    seen = len(same) == 1 and sees_person(caller, same[0])
    if program.duplicate_policy == Policy.RETURN and seen:
        member = same[0]
        return Enrolled(
            number=member.number,
            card=None,
            stage=member.stage,
            tier=member.tier.code,
            created=False,
            version=member.version,
        )
    raise DuplicateMember(
        matched=None if caller.public else matched, member=same[0].number if seen else None
    )


def _vouch(member: Member, request: EnrollmentRequest, *, at: datetime) -> None:
    """Record a new member's consents, and its password and PIN: nothing that others wait for."""
    record_consents(member.pk, request.consents, by=request.caller.actor, at=at)
    if request.password is not None:
        passwords.store(member, request.password, at=at)
    if request.pin is not None:
        pins.store(member, request.pin, at=at)


def _equip(member: Member, request: EnrollmentRequest, *, at: datetime) -> str | None:
    """Give a new member its aliases and a card, after the books; return the card's number."""
    by = request.caller.actor
    for place, (provider, value) in enumerate(request.aliases):
        pointer = f"/aliases/{place}/value"
        aliases.bind_alias(member, provider, value, by=by, at=at, pointer=pointer)
    if request.card is None and not request.issue_card:
        return None
    return cards.give_card(member, request.card, by=by, at=at).number


def _tell(
    member: Member, referrer: Member | None, request: EnrollmentRequest, *, at: datetime
) -> None:
    """Write the histories of who enrolled and who referred, and the event."""
    by = request.caller.actor
    activity.record(member.pk, "ENROLLED", by=by, at=at, data={"stage": member.stage})
    if referrer is not None:
        data = {"referrer": referrer.number}
        activity.record(member.pk, "REFERRED", by=by, at=at, data=data)
        activity.record(referrer.pk, "REFERRED_SOMEBODY", by=by, at=at)
    outbox.record("member.enrolled", at=at, member_id=member.pk, partner_id=by.partner_id)


def _to_confirm(member: Member) -> list[str]:
    return [name for name in profile.CONTACTS if getattr(member, name)]


@dataclass(frozen=True, slots=True)
class UpdateRequest:
    """Whose profile is changed, by whom, and how. `expected` is the version that was read."""

    caller: Caller
    member: Mapping[str, Any]
    profile: Mapping[str, Any] = field(default_factory=dict)
    consents: tuple[Given, ...] = ()
    expected: int | None = None


def update(request: UpdateRequest, *, at: datetime) -> Enrolled:
    """Change what was given of a member's profile and consents, and nothing else; a step.

    :raises MemberNotFound: if there is no such member, or another partner enrolled it.
    :raises VersionConflict: if it is no longer at the version that the caller read.
    :raises StageForbids: if the membership is over.
    :raises ValidationFailed: for everything that is wrong with the profile or a consent.
    :raises DuplicateMember: if a contact is another member's, unless the programme flags these.
    """
    assert connection.in_atomic_block
    caller = request.caller
    member = cards.lock_member(resolve(request.member).pk)
    if not may_change(caller, member):
        raise MemberNotFound
    if request.expected is not None and request.expected != member.version:
        raise VersionConflict(member.version)
    if member.stage == Member.Stage.CLOSED:
        raise StageForbids(stage=member.stage, action="change the profile")
    program = Program.objects.get(pk=1)
    stored = profile.read_profile(request.profile, program, at=at, attributes=member.attributes)
    whole = {name: stored.get(name, getattr(member, name)) for name in profile.EMPTY}
    if stored:
        profile.check_whole(whole, program)
    _check_contacts(member, stored, program, caller, at=at)
    said = record_consents(member.pk, request.consents, by=caller.actor, at=at)
    profile.change_profile(member, stored, by=caller.actor, at=at, with_consents=bool(said))
    return Enrolled(
        number=member.number,
        card=None,
        stage=member.stage,
        tier=member.tier.code,
        created=False,
        version=member.version,
        to_confirm=[
            name
            for name in _to_confirm(member)
            if getattr(member, f"{name}_confirmed_at") is None and program.confirm_contact
        ],
    )


def may_change(caller: Caller, member: Member) -> bool:
    """Return whether a caller may change a profile: the member, who enrolled it, and the house.

    Consent to be shared lets other partners read, not write.
    """
    return (
        caller.house
        or caller.member_id == member.pk
        or (caller.member_id is None and caller.partner_id == member.enrolled_by_id)
    )


def _check_contacts(
    member: Member, stored: Mapping[str, Any], program: Program, caller: Caller, *, at: datetime
) -> None:
    """:raises DuplicateMember: if a contact that is new is another member's."""
    new = {
        name: stored[name]
        for name in profile.CONTACTS
        if stored.get(name) and stored[name] != getattr(member, name)
    }
    duplicates.hold(*duplicates.contact_names(new))
    same = duplicates.same_contact(new, but=member.pk)
    matched = duplicates.shared_contacts(new, same)
    if same and program.duplicate_policy != Policy.FLAG:
        raise DuplicateMember(matched=matched)
    duplicates.flag(member, same, matched=matched, at=at)
