"""OAuth scopes: one per action (API.md 3)."""

from enum import StrEnum


class Scope(StrEnum):
    """What a token may do."""

    POINTS_READ = "points:read"
    POINTS_EARN = "points:earn"
    POINTS_REDEEM = "points:redeem"
    POINTS_REVERSE = "points:reverse"
    POINTS_LOCK = "points:lock"
    POINTS_FREEZE = "points:freeze"
    POINTS_ADJUST = "points:adjust"
    EVENTS_WRITE = "events:write"
    CARDS_VALIDATE = "cards:validate"
    CARDS_WRITE = "cards:write"
    MEMBERS_READ = "members:read"
    MEMBERS_WRITE = "members:write"
    PINS_VERIFY = "pins:verify"
    PINS_WRITE = "pins:write"
    SESSIONS_WRITE = "sessions:write"
    STAGES_WRITE = "stages:write"
    TIERS_WRITE = "tiers:write"
    SEGMENTS_WRITE = "segments:write"
    BENEFITS_USE = "benefits:use"
    VOUCHERS_READ = "vouchers:read"
    VOUCHERS_USE = "vouchers:use"
    VOUCHERS_WRITE = "vouchers:write"
    SUBSCRIPTIONS_WRITE = "subscriptions:write"
    PROMOTIONS_READ = "promotions:read"
    PROMOTIONS_WRITE = "promotions:write"
    PARTNERS_READ = "partners:read"
    PARTNERS_WRITE = "partners:write"
    MASTERS_READ = "masters:read"
    MASTERS_WRITE = "masters:write"
    PROGRAM_READ = "program:read"
    SWEEPSTAKES_READ = "sweepstakes:read"
    SWEEPSTAKES_WRITE = "sweepstakes:write"
    WEBHOOKS_WRITE = "webhooks:write"


HOUSE_ONLY = frozenset(
    {
        Scope.POINTS_ADJUST,
        Scope.POINTS_FREEZE,
        Scope.CARDS_WRITE,
        Scope.PINS_WRITE,
        Scope.SESSIONS_WRITE,
        Scope.TIERS_WRITE,
        Scope.STAGES_WRITE,
        Scope.VOUCHERS_WRITE,
        Scope.SEGMENTS_WRITE,
        Scope.PROMOTIONS_WRITE,
        Scope.PARTNERS_WRITE,
        Scope.MASTERS_WRITE,
        Scope.SWEEPSTAKES_WRITE,
    }
)
FOR_PARTNERS = frozenset(Scope) - HOUSE_ONLY
