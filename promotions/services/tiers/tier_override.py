"""Manual Tier Update: a tier whatever the rules say, for a time, with a reason."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection

from ledger.queries.configuration import configuration
from ledger.queries.tiers import Override
from ledger.services import posting
from ledger.services.posting import LockedBook
from loyalty.caller import Actor
from loyalty.errors import FieldError, ValidationFailed, VersionConflict
from members import stages
from members.errors import StageForbids
from members.models import Member, Tier, TierOverride
from promotions.services.budgets import Till
from promotions.services.tiers import overrides, standings
from promotions.services.tiers.standings import Standing, posted_at
from promotions.services.tiers.tier_rewards import reward_move, rewards_moves

GIVEN, EXTENDED = "TIER_GIVEN", "TIER_EXTENDED"


@dataclass(frozen=True, slots=True, kw_only=True)
class TierRequest:
    """A tier to be given: from now or later, until an instant or further notice."""

    member: dict[str, Any]
    tier: str
    starts_at: datetime | None
    ends_at: datetime | None
    reason: str
    by: Actor
    expected_version: int | None = None


@dataclass(frozen=True, slots=True)
class TierGiven:
    """What became of it: the tier before and after, and the override as it stands."""

    member: Member
    before: str
    standing: Standing
    override: Override


def give_tier(request: TierRequest, *, at: datetime) -> TierGiven:
    """Give a member a tier from an instant until another, under the book's lock; a step.

    The tier that an override in force gives is extended or shortened; another takes its place,
    and hands on what was held before the first. One that is still to come is replaced.

    :raises MemberNotFound: if the reference names nobody.
    :raises StageForbids: if the member's stage is final.
    :raises VersionConflict: if the member is not as the caller read it.
    :raises ValidationFailed: if the tier is unknown, or the period is over or empty.
    """
    assert connection.in_atomic_block
    book = posting.lock(request.member, at=at)
    member = Member.objects.select_for_update().get(pk=book.member.id)
    if request.expected_version not in (None, member.version):
        raise VersionConflict(member.version)
    if member.stage in stages.FINAL:
        raise StageForbids(stage=member.stage, action="be given a tier")
    tier = _checked(request, at)
    settings = configuration(book.epoch)
    standing = standings.standings_of([book], settings)[member.pk]
    overrides.catch_up(standing, book)
    before = standing.held.tier
    starts_at = max(request.starts_at or at, at)
    future = starts_at > posted_at(book)
    active = standing.override
    if active is not None and active.tier == tier.code and not future:
        override = _extend(standing, book, active, request)
    else:
        override = _give(standing, book, request, tier, starts_at=starts_at, future=future)
    member.version += 1
    member.save(update_fields=["version"])
    till = Till()
    if standing.held.tier != before and rewards_moves(standing):
        posting.settle(book)
        reward_move(standing, book, before, purse=till)
    standings.write([book], [standing], till)
    return TierGiven(member, before, standing, override)


def _checked(request: TierRequest, at: datetime) -> Tier:
    errors = []
    tier = Tier.objects.filter(code=request.tier).first()
    if tier is None:
        errors.append(FieldError("/tier", "UNKNOWN", "There is no such tier."))
    if request.ends_at is not None and request.ends_at <= max(request.starts_at or at, at):
        message = "until must be after from, and in the future."
        errors.append(FieldError("/until", "IN_PAST", message))
    if errors:
        raise ValidationFailed(errors)
    assert tier is not None
    return tier


def _extend(
    standing: Standing, book: LockedBook, active: Override, request: TierRequest
) -> Override:
    """Move the end of the override in force."""
    if active.ends_at == request.ends_at:
        return active
    active.ends_at = request.ends_at
    overrides.keep(standing, active)
    overrides.hold_until(standing, book, active)
    _tell(standing, book, EXTENDED, request, active)
    return active


def _give(
    standing: Standing,
    book: LockedBook,
    request: TierRequest,
    tier: Tier,
    *,
    starts_at: datetime,
    future: bool,
) -> Override:
    at = posted_at(book)
    for waiting in [each for each in standing.overrides if each.applied_at is None]:
        waiting.closed_at = at
        overrides.keep(standing, waiting)
    row = TierOverride.objects.create(
        member_id=standing.member_id,
        tier=tier,
        starts_at=starts_at if future else at,
        ends_at=request.ends_at,
        reason=request.reason,
        actor_kind=request.by.kind,
        actor=request.by.name,
        created_at=at,
    )
    override = Override(
        id=row.pk,
        tier=tier.code,
        starts_at=row.starts_at,
        ends_at=row.ends_at,
        reason=row.reason,
        actor_kind=row.actor_kind,
        actor=row.actor,
    )
    standing.overrides = [each for each in standing.overrides if not each.closed_at]
    standing.overrides.append(override)
    _tell(standing, book, GIVEN, request, override)
    if future:
        standing.draft("checks", due_at=override.starts_at)
    else:
        overrides.begin_override(standing, book, override, at=at)
    if override.ends_at is not None:
        standing.draft("checks", due_at=override.ends_at)
    return override


def _tell(
    standing: Standing, book: LockedBook, kind: str, request: TierRequest, override: Override
) -> None:
    """Draft the line of history: who gave what, until when, and why."""
    standing.draft(
        "activities",
        kind=kind,
        at=posted_at(book),
        actor_kind=request.by.kind,
        actor=request.by.name,
        partner_id=request.by.partner_id,
        reason=request.reason,
        data={"to": override.tier, "from_at": override.starts_at, "until": override.ends_at},
    )
