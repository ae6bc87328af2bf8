"""Parts of addresses that several apps share."""

import re

# A member by its number, or `me`, the member of the session that asks.
MEMBER = r"^members/(?P<number>[0-9]{1,20}|me)"
BY_ALIAS = r"^members/by-alias/(?P<provider>[a-z][a-z0-9_-]{0,63})/(?P<value>[^/]{1,200})/$"
PROVIDER = r"(?P<provider>[a-z][a-z0-9_-]{0,63})"
ENTITY = r"(?P<entity>[a-z][a-z0-9_-]{0,63})"
CODE = r"(?P<code>[A-Z0-9][A-Z0-9._-]{0,63})"

# What stands in an address and is somebody's: the value by which a member is looked for.
# To the end of the line: a value may hold anything, blanks and slashes too.
_ALIAS_VALUE = re.compile(r"(/members/by-alias/[^/\n]{1,64}/)[^\n]+?(/?)$", re.MULTILINE)


def masked_path(text: str) -> str:
    """Return an address, or text with addresses in it, without the values of aliases."""
    return _ALIAS_VALUE.sub(r"\1***\2", text) if "by-alias" in text else text
