"""Aliases: binding a name of another system to a member, and giving it up.

A value belongs to one member per provider, which a unique constraint keeps. One that was given up
is kept from others for the provider's quarantine: phone numbers are given out again.
"""

from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import connection
from django.db.models import Q
from django.utils.crypto import salted_hmac

from loyalty.caller import Actor, CallerKind
from loyalty.errors import FieldError, ValidationFailed
from loyalty.models import IdentityProvider, Program
from loyalty.patterns import matches
from loyalty.services import outbox
from members import stages
from members.alias_forms import CONTACTS, EMAIL, masked_value, sought_form, stored_form
from members.contacts import NotAContact
from members.errors import (
    AliasLimitReached,
    AliasNotFound,
    AliasProofInvalid,
    AliasProofNeeded,
    AliasTaken,
    ProviderInactive,
    ProviderNotFound,
    StageForbids,
)
from members.models import Alias, Member, ReleasedAlias, Verification
from members.services import activity
from members.services.cards import lock_member

PROOF_LASTS = timedelta(days=1)  # How long ago a contact may have been confirmed to prove one.


def bind_alias(
    member: Member,
    provider_code: str,
    value: str,
    *,
    by: Actor,
    at: datetime,
    replaces: str | None = None,
    proof: UUID | None = None,
    pointer: str = "/value",
) -> Alias:
    """Bind a value to a member; a step. One that the member has already changes nothing.

    `replaces` names the value that goes for it. `proof` is the id of a verification that the
    member confirmed; a contact that the profile knows as confirmed needs none. A member who binds
    an e-mail address or a phone number has to prove it; clients vouch for what they send.

    :raises ProviderNotFound, ProviderInactive: if no aliases are taken of this provider.
    :raises ValidationFailed: if the value is not in the provider's form.
    :raises AliasTaken: if another member has the value, or gave it up lately.
    :raises AliasLimitReached: if the member has as many as the provider allows.
    :raises AliasNotFound: if `replaces` is not an alias of the member.
    :raises AliasProofNeeded, AliasProofInvalid: if a member does not prove a contact.
    :raises StageForbids: if the membership is over or disabled.
    """
    assert connection.in_atomic_block
    provider = _provider(provider_code)
    if not provider.active:
        raise ProviderInactive(provider.code)
    stored = _stored(provider, value, pointer)
    owner = lock_member(member.pk)
    if not stages.may_hold_cards(owner.stage):
        raise StageForbids(stage=owner.stage, action="get an alias")
    verified = _is_proven(owner, provider, stored, proof, at)
    if not verified and by.kind == CallerKind.MEMBER and provider.kind in CONTACTS:
        raise AliasProofNeeded
    known = Alias.objects.filter(member=owner, provider=provider, value=stored).first()
    if known is not None:
        return _noted_as_verified(known, verified, at)
    replaced = _alias_of(owner, provider, replaces) if replaces is not None else None
    has = Alias.objects.filter(member=owner, provider=provider).count()
    if has - (replaced is not None) >= provider.max_per_member:
        raise AliasLimitReached(at_most=provider.max_per_member)
    if replaced is not None:
        release(replaced, at=at)
        _tell(owner, "ALIAS_REMOVED", provider, replaced.value, by=by, at=at)
    alias = store_alias(owner, provider, stored, verified_at=at if verified else None, at=at)
    _leave_quarantine(owner, provider, stored, at)
    _tell(owner, "ALIAS_ADDED", provider, stored, by=by, at=at, verified=verified)
    _announce(owner, by, at)
    return alias


def remove_alias(
    member: Member, provider_code: str, value: str, *, by: Actor, at: datetime, reason: str = ""
) -> None:
    """Take an alias from a member; a step. Nobody else gets the value before its quarantine ends.

    :raises ProviderNotFound: if there is no such provider; an inactive one still gives up its own.
    :raises AliasNotFound: if the value is not an alias of the member.
    """
    assert connection.in_atomic_block
    provider = _provider(provider_code)
    owner = lock_member(member.pk)
    alias = _alias_of(owner, provider, value)
    release(alias, at=at)
    _tell(owner, "ALIAS_REMOVED", provider, alias.value, by=by, at=at, reason=reason)
    _announce(owner, by, at)


def release(alias: Alias, *, at: datetime) -> None:
    """Delete an alias and begin its value's quarantine; a step, which tells nobody."""
    assert connection.in_atomic_block
    provider = alias.provider
    alias.delete()
    if provider.quarantine:
        ReleasedAlias.objects.update_or_create(
            provider=provider,
            value_hash=hash_of(provider, alias.value),
            defaults={
                "masked": masked_value(provider.kind, alias.value),
                "member_id": alias.member_id,
                "released_at": at,
                "until": at + provider.quarantine,
            },
        )


def store_alias(
    member: Member,
    provider: IdentityProvider,
    value: str,
    *,
    verified_at: datetime | None,
    at: datetime,
) -> Alias:
    """Store a value of a locked member. A twin that takes it at once waits here for the other.

    :raises AliasTaken: if another member has it.
    """
    alias = Alias(
        member=member, provider=provider, value=value, verified_at=verified_at, added_at=at
    )
    Alias.objects.bulk_create([alias], ignore_conflicts=True)
    found = Alias.objects.select_related("provider").get(provider=provider, value=value)
    if found.member_id != member.pk:
        raise AliasTaken
    return found


def hash_of(provider: IdentityProvider, value: str) -> bytes:
    """Return under what a released value is kept: only who has the value finds it."""
    return salted_hmac(
        f"laurel.alias.{provider.pk}", value, secret=settings.SECRET_KEY, algorithm="sha256"
    ).digest()


def forget_released(*, at: datetime) -> int:
    """Delete what was in quarantine and no longer is; return how many. For the night."""
    return ReleasedAlias.objects.filter(until__lte=at).delete()[0]


def _provider(code: str) -> IdentityProvider:
    found = IdentityProvider.objects.filter(code=code).first()
    if found is None:
        raise ProviderNotFound
    return found


def _region() -> str:
    return Program.objects.values_list("phone_region", flat=True).get(pk=1)


def _stored(provider: IdentityProvider, value: str, pointer: str) -> str:
    try:
        stored = stored_form(provider.kind, value, _region())
    except NotAContact:
        stored = None
    if stored is None or not matches(provider.pattern, stored):
        message = f"This is not in the form of {provider.name}."
        raise ValidationFailed([FieldError(pointer, "NOT_IN_FORM", message)])
    return stored


def _alias_of(member: Member, provider: IdentityProvider, value: str) -> Alias:
    wanted = sought_form(provider.kind, value, _region())
    found = Alias.objects.filter(member=member, provider=provider, value=wanted)
    alias = found.select_related("provider").first()
    if alias is None:
        raise AliasNotFound
    return alias


def _is_proven(
    member: Member,
    provider: IdentityProvider,
    value: str,
    proof: UUID | None,
    at: datetime,
) -> bool:
    """Return whether the member confirmed a contact; a proof that proves nothing is refused."""
    if proof is not None:
        confirmed = Verification.objects.filter(
            pk=proof,
            member=member,
            purpose=Verification.Purpose.CONTACT,
            to=value,
            used_at__gt=at - PROOF_LASTS,
        )
        if provider.kind not in CONTACTS or not confirmed.exists():
            raise AliasProofInvalid
        return True
    if provider.kind not in CONTACTS:
        return False
    if provider.kind == EMAIL:
        return member.email == value and member.email_confirmed_at is not None
    return member.phone == value and member.phone_confirmed_at is not None


def _noted_as_verified(alias: Alias, verified: bool, at: datetime) -> Alias:
    if verified and alias.verified_at is None:
        alias.verified_at = at
        alias.save(update_fields=["verified_at"])
    return alias


def _leave_quarantine(member: Member, provider: IdentityProvider, value: str, at: datetime) -> None:
    """Let the member who gave a value up take it back, and refuse it to others for the while.

    Looked at after the value was stored: who gave it up at the same time has committed by then.
    """
    held = ReleasedAlias.objects.filter(provider=provider, value_hash=hash_of(provider, value))
    own = Q(member=member) | Q(member__merged_into=member)
    if held.filter(until__gt=at).exclude(own).exists():
        raise AliasTaken
    held.delete()


def _tell(
    member: Member,
    kind: str,
    provider: IdentityProvider,
    value: str,
    *,
    by: Actor,
    at: datetime,
    reason: str = "",
    **more: bool,
) -> None:
    data = {"provider": provider.code, "value": masked_value(provider.kind, value), **more}
    activity.record(member.pk, kind, by=by, at=at, reason=reason, data=data)


def _announce(member: Member, by: Actor, at: datetime) -> None:
    outbox.record(
        "member.updated",
        at=at,
        member_id=member.pk,
        partner_id=by.partner_id,
        payload={"fields": ["aliases"]},
    )
