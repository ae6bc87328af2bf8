import secrets
from collections.abc import Iterable
from datetime import timedelta

import factory
from django.utils import timezone
from oauth2_provider.models import get_access_token_model, set_token_value

from loyalty.scopes import FOR_PARTNERS, Scope
from partners.models import ApiClient, Outlet, Partner
from partners.services.clients import create_client


class PartnerFactory(factory.django.DjangoModelFactory[Partner]):
    """A merchant; `outlets=["S1"]` gives it outlets."""

    class Meta:
        model = Partner
        skip_postgeneration_save = True

    code = factory.Sequence(lambda n: f"PARTNER-{n}")
    name = factory.LazyAttribute(lambda partner: partner.code.title())

    @factory.post_generation
    def outlets(self, create, extracted, **kwargs):
        for code in extracted or ():
            Outlet.objects.create(partner=self, code=code, name=code)


def token_of(
    client: ApiClient, scopes: Iterable[str], *, lives: timedelta = timedelta(minutes=30)
) -> str:
    """Return a token of a client, stored as the token end stores it, without its password hash."""
    raw = secrets.token_urlsafe(16)
    token = get_access_token_model()(
        application=client.application,
        expires=timezone.now() + lives,
        scope=" ".join(sorted(scopes)),
    )
    set_token_value(token, raw)
    token.save()
    return raw


def token_for(scopes: Iterable[str] = (), partner: Partner | None = None) -> str:
    """Return a token of a new client of a partner, or of the house; by default for all it may."""
    wanted = list(scopes) or list(FOR_PARTNERS if partner else Scope)
    return token_of(create_client("till", partner=partner, scopes=wanted).client, wanted)
