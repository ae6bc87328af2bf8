"""Reads of the partners app."""

import hashlib
from datetime import datetime, timedelta

from django.db.models import F, Q, Subquery
from django.db.models.functions import Coalesce
from django.utils import timezone

from loyalty.caller import Caller, CallerKind
from loyalty.scopes import HOUSE_ONLY
from partners.errors import PartnerNotFound
from partners.models import ApiClient, Partner


def caller_of_token(token: str) -> tuple[Caller, datetime] | None:
    """Return the client behind a token and when the token ends; None if it is not valid. One query.

    A client of an inactive partner is nobody. The scopes are those of the token that the client
    still holds, so taking a right away works at once where the token is looked up anew.
    """
    a_token = "application__accesstoken__"
    the_house = Partner.objects.filter(is_house=True)
    found = (
        ApiClient.objects.filter(
            Q(partner=None) | Q(partner__status=Partner.Status.ACTIVE),
            public=False,
            application__accesstoken__token_checksum=checksum_of(token),
            application__accesstoken__expires__gt=timezone.now(),
        )
        .annotate(
            acts_for_id=Coalesce("partner_id", Subquery(the_house.values("pk")[:1])),
            acts_for_code=Coalesce("partner__code", Subquery(the_house.values("code")[:1])),
            client_id=F("application__client_id"),
            token_scope=F(a_token + "scope"),
            token_expires=F(a_token + "expires"),
        )
        .first()
    )
    if found is None:
        return None
    held = frozenset(found.token_scope.split()) & frozenset(found.scopes)
    caller = Caller(
        client_id=found.client_id,
        partner_id=found.acts_for_id,
        partner_code=found.acts_for_code,
        house=found.partner_id is None,
        scopes=held if found.partner_id is None else held - HOUSE_ONLY,
        rate_limit_per_minute=found.rate_limit_per_minute,
    )
    return caller, found.token_expires


PUBLIC_REQUESTS_PER_MINUTE = 60  # Per address: a public client's id is no secret.


def public_caller(client_id: str) -> tuple[Caller, datetime] | None:
    """Return the public client of this id; None if there is none. One query.

    It holds no scope: the views name what public clients may do.
    """
    client = (
        ApiClient.objects.filter(
            Q(partner=None) | Q(partner__status=Partner.Status.ACTIVE),
            public=True,
            application__client_id=client_id,
        )
        .select_related("partner")
        .first()
    )
    if client is None:
        return None
    partner = client.partner or house()
    caller = Caller(
        client_id=client_id,
        partner_id=partner.pk,
        partner_code=partner.code,
        house=False,
        scopes=frozenset(),
        rate_limit_per_minute=PUBLIC_REQUESTS_PER_MINUTE,
        kind=CallerKind.PUBLIC,
    )
    return caller, timezone.now() + timedelta(minutes=30)


def checksum_of(token: str) -> str:
    """Return under what a token is kept: only its hash is stored."""
    return hashlib.sha256(token.encode()).hexdigest()


def house() -> Partner:
    """Return the partner that is the programme itself."""
    return Partner.objects.get(is_house=True)


def partner_id_of(code: str) -> int:
    """Return the id of a partner.

    :raises PartnerNotFound: if there is none of this code.
    """
    found = Partner.objects.filter(code=code).values_list("pk", flat=True).first()
    if found is None:
        raise PartnerNotFound
    return found
