"""Erasing a person: the membership ends, the personal data goes, the books stay and balance."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection

from ledger.services.stage import Wanted, change_member
from loyalty.caller import Actor
from members.models import Member
from members.services.erasure import erase_people, lock_family

# Written into the ledger and the outbox, where a person's words must not stand.
_WHY = "Personal data erased."

# Evaluations have no index by member of their own; the transactions, which have one, lead there.
_EMPTY_INPUTS = """
UPDATE promotions_evaluation e SET inputs = NULL
FROM ledger_transaction t
WHERE t.member_id = ANY (%s) AND e.transaction_id = t.id AND e.inputs IS NOT NULL
"""


@dataclass(frozen=True, slots=True)
class Erased:
    """Who was erased: the number that stays, those merged into it, and the points forfeited."""

    number: str
    erased_at: datetime
    merged_from: tuple[str, ...]
    forfeited: dict[int, int]


def erase_member(member: dict[str, Any], *, by: Actor, at: datetime, reason: str = "") -> Erased:
    """Close a membership and erase who the member was, with all merged into it; a step.

    Points go by the programme's closing balance: forfeited, or kept until they expire. Purchases
    stay under the member's number, a pseudonym; what was seen in them is emptied, so that no
    return of them is evaluated again. Erased before: nothing happens, the first time is returned.

    :raises MemberNotFound: if the reference names nobody.
    :raises StageTransitionForbidden: if the number is of a member who was merged.
    """
    assert connection.in_atomic_block
    moved = change_member(member, Wanted(stage=Member.Stage.CLOSED, reason=_WHY, by=by), at=at)
    people = lock_family(moved.change.member_id)
    erase_people(people, by=by, at=at, reason=reason)
    with connection.cursor() as cursor:
        cursor.execute(_EMPTY_INPUTS, [[each.pk for each in people]])
    survivor = next(each for each in people if each.pk == moved.change.member_id)
    return Erased(
        number=survivor.number,
        erased_at=survivor.erased_at or at,
        merged_from=tuple(each.number for each in people if each is not survivor),
        forfeited=moved.forfeited,
    )
