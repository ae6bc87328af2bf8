"""The currencies in which a member reads values: for display and valuation, never for points.

Of a member who chose none, the programme's is the default one.
"""

from datetime import datetime

from django.db import connection

from loyalty.caller import Actor
from loyalty.models import Currency, Program
from loyalty.services import outbox
from members.errors import CurrencyIsDefault, CurrencyNotFound, CurrencyUnknown
from members.models import Member, MemberCurrency
from members.services import activity
from members.services.cards import lock_member


def add_currency(member: Member, code: str, *, default: bool, by: Actor, at: datetime) -> None:
    """Add a currency to a member's, or make it the default one; a step.

    What is so already changes nothing. Balances and histories stay as they are.

    :raises CurrencyUnknown: if the programme does not know the currency, or no longer uses it.
    """
    assert connection.in_atomic_block
    if not Currency.objects.filter(code=code, active=True).exists():
        raise CurrencyUnknown(code)
    owner = lock_member(member.pk)
    has, first = currencies_of(owner)
    if code not in has:
        MemberCurrency.objects.create(member=owner, currency=code)
        activity.record(owner.pk, "CURRENCY_ADDED", by=by, at=at, data={"currency": code})
    if default and code != first:
        Member.objects.filter(pk=owner.pk).update(currency=code)
        # The one that was the default stays among the member's, the programme's too.
        MemberCurrency.objects.get_or_create(member=owner, currency=first)
        data = {"from": first, "to": code}
        activity.record(owner.pk, "DEFAULT_CURRENCY_CHANGED", by=by, at=at, data=data)
    elif code in has:
        return
    _announce(owner, by, at)


def remove_currency(member: Member, code: str, *, by: Actor, at: datetime) -> None:
    """Take a currency from a member's; a step. The default one stays, so there is always one.

    :raises CurrencyIsDefault: if values are shown in it; make another the default first.
    :raises CurrencyNotFound: if it is not among the member's.
    """
    assert connection.in_atomic_block
    owner = lock_member(member.pk)
    has, first = currencies_of(owner)
    if code == first:
        raise CurrencyIsDefault(code)
    if code not in has:
        raise CurrencyNotFound
    MemberCurrency.objects.filter(member=owner, currency=code).delete()
    activity.record(owner.pk, "CURRENCY_REMOVED", by=by, at=at, data={"currency": code})
    _announce(owner, by, at)


def currencies_of(member: Member) -> tuple[list[str], str]:
    """Return a member's currencies, the default one among them, and which that is."""
    first = member.currency or Program.objects.values_list("currency", flat=True).get(pk=1)
    has = set(MemberCurrency.objects.filter(member=member).values_list("currency", flat=True))
    return sorted(has | {first}), first


def _announce(member: Member, by: Actor, at: datetime) -> None:
    outbox.record(
        "member.updated",
        at=at,
        member_id=member.pk,
        partner_id=by.partner_id,
        payload={"fields": ["currencies"]},
    )
