"""Reads of the programme's look-up lists. Each is one query."""

from datetime import datetime
from decimal import Decimal

from django.db.models import OuterRef, Subquery

from loyalty.models import (
    CommunicationCategory,
    CommunicationChannel,
    Currency,
    CurrencyRate,
    IdentityProvider,
    Language,
)


def languages() -> list[Language]:
    """Return the active languages with their fallbacks, the default first."""
    rows = Language.objects.filter(active=True).select_related("fallback")
    return list(rows.order_by("-is_default", "code"))


def currencies(at: datetime) -> list[tuple[Currency, Decimal | None]]:
    """Return the currencies that the programme knows, each with its rate at an instant.

    The latest rate that has begun holds, unless it is over. One query.
    """
    begun = CurrencyRate.objects.filter(currency=OuterRef("pk"), valid_from__lte=at)
    latest = begun.order_by("-valid_from")
    rows = Currency.objects.filter(active=True).annotate(
        rate=Subquery(latest.values("rate")[:1]), until=Subquery(latest.values("valid_to")[:1])
    )
    return [
        (each, each.rate if each.until is None or at < each.until else None)
        for each in rows.order_by("code")
    ]


def communication_categories() -> list[CommunicationCategory]:
    """Return what members may be written to about now."""
    return list(CommunicationCategory.objects.filter(active=True).order_by("code"))


def communication_channels() -> list[CommunicationChannel]:
    """Return how members may be reached now."""
    return list(CommunicationChannel.objects.filter(active=True).order_by("code"))


def identity_providers() -> list[IdentityProvider]:
    """Return the providers that take aliases now; aliases of others still name their members."""
    return list(IdentityProvider.objects.filter(active=True).order_by("code"))
