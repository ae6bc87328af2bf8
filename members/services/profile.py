"""A member's profile: what is given is checked and normalized, and only that is changed."""

from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import msgspec
import phonenumbers
from dateutil.relativedelta import relativedelta
from django.db import connection

from loyalty.attributes import complete, validate
from loyalty.caller import Actor
from loyalty.errors import FieldError, ValidationFailed
from loyalty.models import Language, Program
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
    attributes: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return the fields that were given as they are stored; None clears one.

    Attributes are merged into `attributes`, those the member has; None where it is new. The
    outcome is checked by the programme's own schema. One query if a language is given.

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
        "language": _language,
    }
    for name, value in given.items():
        if name == "attributes":
            continue
        try:
            stored[name] = EMPTY[name] if value is None else readers[name](value)
        except ValidationFailed as error:
            errors += error.errors
    if "attributes" in given or attributes is None:
        wanted = _merged(attributes or {}, given.get("attributes", {}), program.member_schema)
        errors += validate(program.member_schema, wanted, pointer="/profile/attributes")
        stored["attributes"] = complete(program.member_schema, wanted)
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


def _merged(
    attributes: Mapping[str, Any], given: Mapping[str, Any] | None, schema: Mapping[str, Any]
) -> dict[str, Any]:
    """Return attributes with the given ones put in; None clears one, or all of them.

    What the schema no longer knows is left behind: nobody asked for it.
    """
    if given is None:
        return {}
    return {**{name: value for name, value in attributes.items() if name in schema}, **given}


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


class Address(msgspec.Struct, forbid_unknown_fields=True):
    """A postal address; the API bounds its texts, the back office types JSON."""

    lines: Annotated[list[str], msgspec.Meta(max_length=4)] = []
    postal_code: str | None = None
    city: str | None = None
    region: str | None = None
    country: str | None = None


def _address(value: Mapping[str, Any]) -> dict[str, Any]:
    try:
        address = msgspec.convert(value, Address)
    except msgspec.ValidationError as error:
        raise _refuse("address", "WRONG_TYPE", f"{error}.") from None
    if address.country is not None and address.country not in phonenumbers.SUPPORTED_REGIONS:
        message = "Give an ISO 3166 code such as AT."
        raise _refuse("address/country", "NOT_A_CHOICE", message)
    return {key: each for key, each in msgspec.structs.asdict(address).items() if each}


def _language(value: str) -> str:
    known = list(
        Language.objects.filter(active=True).order_by("code").values_list("code", flat=True)
    )
    if value not in known:
        message = f"The programme's languages are {', '.join(known)}."
        raise _refuse("language", "NOT_A_CHOICE", message)
    return value
