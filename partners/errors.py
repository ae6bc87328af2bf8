"""Every refusal of the partners app."""

from loyalty.errors import NotFound, Refused


class PartnerNotFound(NotFound):
    """No such partner."""

    code = "PARTNER_NOT_FOUND"
    title = "Partner not found"

    def __init__(self) -> None:
        super().__init__("No such partner.")


class OutletUnknown(Refused):
    """The outlet is not an active one of the calling partner."""

    code = "OUTLET_UNKNOWN"
    title = "Outlet unknown"

    def __init__(self, *, outlet: str) -> None:
        super().__init__(f"{outlet!r} is not an active outlet of yours.", outlet=outlet)
