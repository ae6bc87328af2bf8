"""Whose person a caller may see (API.md 3, What a partner sees).

Every partner may serve every member. But profile, contacts, aliases, cards, segments and consents
are shown to a partner only of members whom it enrolled, or who agreed to be shared; of others it
sees number, masked name, stage, tier and balances.
"""

from loyalty.caller import Caller, CallerKind
from members.models import Member
from members.queries.consents import shares_with_partners


def sees_person(caller: Caller, member: Member) -> bool:
    """Return whether a caller may see who a member is. At most one query.

    The house may, the member itself, and partners as above; a public client never.
    """
    if caller.house or (caller.member_id is not None and caller.member_id == member.pk):
        return True
    if caller.kind is not CallerKind.CLIENT:
        return False
    return member.enrolled_by_id == caller.partner_id or shares_with_partners(member.pk)
