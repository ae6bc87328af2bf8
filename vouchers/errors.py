"""Every refusal of vouchers, benefits and subscriptions."""

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
