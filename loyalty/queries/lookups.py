"""Reads of the programme's look-up lists. Each is one query."""

from loyalty.models import (
    CommunicationCategory,
    CommunicationChannel,
    Currency,
    IdentityProvider,
    Language,
)


def languages() -> list[Language]:
    """Return the active languages with their fallbacks, the default first."""
    rows = Language.objects.filter(active=True).select_related("fallback")
    return list(rows.order_by("-is_default", "code"))


def currencies() -> list[Currency]:
    """Return the currencies that the programme knows now."""
    return list(Currency.objects.filter(active=True).order_by("code"))


def communication_categories() -> list[CommunicationCategory]:
    """Return what members may be written to about now."""
    return list(CommunicationCategory.objects.filter(active=True).order_by("code"))


def communication_channels() -> list[CommunicationChannel]:
    """Return how members may be reached now."""
    return list(CommunicationChannel.objects.filter(active=True).order_by("code"))


def identity_providers() -> list[IdentityProvider]:
    """Return the providers that take aliases now; aliases of others still name their members."""
    return list(IdentityProvider.objects.filter(active=True).order_by("code"))
