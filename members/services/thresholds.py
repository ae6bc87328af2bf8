"""The redemption threshold: above what a member's redemptions need a PIN."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import connection

from loyalty.caller import Actor
from loyalty.models import Program
from loyalty.secret import Secret
from members.models import Member, RedemptionThreshold
from members.queries import resolve
from members.services import activity, step_ups
from members.services.step_ups import Leave
from members.sign_in_errors import AboveMaximum, StepUpRequired
from members.thresholds import Limits, in_force


@dataclass(frozen=True, slots=True)
class ThresholdSet:
    """What holds from now on, and the most that may be set."""

    member: Member
    limits: Limits
    at_most: Decimal | None
    currency: str


def set_threshold(
    reference: dict[str, Any],
    wanted: Limits,
    *,
    step_up: Secret | None,
    partner_id: int,
    by: Actor,
    at: datetime,
) -> ThresholdSet:
    """Set a member's limits; a step. Lower ones hold at once, higher ones need a step-up.

    None in `wanted` is the programme's own limit again.

    :raises MemberNotFound: if nobody is named.
    :raises AboveMaximum: if the programme allows no such limit.
    :raises StepUpRequired: if a limit rises and no step-up comes.
    :raises StepUpInvalid: if one comes that is not good for it.
    """
    assert connection.in_atomic_block
    member = resolve(reference)
    Member.objects.select_for_update().only("pk").get(pk=member.pk)
    program = Program.objects.get(pk=1)
    at_most = program.pin_above_at_most
    asked = [each for each in (wanted.per_transaction, wanted.per_day) if each is not None]
    if at_most is not None and any(each > at_most for each in asked):
        raise AboveMaximum(at_most=str(at_most), currency=program.currency)
    programme = Limits(program.pin_above, program.pin_above_per_day)
    row = RedemptionThreshold.objects.filter(pk=member.pk).first()
    own = Limits(row.per_transaction, row.per_day) if row else Limits(None, None)
    before, after = (in_force(each, programme, at_most) for each in (own, wanted))
    if after.is_above(before):
        if step_up is None:
            raise StepUpRequired(purpose="THRESHOLD")
        leave = Leave("THRESHOLD", partner_id)
        step_ups.spend(member.pk, step_up, leave, on="THRESHOLD", at=at)
    if wanted != own:
        RedemptionThreshold.objects.update_or_create(
            member=member,
            defaults={
                "per_transaction": wanted.per_transaction,
                "per_day": wanted.per_day,
                "set_at": at,
            },
        )
        data = {"before": _told(before), "after": _told(after)}
        activity.record(member.pk, "REDEMPTION_THRESHOLD_CHANGED", by=by, at=at, data=data)
    return ThresholdSet(member, after, at_most, program.currency)


def _told(limits: Limits) -> dict[str, str | None]:
    return {
        "per_transaction": None if limits.per_transaction is None else str(limits.per_transaction),
        "per_day": None if limits.per_day is None else str(limits.per_day),
    }
