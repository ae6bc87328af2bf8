"""Every refusal of vouchers, benefits and subscriptions."""

from typing import Any

from loyalty.errors import Conflict, NotFound, Refused


class PlanNotFound(NotFound):
    """There is no such plan, or it is no longer offered."""

    code = "PLAN_NOT_FOUND"
    title = "Plan not found"

    def __init__(self) -> None:
        super().__init__("No such plan is offered. GET /program/subscription-plans/ lists them.")


class SubscriptionNotFound(NotFound):
    """The member has no such subscription."""

    code = "SUBSCRIPTION_NOT_FOUND"
    title = "Subscription not found"

    def __init__(self) -> None:
        super().__init__("The member has no such subscription.")


class AlreadySubscribed(Conflict):
    """The member has this plan, or another of its group, already."""

    code = "ALREADY_SUBSCRIBED"
    title = "Already subscribed"

    def __init__(self, *, subscription: str, plan: str) -> None:
        super().__init__(
            f"The member has {plan}. Send `change` EXTEND or UPGRADE, or `renews`.",
            subscription=subscription,
            plan=plan,
        )


class SubscriptionOver(Conflict):
    """The subscription has ended, or was cancelled before."""

    code = "SUBSCRIPTION_OVER"
    title = "The subscription is over"

    def __init__(self, *, status: str) -> None:
        super().__init__(f"The subscription is {status}.", subscription_status=status)


class MinimumTerm(Refused):
    """The plan has a shortest time, which has not passed."""

    code = "MINIMUM_TERM"
    title = "Within the minimum term"

    def __init__(self, *, until: object) -> None:
        super().__init__("The plan can be cancelled at once only after its term.", until=until)


class NotEligible(Refused):
    """What is asked for is not for this member; `reason` says why."""

    code = "NOT_ELIGIBLE"
    title = "Not for this member"

    def __init__(self, *, reason: str, detail: str) -> None:
        super().__init__(detail, reason=reason)


class VoucherTypeUnknown(Refused):
    """The programme has no such voucher type, or does not issue it now."""

    code = "VOUCHER_TYPE_UNKNOWN"
    title = "Voucher type unknown"

    def __init__(self, code: str) -> None:
        super().__init__(f"No voucher of type {code!r} is issued now.", voucher_type=code)


class VoucherNotFound(NotFound):
    """There is no such voucher, or it is not for whom it was shown by."""

    code = "VOUCHER_NOT_FOUND"
    title = "Voucher not found"

    def __init__(self) -> None:
        super().__init__("No such voucher. Check the code; guessing is counted.")


class VoucherUsed(Conflict):
    """The voucher was used before; its own partner is told where."""

    code = "VOUCHER_USED"
    title = "Voucher already used"

    def __init__(self, **when_and_where: Any) -> None:
        super().__init__("The voucher was used before.", **when_and_where)


class VoucherReserved(Conflict):
    """Another till holds the voucher."""

    code = "VOUCHER_RESERVED"
    title = "Voucher held by another till"

    def __init__(self, *, until: object) -> None:
        super().__init__("Another till holds the voucher for a moment.", until=until)


class VoucherExpired(Refused):
    """The voucher's time is over, has not begun, or it was cancelled."""

    code = "VOUCHER_EXPIRED"
    title = "Voucher not valid now"

    def __init__(self, *, status: str, detail: str) -> None:
        super().__init__(detail, voucher_status=status)


class VoucherNotHere(Refused):
    """The voucher is for other partners or outlets."""

    code = "VOUCHER_NOT_HERE"
    title = "Voucher not for this place"

    def __init__(self) -> None:
        super().__init__("The voucher is used at other partners or outlets.")


class VoucherTooSmall(Refused):
    """The voucher holds less than was to be used of it."""

    code = "VOUCHER_TOO_SMALL"
    title = "Not enough left on the voucher"

    def __init__(self, *, left: str) -> None:
        super().__init__(f"The voucher has {left} left.", left=left)


class UseNotFound(NotFound):
    """There is no such hold or use of the voucher that could be released or undone."""

    code = "USE_NOT_FOUND"
    title = "Nothing to release or undo"

    def __init__(self) -> None:
        super().__init__("No such hold or use by this partner, or its time to undo is over.")


class OutOfStock(Refused):
    """Fewer are left than were asked for."""

    code = "OUT_OF_STOCK"
    title = "Out of stock"

    def __init__(self, *, left: int) -> None:
        super().__init__(f"{left} are left.", left=left)


class VoucherLimit(Refused):
    """The member has got as many of the type as one may have."""

    code = "VOUCHER_LIMIT"
    title = "No more for this member"

    def __init__(self, *, at_most: int, held: int) -> None:
        super().__init__(f"A member gets {at_most}; {held} were got.", at_most=at_most, held=held)


class WholeOnly(Refused):
    """A redemption that bought vouchers, or of several point types, is taken back whole."""

    code = "WHOLE_ONLY"
    title = "Only as a whole"

    def __init__(self) -> None:
        super().__init__("These points come back all at once: leave points out.")


class BenefitNotFound(NotFound):
    """There is no such benefit."""

    code = "BENEFIT_NOT_FOUND"
    title = "Benefit not found"

    def __init__(self) -> None:
        super().__init__("No such benefit. GET /program/benefits/ lists them.")


class QuotaEmpty(Refused):
    """The member has used up what there is of the benefit for now."""

    code = "QUOTA_EMPTY"
    title = "Quota used up"

    def __init__(self, *, left: int, resets_at: object) -> None:
        super().__init__(f"{left} are left.", left=left, resets_at=resets_at)
