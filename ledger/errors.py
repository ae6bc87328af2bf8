"""Every refusal of the ledger."""

from datetime import date, datetime
from typing import Any

from loyalty.errors import Conflict, NotFound, Refused


class TransactionNotFound(NotFound):
    """The earlier transaction is not here (yet), or not the caller's."""

    code = "TRANSACTION_NOT_FOUND"
    title = "Transaction not found"

    def __init__(self) -> None:
        super().__init__("No such transaction. If it was sent just now, send this again later.")


class BookMoved(Conflict):
    """A member was merged while the call was under way: its points are elsewhere now."""

    code = "BOOK_MOVED"
    title = "The points have moved"

    def __init__(self) -> None:
        super().__init__("One of the members was merged just now. Read both again.")


class LockNotFound(NotFound):
    """The lock is not here, or not the caller's."""

    code = "LOCK_NOT_FOUND"
    title = "Lock not found"

    def __init__(self) -> None:
        super().__init__("No such lock.")


class PointTypeUnknown(Refused):
    """The programme has no such point type, or no longer uses it."""

    code = "POINT_TYPE_UNKNOWN"
    title = "Point type unknown"

    def __init__(self, code: str) -> None:
        super().__init__(f"The programme has no point type {code!r}.", type_wanted=code)


class InsufficientPoints(Refused):
    """The book holds fewer points than the posting would take."""

    code = "INSUFFICIENT_POINTS"
    title = "Not enough points"

    def __init__(self, *, requested: int, available: int) -> None:
        super().__init__(
            f"{requested} points were requested, {available} are available.",
            requested=requested,
            available=available,
            missing=requested - available,
        )


class BelowMinimum(Refused):
    """A redemption is smaller than its point type allows."""

    code = "BELOW_MINIMUM"
    title = "Below the minimum"

    def __init__(self, *, requested: int, minimum: int) -> None:
        super().__init__(
            f"{requested} points were requested, the least is {minimum}.",
            requested=requested,
            minimum=minimum,
        )


class ExchangeAboveMaximum(Refused):
    """An exchange is greater than the partner takes at once."""

    code = "EXCHANGE_ABOVE_MAXIMUM"
    title = "More than the partner takes at once"

    def __init__(self, *, requested: int, maximum: int) -> None:
        super().__init__(
            f"{requested} points were offered, the most is {maximum}.",
            requested=requested,
            maximum=maximum,
        )


class OffStep(Refused):
    """A redemption is not a multiple of its point type's step."""

    code = "OFF_STEP"
    title = "Off the step"

    def __init__(self, *, requested: int, step: int) -> None:
        super().__init__(
            f"{requested} points is not a multiple of {step}.", requested=requested, step=step
        )


class LimitReached(Refused):
    """A limit of the programme would be passed."""

    code = "LIMIT_REACHED"
    title = "Limit reached"

    def __init__(self, *, limit: int, used: int, requested: int) -> None:
        super().__init__(
            f"{used} of {limit} points a day are used; {requested} more would pass the limit.",
            limit=limit,
            used=used,
            requested=requested,
        )


class NotRedeemable(Refused):
    """Points of this type are not for spending."""

    code = "NOT_REDEEMABLE"
    title = "Not redeemable"

    def __init__(self, code: str) -> None:
        super().__init__(f"Points of type {code} cannot be redeemed.")


class NoRate(Refused):
    """There is no dated money value for the points in the currency."""

    code = "NO_RATE"
    title = "No rate"

    def __init__(self, *, currency: str, at: datetime) -> None:
        super().__init__(f"No rate for {currency} is in force at {at:%Y-%m-%d}.", currency=currency)


class OfflineFloor(Refused):
    """A redemption granted offline is larger than the programme allows offline."""

    code = "OFFLINE_FLOOR"
    title = "Above the offline floor"

    def __init__(self, *, floor: str) -> None:
        super().__init__(f"Offline redemptions are limited to {floor}.", floor=floor)


class TooOld(Refused):
    """The till's time is longer ago than the programme accepts."""

    code = "TOO_OLD"
    title = "Too long ago"

    def __init__(self, *, accepted_from: datetime) -> None:
        super().__init__(
            f"occurred_at may not be before {accepted_from:%Y-%m-%dT%H:%M:%SZ}.",
            accepted_from=accepted_from,
        )


class InFuture(Refused):
    """The till's time has not come yet."""

    code = "IN_FUTURE"
    title = "In the future"

    def __init__(self, *, accepted_to: datetime) -> None:
        super().__init__(
            f"occurred_at may not be after {accepted_to:%Y-%m-%dT%H:%M:%SZ}.",
            accepted_to=accepted_to,
        )


class AlreadyReversed(Conflict):
    """Nothing of the earlier transaction is left to take back."""

    code = "ALREADY_REVERSED"
    title = "Already reversed"

    def __init__(self) -> None:
        super().__init__("Nothing of that transaction is left to reverse.")


class LockResolved(Conflict):
    """The lock was released, captured or ended before."""

    code = "LOCK_RESOLVED"
    title = "Lock resolved"

    def __init__(self) -> None:
        super().__init__("The lock no longer holds any points.")


class ReversalExceeds(Refused):
    """More points would come back than the redemption took and was not yet given back."""

    code = "REVERSAL_EXCEEDS_REDEMPTION"
    title = "More than was redeemed"

    def __init__(self, *, requested: int, left: int) -> None:
        super().__init__(
            f"{requested} points were requested, {left} can be reversed.",
            requested=requested,
            left=left,
        )


class ReversalRefused(Refused):
    """The points were spent, and their type refuses to take them back."""

    code = "POINTS_SPENT"
    title = "Points already spent"

    def __init__(self, *, points: int, **extra: Any) -> None:
        super().__init__(
            f"{points} of the points were spent, and this programme does not take them back.",
            spent=points,
            **extra,
        )


class MonthNotOver(Refused):
    """A month is settled when it is over: until then more is posted into it."""

    code = "MONTH_NOT_OVER"
    title = "The month is not over"

    def __init__(self, month: date) -> None:
        super().__init__(f"{month:%B %Y} is not over.", month=f"{month:%Y-%m}")
