"""E-mail addresses and phone numbers in the one form in which they are stored and compared."""

import re
import unicodedata

import phonenumbers

EMAIL_LENGTH_MAX = 254
# What every address has; whether somebody reads it, only a confirmation tells.
_EMAIL = re.compile(r"[^@\s\x00-\x1f\x7f<>()\[\],;:\\\"]+@[^@\s\x00-\x1f\x7f<>]+\.[^@\s.]{2,}")
# Letters are refused: the library would dial them.
_PHONE = re.compile(r"[0-9+()./\s-]{3,40}")


class NotAContact(ValueError):
    """Text that is no e-mail address, or no phone number."""


def email_of(text: str) -> str:
    """Return an e-mail address as it is stored: trimmed, composed, in lower case.

    :raises NotAContact: if it is none.
    """
    email = unicodedata.normalize("NFC", text.strip()).lower()
    if len(email) > EMAIL_LENGTH_MAX or not _EMAIL.fullmatch(email) or ".." in email:
        raise NotAContact(text)
    return email


def phone_of(text: str, region: str) -> str:
    """Return a phone number as it is stored: E.164, such as +436641234567.

    `region` is the ISO 3166 code of the country that numbers without a country code are from. A
    number has to be of a possible length; ranges are assigned faster than a library learns them.

    :raises NotAContact: if it is none.
    """
    if not _PHONE.fullmatch(text.strip()):
        raise NotAContact(text)
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        raise NotAContact(text) from None
    if not phonenumbers.is_possible_number(number):
        raise NotAContact(text)
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def plain_login(text: str) -> str:
    """Return what a person typed as a login name, in the form under which attempts are counted."""
    return unicodedata.normalize("NFC", text.strip()).lower()


def masked(contact: str) -> str:
    """Return an e-mail address or phone number of which only its owner recognizes the rest."""
    name, at, domain = contact.partition("@")
    if at:
        return f"{name[:1]}***@{domain}"
    return f"{contact[:3]}***{contact[-2:]}"
