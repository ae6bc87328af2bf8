"""Every refusal of the partners app."""

from datetime import datetime

from loyalty.errors import Conflict, NotFound, Refused


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


class PartnerInactive(Refused):
    """The partner takes part no longer, or not yet."""

    code = "PARTNER_INACTIVE"
    title = "Partner inactive"

    def __init__(self, partner: str) -> None:
        super().__init__(f"{partner} is not active.", partner=partner)


class HouseStays(Refused):
    """The programme itself is no partner that could be changed."""

    code = "HOUSE_STAYS"
    title = "The house stays as it is"

    def __init__(self) -> None:
        super().__init__("This is the programme itself; its settings are in the back office.")


class RateStands(Refused):
    """A rate that was in force would be changed for the past."""

    code = "RATE_STANDS"
    title = "A rate of the past stands"

    def __init__(self, *, kind: str, point_type: str) -> None:
        super().__init__(
            f"The {kind} rate of {point_type} was in force. End it from now on, and add another.",
            kind=kind,
            type=point_type,
        )


class MonthClosed(Refused):
    """A rate of money would begin in a month that was settled with the partner without it."""

    code = "MONTH_CLOSED"
    title = "The month is closed"

    def __init__(self, *, kind: str, point_type: str, closed_until: datetime) -> None:
        super().__init__(
            f"Months are settled until {closed_until:%Y-%m-%d %H:%M} UTC: let the {kind} rate of"
            f" {point_type} begin then, or later.",
            kind=kind,
            type=point_type,
            closed_until=closed_until,
        )


class NotAnExchangePartner(Refused):
    """The partner takes no points for units of its own, or not of this type."""

    code = "NO_EXCHANGE"
    title = "No exchange"

    def __init__(self, partner: str, point_type: str) -> None:
        super().__init__(f"{partner} takes no {point_type} now.", partner=partner, type=point_type)


class ExchangeNotFound(NotFound):
    """There is no such exchange, or it is another partner's."""

    code = "EXCHANGE_NOT_FOUND"
    title = "Exchange not found"

    def __init__(self) -> None:
        super().__init__("No such exchange.")


class ExchangeSettled(Conflict):
    """An exchange that is done or failed stays so."""

    code = "EXCHANGE_SETTLED"
    title = "The exchange is settled"

    def __init__(self, status: str) -> None:
        super().__init__(f"The exchange is {status}.", exchange_status=status)
