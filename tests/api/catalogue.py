"""The 57 operations by the names that buyers compare, with their routes and scopes.

Paths hold example values: `1000000016` for a member's number, upper case for a code, a UUID for
an id, `product` for an entity, `email` for an identity provider. All else are fixed words.
"""

from dataclasses import dataclass, replace

from django.urls import Resolver404, resolve

from loyalty.scopes import Scope

NUMBER = "1000000016"
ID = "0198c0de-0000-7000-8000-000000000000"


@dataclass(frozen=True)
class Operation:
    """A named operation: its routes as (method, path) with example values, and its scope.

    None is no scope of a client: the token's own address, and what a member's session does.
    `other_scopes` names the routes that need another scope than the operation's first one.
    """

    name: str
    routes: tuple[tuple[str, str], ...]
    scope: Scope | None
    group: str = "Beyond the 57"
    other_scopes: tuple[tuple[tuple[str, str], Scope], ...] = ()

    @property
    def built(self) -> bool:
        """Whether every route leads to an action."""
        return all(_leads(method, path) for method, path in self.routes)

    def scope_of(self, method: str, path: str) -> Scope | None:
        """Return the scope that one of the routes needs."""
        return dict(self.other_scopes).get((method, path), self.scope)


def _leads(method: str, path: str) -> bool:
    try:
        match = resolve(path if path.startswith("/oauth") else f"/api/v1{path}")
    except Resolver404:
        return False
    actions = getattr(match.func, "actions", None)
    return method == "POST" if actions is None else method.lower() in actions


def _row(name: str, scope: Scope | None, *routes: str, **others: Scope) -> Operation:
    """Return a row; `others` are the scopes of methods that need another one, by method."""
    pairs = tuple((method, path) for method, path in (route.split(" ", 1) for route in routes))
    return Operation(
        name,
        pairs,
        scope,
        other_scopes=tuple((pair, others[pair[0]]) for pair in pairs if pair[0] in others),
    )


def _group(name: str, *rows: Operation) -> tuple[Operation, ...]:
    return tuple(replace(row, group=name) for row in rows)


S = Scope
CATALOGUE: tuple[Operation, ...] = (
    *_group(
        "Authentication",
        _row("Generate Access Token", None, "POST /oauth/token/"),
    ),
    *_group(
        "Earn and burn",
        _row("All Transaction", S.POINTS_EARN, "POST /transactions/"),
        _row("Basket Point Evaluation", S.POINTS_READ, "POST /transactions/evaluate/"),
        _row("Earn", S.POINTS_EARN, "POST /transactions/earn/"),
        _row("Earn Reversal", S.POINTS_REVERSE, "POST /transactions/reverse-earn/"),
        _row("Event Rewarding", S.EVENTS_WRITE, "POST /events/"),
        _row("Lock Points", S.POINTS_LOCK, "POST /transactions/lock/"),
        _row("Partial Earn Reversal", S.POINTS_REVERSE, "POST /transactions/return-items/"),
        _row("Redeem Points Voucher", S.POINTS_REDEEM, "POST /vouchers/redeem/"),
        _row("Redemption", S.POINTS_REDEEM, "POST /transactions/redeem/"),
        _row("Redemption Reversal", S.POINTS_REVERSE, "POST /transactions/reverse-redemption/"),
        _row("Unlock Points", S.POINTS_LOCK, "POST /transactions/unlock/"),
    ),
    *_group(
        "Member authentication and registration",
        _row("Card Validate", S.CARDS_VALIDATE, "POST /cards/validate/"),
        _row("Enrollment", S.MEMBERS_WRITE, "POST /members/", f"PATCH /members/{NUMBER}/"),
        _row("Login", S.SESSIONS_WRITE, "POST /sessions/", "POST /sessions/refresh/"),
        _row("Logout", None, "DELETE /sessions/current/"),
        _row(
            "Member Authentication",
            S.PINS_VERIFY,
            f"PUT /members/{NUMBER}/pin/",
            f"POST /members/{NUMBER}/pin/verify/",
            PUT=S.PINS_WRITE,
        ),
    ),
    *_group(
        "Member details",
        _row("Add Member Currency", S.MEMBERS_WRITE, f"POST /members/{NUMBER}/currencies/"),
        _row("Card Replacement", S.CARDS_WRITE, "POST /cards/replace/"),
        _row("Change Password", None, "POST /sessions/current/password/"),
        _row(
            "Forgot Password", S.SESSIONS_WRITE, "POST /passwords/forgot/", "POST /passwords/reset/"
        ),
        _row("Get All Benefits", S.MEMBERS_READ, f"GET /members/{NUMBER}/benefits/"),
        _row("Get All Offers", S.MEMBERS_READ, f"GET /members/{NUMBER}/offers/"),
        _row("Get Member Points Expiry", S.POINTS_READ, f"GET /members/{NUMBER}/points/expiry/"),
        _row("Get Member Subscription", S.MEMBERS_READ, f"GET /members/{NUMBER}/subscriptions/"),
        _row("Member Account History", S.MEMBERS_READ, f"GET /members/{NUMBER}/history/"),
        _row(
            "Member Identity",
            S.MEMBERS_WRITE,
            f"PUT /members/{NUMBER}/aliases/email/",
            f"DELETE /members/{NUMBER}/aliases/email/",
        ),
        _row("Member Info", S.MEMBERS_READ, f"GET /members/{NUMBER}/"),
        _row(
            "Member Info by Alias ID",
            S.MEMBERS_READ,
            "GET /members/by-alias/email/a@example.org/",
            "POST /members/find/",
        ),
        _row("Point Expiry", S.POINTS_ADJUST, f"POST /members/{NUMBER}/points/expire/"),
        _row("Point Status Check", S.POINTS_READ, f"GET /members/{NUMBER}/points/"),
        _row("Status Benefit Check", S.BENEFITS_USE, f"POST /members/{NUMBER}/benefits/PARKING/"),
        _row(
            "Subscription Cancellation",
            S.SUBSCRIPTIONS_WRITE,
            f"POST /members/{NUMBER}/subscriptions/cancel/",
        ),
        _row("Transaction History", S.POINTS_READ, f"GET /members/{NUMBER}/transactions/"),
        _row("Voucher Allocation", S.VOUCHERS_WRITE, f"POST /members/{NUMBER}/vouchers/"),
        _row("Voucher Authentication", S.VOUCHERS_USE, "POST /vouchers/authenticate/"),
        _row("Voucher History", S.VOUCHERS_READ, f"GET /members/{NUMBER}/vouchers/"),
    ),
    *_group(
        "Member segmentation",
        _row("Promotion Segment Mapping", S.PROMOTIONS_WRITE, "POST /promotions/BASE/segments/"),
        _row("Segment Member Mapping", S.SEGMENTS_WRITE, "POST /segments/VIP/members/"),
    ),
    *_group(
        "Programme details",
        _row("Add Partner", S.PARTNERS_WRITE, "PUT /partners/GROCER/"),
        _row(
            "Add/Update Master",
            S.MASTERS_WRITE,
            "PUT /masters/product/123/",
            "PUT /masters/product/",
            "PUT /masters/product/schema/",
        ),
        _row("Exchange Redeem Partner", S.PARTNERS_READ, "GET /partners/exchange/"),
        _row(
            "Get Client Communication Category",
            S.PROGRAM_READ,
            "GET /program/communication-categories/",
        ),
        _row(
            "Get Client Communication Channel",
            S.PROGRAM_READ,
            "GET /program/communication-channels/",
        ),
        _row("Get Client Language", S.PROGRAM_READ, "GET /program/languages/"),
        _row(
            "Get Master Data", S.MASTERS_READ, "GET /masters/product/", "GET /masters/product/123/"
        ),
        _row("Get Partner", S.PARTNERS_READ, "GET /partners/", "GET /partners/GROCER/"),
        _row("Identity Providers", S.PROGRAM_READ, "GET /program/identity-providers/"),
        _row("Partner History", S.PARTNERS_READ, "GET /partners/GROCER/transactions/"),
    ),
    *_group(
        "Programme rules and benefits",
        _row(
            "Add/Update Promotion",
            S.PROMOTIONS_WRITE,
            "PUT /promotions/BASE/",
            "PATCH /promotions/BASE/",
        ),
        _row("Find and Update Member Stage", S.STAGES_WRITE, "POST /members/stage/"),
        _row("Get All Promotions", S.PROMOTIONS_READ, "GET /promotions/", "GET /promotions/BASE/"),
        _row(
            "Get Sweep Stake", S.SWEEPSTAKES_READ, "GET /sweepstakes/", "GET /sweepstakes/SPRING/"
        ),
        _row("Manual Tier Update", S.TIERS_WRITE, f"PUT /members/{NUMBER}/tier/"),
        _row("Subscription", S.SUBSCRIPTIONS_WRITE, f"POST /members/{NUMBER}/subscriptions/"),
        _row("Threshold Redemption", S.PINS_WRITE, f"PUT /members/{NUMBER}/redemption-threshold/"),
        _row("Ticket Allocation", S.SWEEPSTAKES_WRITE, "POST /sweepstakes/SPRING/tickets/"),
    ),
)

BEYOND: tuple[Operation, ...] = (
    _row("Get Transaction", S.POINTS_READ, f"GET /transactions/{ID}/"),
    _row("Find Transaction", S.POINTS_READ, "GET /transactions/"),
    _row("Adjust Points", S.POINTS_ADJUST, "POST /transactions/adjust/"),
    _row("Transaction Batch", S.POINTS_EARN, "POST /transactions/batch/"),
    _row("Import Transaction File", S.POINTS_EARN, "POST /transactions/file/"),
    _row("Get Job", S.PROGRAM_READ, f"GET /jobs/{ID}/"),
    _row("Get Job Errors", S.PROGRAM_READ, f"GET /jobs/{ID}/errors/"),
    _row("Cancel Job", S.PROGRAM_READ, f"POST /jobs/{ID}/cancel/"),
    _row("Restart Job", S.PROGRAM_READ, f"POST /jobs/{ID}/restart/"),
    _row("Erase Member", S.STAGES_WRITE, f"POST /members/{NUMBER}/erase/"),
    _row("Ask for a Code", S.SESSIONS_WRITE, "POST /verifications/"),
    _row("Confirm a Code", S.SESSIONS_WRITE, "POST /verifications/confirm/"),
    _row("Void Transaction", S.POINTS_REVERSE, "POST /transactions/void/"),
    _row("Merge Members", S.STAGES_WRITE, "POST /members/merge/"),
    _row("Unmerge Members", S.STAGES_WRITE, "POST /members/unmerge/"),
    _row("Get Program", S.PROGRAM_READ, "GET /program/"),
    _row("Get Point Types", S.PROGRAM_READ, "GET /program/point-types/"),
    _row("Get Tiers", S.PROGRAM_READ, "GET /program/tiers/"),
    _row("Get Ladder", S.TIERS_WRITE, "GET /program/tiers/ladder/"),
    _row("Update Ladder", S.TIERS_WRITE, "PUT /program/tiers/ladder/"),
    _row("Get Event Types", S.PROGRAM_READ, "GET /program/event-types/"),
    _row("Get Subscription Plans", S.PROGRAM_READ, "GET /program/subscription-plans/"),
    _row("Get Voucher Types", S.PROGRAM_READ, "GET /program/voucher-types/"),
    _row("Get Benefits", S.PROGRAM_READ, "GET /program/benefits/"),
    _row("Put Segment", S.SEGMENTS_WRITE, "PUT /segments/VIP/"),
    _row("Get Segments", S.PROGRAM_READ, "GET /segments/"),
    _row("Get Segment", S.PROGRAM_READ, "GET /segments/VIP/"),
    _row("Refresh Segment", S.SEGMENTS_WRITE, "POST /segments/VIP/refresh/"),
    _row("Import Segment File", S.SEGMENTS_WRITE, "POST /segments/VIP/file/"),
    _row("Get Exchanges", S.PARTNERS_READ, "GET /exchanges/"),
    _row("Settle Exchange", S.POINTS_REVERSE, f"POST /exchanges/{ID}/"),
    _row("Get Master Schema", S.MASTERS_READ, "GET /masters/product/schema/"),
    _row("Retire Master", S.MASTERS_WRITE, "DELETE /masters/product/123/"),
    _row("Get Draw", S.SWEEPSTAKES_READ, "GET /sweepstakes/SPRING/draw/"),
    _row("Get Draw Tickets", S.SWEEPSTAKES_READ, "GET /sweepstakes/SPRING/draw/tickets/"),
    _row("Get Webhooks", S.WEBHOOKS_WRITE, "GET /webhooks/"),
    _row("Get Webhook", S.WEBHOOKS_WRITE, "GET /webhooks/SHOP/"),
    _row("Put Webhook", S.WEBHOOKS_WRITE, "PUT /webhooks/SHOP/"),
    _row("Delete Webhook", S.WEBHOOKS_WRITE, "DELETE /webhooks/SHOP/"),
    _row("Rotate Webhook Secret", S.WEBHOOKS_WRITE, "POST /webhooks/SHOP/rotate/"),
    _row("Get Webhook Deliveries", S.WEBHOOKS_WRITE, "GET /webhooks/SHOP/deliveries/"),
    _row("Retry Webhook Delivery", S.WEBHOOKS_WRITE, f"POST /webhooks/SHOP/deliveries/{ID}/retry/"),
    _row("Issue Card", S.CARDS_WRITE, f"POST /members/{NUMBER}/cards/"),
    _row("Remove Member Currency", S.MEMBERS_WRITE, f"DELETE /members/{NUMBER}/currencies/"),
    _row("Block Card", S.CARDS_WRITE, "POST /cards/block/"),
)
