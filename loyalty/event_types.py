"""The events that subscribers may be told of (API.md 7)."""

EVENT_TYPES = (
    "points.earn",
    "points.bonus",
    "points.redemption",
    "points.earn_reversal",
    "points.return",
    "points.redemption_reversal",
    "points.return_reversal",
    "points.lock",
    "points.unlock",
    "points.release",
    "points.expiry",
    "points.adjustment",
    "points.transfer",
    "points.expiring",
    "member.enrolled",
    "member.updated",
    "member.stage_changed",
    "member.tier_changed",
    "member.merged",
    "card.replaced",
    "voucher.issued",
    "voucher.used",
    "voucher.cancelled",
    "voucher.expired",
    "benefit.used",
    "subscription.started",
    "subscription.renewal_due",
    "subscription.renewed",
    "subscription.ended",
    "sweepstake.drawn",
    "promotion.changed",
    "job.finished",
)

# Events of the house's own doing that concern every partner with points in them: whether a partner
# sees one is decided when its object is made.
FOR_ISSUERS = ("points.expiry",)


def is_pattern(text: str) -> bool:
    """Return whether a text names an event type, or a group of them such as `points.*`."""
    if text.endswith(".*"):
        return any(each.startswith(text[:-1]) for each in EVENT_TYPES)
    return text in EVENT_TYPES


def types_of(patterns: list[str]) -> list[str]:
    """Return the event types that patterns name."""
    prefixes = tuple(each[:-1] for each in patterns if each.endswith(".*"))
    return [each for each in EVENT_TYPES if each in patterns or each.startswith(prefixes)]
