"""How a voucher is shown at a till."""

from typing import Annotated
from uuid import UUID

from msgspec import Meta

from loyalty.api.fields import Body, Reference
from loyalty.errors import FieldError, ValidationFailed

VoucherCode = Annotated[str, Meta(min_length=4, max_length=64, pattern=r"^[A-Za-z0-9 -]+$(?!\n)")]


class UseReference(Body, kw_only=True):
    """An earlier hold or use, by its id or by the reference it was given."""

    id: UUID | None = None
    reference: Reference | None = None

    def named(self, pointer: str = "/original") -> UUID | str:
        """Return what it names.

        :raises ValidationFailed: if not exactly one of id and reference is given.
        """
        if (self.id is None) == (self.reference is None):
            message = "Give exactly one of id and reference."
            raise ValidationFailed([FieldError(pointer, "EXACTLY_ONE", message)])
        return self.id or self.reference or ""
