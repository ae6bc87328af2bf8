"""Whom a login name means."""

import contextlib
from dataclasses import dataclass, field

from django.db import connection

from members import contacts
from members.queries.stages import may_sign_in

_REACH = """
WITH RECURSIVE named (rank, confirmed, id) AS (
    SELECT 1, true, id FROM members_member WHERE number = %(typed)s
    UNION ALL
    SELECT 2, true, member_id FROM members_card WHERE number = %(typed)s
    UNION ALL
    SELECT 3, email_confirmed_at IS NOT NULL, id FROM members_member
    WHERE email = %(email)s AND email <> ''
    UNION ALL
    SELECT 4, phone_confirmed_at IS NOT NULL, id FROM members_member
    WHERE phone = %(phone)s AND phone <> ''
    UNION ALL
    SELECT 5, true, a.member_id FROM loyalty_identityprovider p
    JOIN members_alias a ON a.provider_id = p.id AND a.value = ANY (%(aliases)s)
    WHERE p.active
), chain (rank, confirmed, id, merged_into_id) AS (
    SELECT n.rank, n.confirmed, m.id, m.merged_into_id
    FROM named n JOIN members_member m ON m.id = n.id
    UNION ALL
    SELECT c.rank, c.confirmed, m.id, m.merged_into_id
    FROM chain c JOIN members_member m ON m.id = c.merged_into_id
)
SELECT c.rank, bool_or(c.confirmed), m.id, m.number, m.stage, coalesce(k.password, '')
FROM chain c JOIN members_member m ON m.id = c.id
LEFT JOIN members_credential k ON k.member_id = m.id
WHERE c.merged_into_id IS NULL
GROUP BY c.rank, m.id, m.number, m.stage, k.password
ORDER BY c.rank
"""


@dataclass(frozen=True, slots=True)
class Login:
    """A login name as it was typed, and as the contact that it may be."""

    typed: str
    email: str
    phone: str

    @property
    def counted_as(self) -> str:
        """The form under which attempts are counted: however it is written, one name."""
        return self.email or self.phone or contacts.plain_login(self.typed)


@dataclass(frozen=True, slots=True)
class Named:
    """The one member whom a login name means, with what the password is compared to."""

    member_id: int
    number: str
    stage: str
    password: str = field(repr=False)


def login_of(text: str, region: str) -> Login:
    """Return a login name; `region` is where phone numbers without a country code are from."""
    typed, email, phone = text.strip(), "", ""
    try:
        email = contacts.email_of(typed)
    except contacts.NotAContact:
        with contextlib.suppress(contacts.NotAContact):
            phone = contacts.phone_of(typed, region)
    return Login(typed, email, phone)


def named_by(login: Login) -> Named | None:
    """Return whom a login name means, if it means one member who may sign in. One query.

    A member number is looked for first, then a card, an e-mail address, a phone number, an alias:
    the first that anybody has decides, so that nobody can hide another behind an alias. Of
    several members with one contact, the one who confirmed it is meant; without one, nobody.
    A merged member's survivor answers for it.
    """
    values: dict[str, str | list[str]] = {
        "typed": login.typed,
        "email": login.email,
        "phone": login.phone,
        "aliases": [login.typed, login.counted_as],
    }
    with connection.cursor() as cursor:
        cursor.execute(_REACH, values)
        found = [row for row in cursor.fetchall() if may_sign_in(row[4])]
    first = [row for row in found if row[0] == found[0][0]]
    if len(first) > 1:
        first = [row for row in first if row[1]]
    return Named(*first[0][2:]) if len(first) == 1 else None


def names_of(member_id: int) -> list[str]:
    """Return everything by which a member may sign in, for the help desk to unlock. One query."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT number FROM members_member WHERE id = %(id)s"
            " UNION SELECT email FROM members_member WHERE id = %(id)s AND email <> ''"
            " UNION SELECT phone FROM members_member WHERE id = %(id)s AND phone <> ''"
            " UNION SELECT number FROM members_card WHERE member_id = %(id)s"
            " UNION SELECT value FROM members_alias WHERE member_id = %(id)s",
            {"id": member_id},
        )
        return [row[0] for row in cursor.fetchall()]
