"""What members agree to now."""

from loyalty.models import CommunicationCategory
from members.models import Consent

SHARING = "partner-sharing"  # Who agrees to it lets every partner see the profile.


def consents_of(member_id: int) -> list[Consent]:
    """Return the latest word of a member on each category and channel. One query."""
    return list(
        Consent.objects.filter(member_id=member_id)
        .order_by("category", "channel", "-at", "-id")
        .distinct("category", "channel")
    )


def shares_with_partners(member_id: int) -> bool:
    """Return whether a member lets every partner see the profile. One query."""
    latest = (
        Consent.objects.filter(member_id=member_id, category=SHARING)
        .order_by("-at", "-id")
        .values_list("given", flat=True)
        .first()
    )
    return latest is True


def defaults() -> dict[str, bool]:
    """Return what holds of each category until a member says something. One query."""
    categories = CommunicationCategory.objects.filter(active=True)
    return dict(categories.values_list("code", "consent_default"))
