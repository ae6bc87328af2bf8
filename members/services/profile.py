"""A member's profile: what is given is checked and normalized, and only that is changed."""

from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import phonenumbers
from dateutil.relativedelta import relativedelta
from django.db import connection

from loyalty.caller import Actor
from loyalty.errors import FieldError, ValidationFailed
from loyalty.models import Program
from loyalty.services import outbox
from members.contacts import NotAContact, email_of, phone_of
from members.models import Member
from members.services import activity

CONTACTS = ("email", "phone")
OLDEST = date(1900, 1, 1)
# What a field holds when it is cleared.
EMPTY: Mapping[str, Any] = {
    "first_name": "",
    "last_name": "",
    "birth_date": None,
    "email": "",
    "phone": "",
    "address": {},
    "language": "",
    "attributes": {},
}


def read_profile(
    given: Mapping[str, Any],
    program: Program,
    *,
    at: datetime,
    languages: frozenset[str],
    check_attributes: Callable[[Mapping[str, Any]], list[FieldError]],
    attributes: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return the fields that were given as they are stored; None clears one.

    Attributes are merged into `attributes`, those the member has. `check_attributes` tells what
    is wrong with the outcome by the programme's own schema.

    :raises ValidationFailed: for everything that is wrong, with a pointer to each field.
    """
    errors: list[FieldError] = []
    stored: dict[str, Any] = {}
    readers: dict[str, Callable[[Any], Any]] = {
        "first_name": str.strip,
        "last_name": str.strip,
        "birth_date": lambda value: _birth_date(value, program, at),
        "email": _contact(email_of, "an e-mail address"),
        "phone": _contact(lambda text: phone_of(text, program.phone_region), "a phone number"),
        "address": _address,
        "language": lambda value: _language(value, languages),
    }
    for name, value in given.items():
        if name == "attributes":
            continue
        try:
            stored[name] = EMPTY[name] if value is None else readers[name](value)
        except ValidationFailed as error:
            errors += error.errors
    if "attributes" in given or attributes is None:
        merged = {**(attributes or {}), **(given.get("attributes") or {})}
        cleared = "attributes" in given and given["attributes"] is None
        kept = {} if cleared else {key: each for key, each in merged.items() if each is not None}
        errors += check_attributes(kept)
        stored["attributes"] = kept
    if errors:
        raise ValidationFailed(errors)
    return stored


def check_whole(profile: Mapping[str, Any], program: Program) -> None:
    """Check what only the whole profile tells: what the programme needs of every member.

    :raises ValidationFailed: if the birth date is missing where there is a minimum age, or every
        contact where one has to be confirmed.
    """
    errors = []
    if program.minimum_age is not None and not profile.get("birth_date"):
        message = f"Members are at least {program.minimum_age}; give the birth date."
        errors.append(FieldError("/profile/birth_date", "MISSING_FIELD", message))
    if program.confirm_contact and not any(profile.get(name) for name in CONTACTS):
        message = "Give an e-mail address or a phone number, which is then confirmed."
        errors.append(FieldError("/profile/email", "MISSING_FIELD", message))
    if errors:
        raise ValidationFailed(errors)


def change_profile(
    member: Member,
    stored: Mapping[str, Any],
    *,
    by: Actor,
    at: datetime,
    with_consents: bool = False,
) -> bool:
    """Store changed fields of a locked member; return whether anything changed. A step.

    `with_consents` says that consents changed beside it. The same content again changes nothing
    and makes no version. A contact that changes is no longer confirmed. The line of the history
    names the fields and never their values: history outlives them.
    """
    assert connection.in_atomic_block
    changed = sorted(name for name, value in stored.items() if getattr(member, name) != value)
    if not changed and not with_consents:
        return False
    columns = {*changed, *(f"{name}_confirmed_at" for name in CONTACTS if name in changed)}
    for name in columns:
        setattr(member, name, stored.get(name))
    member.version += 1
    member.save(update_fields=[*columns, "version"])
    if changed:
        activity.record(member.pk, "PROFILE_CHANGED", by=by, at=at, data={"fields": changed})
    outbox.record(
        "member.updated",
        at=at,
        member_id=member.pk,
        partner_id=by.partner_id,
        payload={"fields": [*changed, *(["consents"] if with_consents else [])]},
    )
    return True


def _refuse(name: str, code: str, message: str) -> ValidationFailed:
    return ValidationFailed([FieldError(f"/profile/{name}", code, message)])


def _birth_date(value: date, program: Program, at: datetime) -> date:
    today = at.astimezone(ZoneInfo(program.time_zone)).date()
    if not OLDEST <= value <= today:
        raise _refuse("birth_date", "OUT_OF_RANGE", f"A birth date lies from {OLDEST} to today.")
    age = relativedelta(today, value).years
    if program.minimum_age is not None and age < program.minimum_age:
        message = f"Members are at least {program.minimum_age} years old."
        raise _refuse("birth_date", "TOO_YOUNG", message)
    return value


def _contact(read: Callable[[str], str], what: str) -> Callable[[str], str]:
    def normalized(text: str) -> str:
        try:
            return read(text)
        except NotAContact:
            name = "email" if read is email_of else "phone"
            raise _refuse(name, "NOT_IN_FORM", f"This is not {what}.") from None

    return normalized


def _address(value: Mapping[str, Any]) -> dict[str, Any]:
    country = value.get("country")
    if country is not None and country not in phonenumbers.SUPPORTED_REGIONS:
        message = "Give an ISO 3166 code such as AT."
        raise _refuse("address/country", "NOT_A_CHOICE", message)
    return {key: each for key, each in value.items() if each not in (None, "", [])}


def _language(value: str, languages: frozenset[str]) -> str:
    if value not in languages:
        known = ", ".join(sorted(languages))
        raise _refuse("language", "NOT_A_CHOICE", f"The programme's languages are {known}.")
    return value
