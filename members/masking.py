"""Names as strangers may see them. Contacts are masked by `members.contacts.masked`."""

HIDDEN = "***"


def masked_name(first_name: str, last_name: str) -> str | None:
    """Return initials with the rest hidden, such as `A*** L***`; None of somebody without a name.

    What is hidden is always as long, so that its length tells nothing.
    """
    names = [name.strip() for name in (first_name, last_name)]
    return " ".join(f"{name[0]}{HIDDEN}" for name in names if name) or None
