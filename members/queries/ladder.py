"""The ladder in effect."""

from datetime import datetime

from members.models import LadderVersion


def ladder_at(at: datetime) -> LadderVersion | None:
    """Return the version of the ladder in effect at an instant; None before the first. One query.

    Of two that took effect at one instant, the later written is the ladder.
    """
    versions = LadderVersion.objects.filter(effective_from__lte=at)
    return versions.order_by("-effective_from", "-number").first()
