"""Parts of addresses that several apps share."""

# A member by its number, or `me`, the member of the session that asks.
MEMBER = r"^members/(?P<number>[0-9]{1,20}|me)"
CODE = r"(?P<code>[A-Z0-9][A-Z0-9._-]{0,63})"
