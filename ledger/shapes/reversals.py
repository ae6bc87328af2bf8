"""The body of every reversal, and how it names the earlier transaction."""

from ledger.services.originals import Original
from ledger.services.reversal import ReversalRequest
from loyalty.api.fields import (
    Body,
    Code,
    Instant,
    OriginalReference,
    Points,
    Reason,
    Reference,
    check_instant,
)
from loyalty.caller import Caller
from loyalty.digest import digest_of
from loyalty.errors import FieldError, ValidationFailed
from partners.queries import partner_id_of


class ReversalBody(Body, kw_only=True):
    """An earlier transaction to take back; of a redemption also a part, in points."""

    original: OriginalReference
    reference: Reference
    occurred_at: Instant
    points: Points | None = None
    outlet: Code | None = None
    reason: Reason | None = None


def reversal_request(
    name: str, body: ReversalBody, caller: Caller, request_id: str
) -> ReversalRequest:
    """Return the body as a reversal's use case takes it."""
    check_instant(body.occurred_at, "/occurred_at")
    return ReversalRequest(
        original=original_of_body(body.original, caller),
        partner_id=caller.partner_id,
        reference=body.reference,
        digest=digest_of(name, body),
        occurred_at=body.occurred_at,
        points=body.points,
        outlet=body.outlet,
        reason=body.reason,
        request_id=request_id,
    )


def original_of_body(body: OriginalReference, caller: Caller) -> Original:
    """Return how the caller names an earlier transaction: a partner reaches its own only."""
    body.check()
    partner_id: int | None = caller.partner_id
    if caller.house:
        if body.partner is not None:
            partner_id = partner_id_of(body.partner)
        elif body.id is not None:
            partner_id = None
    elif body.partner is not None and body.partner != caller.partner_code:
        message = "Only house clients name a partner."
        raise ValidationFailed([FieldError("/original/partner", "HOUSE_ONLY", message)])
    return Original(partner_id, id=body.id, reference=body.reference, kind=body.kind)
