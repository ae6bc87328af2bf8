"""API clients: making one, and rotating its secret."""

import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.contrib.auth.hashers import make_password
from django.db import transaction
from oauth2_provider.models import get_application_model

from loyalty import token_cache
from loyalty.errors import FieldError, ValidationFailed
from loyalty.scopes import FOR_PARTNERS, HOUSE_ONLY, Scope
from partners.models import ApiClient, Partner

SECRET_BYTES = 32


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a client shows for a token. Of the secret only a hash is kept: this shows it once."""

    client: ApiClient
    client_id: str
    client_secret: str


def create_client(
    name: str,
    *,
    partner: Partner | None,
    scopes: Iterable[str] = (),
    rate_limit_per_minute: int = 6000,
    public: bool = False,
) -> Credentials:
    """Make an API client of a partner, or of the house; without scopes it gets all it may hold.

    A public client, an app that can keep no secret, holds no scope: it shows its id alone.

    :raises ValidationFailed: if a scope is unknown, or is for the house only.
    """
    if partner and partner.is_house:
        partner = None  # A client of the house is one without a partner, and there is no other.
    wanted = frozenset(scopes) or (FOR_PARTNERS if partner else frozenset(Scope))
    if public:
        wanted = frozenset()
    check_scopes(wanted, partner)
    secret = secrets.token_urlsafe(SECRET_BYTES)
    applications = get_application_model()
    with transaction.atomic():
        application = applications.objects.create(
            name=name,
            client_type=applications.CLIENT_CONFIDENTIAL,
            authorization_grant_type=applications.GRANT_CLIENT_CREDENTIALS,
            client_secret=secret,
        )
        client = ApiClient.objects.create(
            application=application,
            partner=partner,
            scopes=sorted(wanted),
            public=public,
            rate_limit_per_minute=rate_limit_per_minute,
        )
    return Credentials(client, application.client_id, secret)


def check_scopes(scopes: frozenset[str], partner: Partner | None) -> None:
    """:raises ValidationFailed: if a scope is unknown, or house-only and the client a partner's."""
    for scope in sorted(scopes):
        if scope not in frozenset(Scope):
            raise ValidationFailed([FieldError("/scopes", "UNKNOWN", f"No scope {scope!r}.")])
        if partner and not partner.is_house and scope in HOUSE_ONLY:
            message = f"{scope} is for house clients only."
            raise ValidationFailed([FieldError("/scopes", "HOUSE_ONLY", message)])


def rotate_secret(client: ApiClient, *, at: datetime, both_for: timedelta) -> Credentials:
    """Give a client a new secret; the old one works as the second until `both_for` has passed.

    There are never more than two: rotating again ends the oldest at once. Tokens live on.
    """
    secret = secrets.token_urlsafe(SECRET_BYTES)
    with transaction.atomic():
        held = ApiClient.objects.select_for_update().get(pk=client.pk)
        application = get_application_model().objects.get(pk=held.application_id)
        held.second_secret = application.client_secret
        held.second_secret_until = at + both_for
        held.save(update_fields=["second_secret", "second_secret_until"])
        application.client_secret = make_password(secret)
        application.save(update_fields=["client_secret"])
    return Credentials(held, application.client_id, secret)


def remove_client(client: ApiClient) -> None:
    """Delete a client with its application and its tokens."""
    client.application.delete()
    token_cache.clear()
