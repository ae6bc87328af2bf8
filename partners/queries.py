"""Reads of the partners app."""

import hashlib
from datetime import datetime

from django.utils import timezone
from oauth2_provider.models import get_access_token_model

from loyalty.caller import Caller
from partners.errors import PartnerNotFound
from partners.models import ApiClient, Partner


def caller_of_token(token: str) -> tuple[Caller, datetime] | None:
    """Return the client behind a token and when the token ends; None if it is not valid.

    Two queries, on a token that was not seen lately: the token with its client, then the house.
    A client of an inactive partner is nobody. The scopes are those of the token that the client
    still holds, so taking a right away works at once where the token is looked up anew.
    """
    found = (
        get_access_token_model()
        .objects.filter(token_checksum=hashlib.sha256(token.encode()).hexdigest())
        .filter(expires__gt=timezone.now())
        .values_list("application_id", "scope", "expires", "application__client_id")
        .first()
    )
    if found is None:
        return None
    application_id, scope, expires_at, client_id = found
    client = (
        ApiClient.objects.filter(application_id=application_id).select_related("partner").first()
    )
    if client is None or client.public:
        return None
    partner = client.partner or house()
    if partner.status != Partner.Status.ACTIVE:
        return None
    caller = Caller(
        client_id=client_id,
        partner_id=partner.pk,
        partner_code=partner.code,
        house=client.partner_id is None,
        scopes=frozenset(scope.split()) & frozenset(client.scopes),
        rate_limit_per_minute=client.rate_limit_per_minute,
    )
    return caller, expires_at


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
