"""Finding the earlier transaction that a reversal, return, lock or unlock names."""

from dataclasses import dataclass
from uuid import UUID

from ledger.errors import TransactionNotFound
from ledger.models import Transaction


@dataclass(frozen=True, slots=True)
class Original:
    """How a caller names an earlier transaction: by id, or by the reference it was given.

    `partner_id` is the partner it must belong to; None lets a house client reach any by id.
    """

    partner_id: int | None
    id: UUID | None = None
    reference: str | None = None
    kind: str | None = None


def original_of(original: Original, *kinds: str) -> Transaction:
    """Return the transaction that is named, of one of `kinds`; where several fit, the first kind.

    :raises TransactionNotFound: if it is not here (yet), of another kind, or another partner's.
    """
    wanted = [original.kind] if original.kind in kinds else list(kinds)
    found = Transaction.objects.filter(kind__in=wanted)
    if original.kind is not None and original.kind not in kinds:
        raise TransactionNotFound
    if original.partner_id is not None:
        found = found.filter(partner_id=original.partner_id)
    if original.id is not None:
        found = found.filter(pk=original.id)
    else:
        found = found.filter(reference=original.reference)
    rows = list(found.order_by("part"))
    if not rows:
        raise TransactionNotFound
    return min(rows, key=lambda row: kinds.index(row.kind))
