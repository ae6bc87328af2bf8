"""Whom a member reference names."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection

from loyalty.errors import MemberNotFound
from members.models import Member
from members.queries.providers import in_stored_form

# A member's survivor, at the end of its chain of merges. Replaces a query per merge.
_SURVIVOR = """
WITH RECURSIVE chain AS (
    SELECT id, merged_into_id FROM members_member WHERE {named}
    UNION ALL
    SELECT m.id, m.merged_into_id FROM chain c JOIN members_member m ON m.id = c.merged_into_id
)
SELECT id FROM chain WHERE merged_into_id IS NULL
"""
_BY_ID = "id = %s"
_BY_NUMBER = "number = %s"
_BY_CARD = "id = (SELECT member_id FROM members_card WHERE number = %s)"
_BY_ALIAS = (
    "id = (SELECT a.member_id FROM members_alias a"
    " JOIN loyalty_identityprovider p ON p.id = a.provider_id"
    " WHERE p.code = %s AND a.value = %s)"
)


def resolve(reference: Mapping[str, Any]) -> Member:
    """Return whom a member reference names, with the tier; a merged member's survivor. Two queries.

    `reference` is {"id"} (a session's own), {"number"}, {"card"} or {"alias": {"provider",
    "value"}}. Postings resolve theirs in the statement that locks the book
    (`ledger/sql/books.sql`), to the same member.

    :raises MemberNotFound: if it names nobody.
    """
    named, values = _condition(in_stored_form(reference))
    with connection.cursor() as cursor:
        cursor.execute(_SURVIVOR.format(named=named), values)
        found = cursor.fetchone()
    if found is None:
        raise MemberNotFound
    return Member.objects.select_related("tier").get(pk=found[0])


def _condition(reference: Mapping[str, Any]) -> tuple[str, list[Any]]:
    if "id" in reference:
        return _BY_ID, [reference["id"]]
    if "number" in reference:
        return _BY_NUMBER, [reference["number"]]
    if "card" in reference:
        return _BY_CARD, [reference["card"]]
    alias = reference["alias"]
    return _BY_ALIAS, [alias["provider"], alias["value"]]


# Many at once, each with its survivor. Replaces two queries per reference.
_MANY = """
WITH RECURSIVE named AS (
    SELECT g.place, coalesce(
        (SELECT id FROM members_member WHERE number = g.number),
        (SELECT member_id FROM members_card WHERE number = g.card),
        (SELECT a.member_id
         FROM members_alias a JOIN loyalty_identityprovider p ON p.id = a.provider_id
         WHERE p.code = g.provider AND a.value = g.value)) AS id
    FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[])
         WITH ORDINALITY AS g (number, card, provider, value, place)
), chain AS (
    SELECT n.place, m.id, m.number, m.stage, m.merged_into_id
    FROM named n JOIN members_member m ON m.id = n.id
    UNION ALL
    SELECT c.place, m.id, m.number, m.stage, m.merged_into_id
    FROM chain c JOIN members_member m ON m.id = c.merged_into_id
)
SELECT place, id, number, stage FROM chain WHERE merged_into_id IS NULL
"""


@dataclass(frozen=True, slots=True)
class Named:
    """A member that one of many references names."""

    id: int
    number: str
    stage: str


def resolve_many(references: Sequence[Mapping[str, Any]]) -> list[Named | None]:
    """Return whom each of many references names, merged members' survivors; None for nobody.

    One query. References are as `resolve` takes them, but for a session's own.
    """
    columns: list[list[str | None]] = [[], [], [], []]
    for reference in map(in_stored_form, references):
        alias = reference.get("alias") or {}
        named = (reference.get("number"), reference.get("card"))
        row = (*named, alias.get("provider"), alias.get("value"))
        for column, value in zip(columns, row, strict=True):
            column.append(value)
    found: list[Named | None] = [None] * len(references)
    with connection.cursor() as cursor:
        cursor.execute(_MANY, columns)
        for place, key, number, stage in cursor.fetchall():
            found[place - 1] = Named(key, number, stage)
    return found


def number_of(member_id: int) -> str | None:
    """Return a member's number; None if there is no such member."""
    return Member.objects.filter(pk=member_id).values_list("number", flat=True).first()
