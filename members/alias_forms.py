"""The one form in which a value of an identity provider is stored and looked for."""

from members.contacts import NotAContact, email_of, masked, phone_of

EMAIL = "EMAIL"
PHONE = "PHONE"
CONTACTS = frozenset({EMAIL, PHONE})


def stored_form(kind: str, value: str, region: str) -> str:
    """Return a value as it is stored: e-mail in lower case, phones in E.164, others as they are.

    :raises NotAContact: if it is no address, or no number, where the kind says it is one.
    """
    if kind == EMAIL:
        return email_of(value)
    if kind == PHONE:
        return phone_of(value, region)
    return value


def sought_form(kind: str, value: str, region: str) -> str:
    """Return a value as it is looked for: in the stored form, or as it is if it has none."""
    try:
        return stored_form(kind, value, region)
    except NotAContact:
        return value


def masked_value(kind: str, value: str) -> str:
    """Return a value for histories and lists, of which only its owner recognizes the rest."""
    if kind in CONTACTS:
        return masked(value)
    return f"{value[:2]}***" if len(value) > 4 else "***"  # noqa: PLR2004 shorter tells too much
