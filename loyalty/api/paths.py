"""Parts of addresses that several apps share."""

import re

# A member by its number, or `me`, the member of the session that asks.
MEMBER = r"^members/(?P<number>[0-9]{1,20}|me)"
CODE = r"(?P<code>[A-Z0-9][A-Z0-9._-]{0,63})"

# What stands in an address and is somebody's: the value by which a member is looked for.
_ALIAS_VALUE = re.compile(r"(/members/by-alias/[^/\s?\"']{1,64}/)[^\s?\"']+?(?=/?(?:[\s?\"']|$))")


def masked_path(text: str) -> str:
    """Return an address, or text with addresses in it, without the values of aliases."""
    return _ALIAS_VALUE.sub(r"\1***", text) if "by-alias" in text else text
