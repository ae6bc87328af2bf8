"""What waits for a second person, where the programme asks for four eyes."""

from datetime import datetime
from typing import Any

from django.db import connection

from loyalty.models import Program
from promotions.models import Promotion, PromotionApproval, PromotionStatus, PromotionVersion

WAITING = PromotionApproval.State.WAITING


def second_person_needed() -> bool:
    """Return whether the programme asks for a second person before anything goes live."""
    return Program.objects.filter(pk=1, four_eyes=True).exists()


def waiting_of(promotion: Promotion) -> PromotionApproval | None:
    """Return what waits of a promotion, if anything does."""
    return promotion.approvals.filter(state=WAITING).first()


def ask(
    promotion: Promotion,
    definition: dict[str, Any],
    *,
    version: PromotionVersion | None,
    at: datetime,
    by: str,
    reason: str = "",
) -> PromotionApproval:
    """Let a definition wait, as a version that is there or is to be made; a step.

    The same again changes nothing; another takes the place of what waits.
    """
    assert connection.in_atomic_block
    known = waiting_of(promotion)
    if known is not None and known.definition == definition and known.version == version:
        return known
    supersede(promotion, at=at, by=by)
    asked = PromotionApproval.objects.create(
        promotion=promotion,
        version=version,
        definition=definition,
        asked_at=at,
        asked_by=by,
        asked_reason=reason,
    )
    what = f"version {version.number}" if version else "a new version"
    note(promotion, f"{by} asks for {what} to go live. {reason}".strip(), at=at)
    return asked


def supersede(promotion: Promotion, *, at: datetime, by: str) -> None:
    """Take back what waits of a promotion, since it was changed otherwise; a step."""
    assert connection.in_atomic_block
    promotion.approvals.filter(state=WAITING).update(
        state=PromotionApproval.State.SUPERSEDED, decided_at=at, decided_by=by
    )


def note(promotion: Promotion, reason: str, *, at: datetime) -> None:
    """Add a line to a promotion's history that leaves its status as it is; a step."""
    assert connection.in_atomic_block
    PromotionStatus.objects.create(
        promotion=promotion, status=promotion.status, since=at, reason=reason[:4000]
    )
