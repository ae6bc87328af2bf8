"""A second person's word on what waits to go live: never that of the person who asked."""

from datetime import datetime

import msgspec
from django.db import connection

from loyalty.errors import NotFound
from loyalty.services import epoch
from promotions.errors import NothingWaits, SecondPersonNeeded
from promotions.models import Promotion, PromotionApproval
from promotions.services.writing.authoring import (
    Written,
    announce,
    make_version,
    read_definition,
    set_status,
)
from promotions.services.writing.linting import lint
from promotions.services.writing.rule_tests import run_tests
from promotions.services.writing.waiting import WAITING, note


def approve(code: str, *, by: str, at: datetime, reason: str = "") -> Written:
    """Put live what waits of a promotion; a step. Its rule tests run again.

    A version that was to take over at an instant that has passed takes over now.

    :raises NotFound: if there is no such promotion.
    :raises NothingWaits: if nothing waits, or somebody was quicker.
    :raises SecondPersonNeeded: if it is the person who asked.
    :raises TestsFail: if a rule test fails by now.
    :raises ValidationFailed: if it names by now what is not there any more.
    """
    promotion, waiting = _locked(code, by)
    definition = read_definition(waiting.definition)
    run_tests(definition)
    version = waiting.version
    if version is None:
        since = definition.effective_from
        if since is not None and since < at:
            definition = msgspec.structs.replace(definition, effective_from=None)
        version = make_version(promotion, definition, at=at, by=waiting.asked_by)
    _decide(waiting, PromotionApproval.State.APPROVED, by=by, at=at, reason=reason)
    text = f"Version {version.number}: asked for by {waiting.asked_by}, approved by {by}. {reason}"
    if promotion.status == Promotion.Status.LIVE:
        note(promotion, text.strip(), at=at)
        epoch.bump()
    else:
        set_status(promotion, Promotion.Status.LIVE, at=at, reason=text.strip())
    announce(promotion, version, at=at)
    warnings = lint(code, definition, at=at)
    return Written(promotion, version, waiting.version is None, warnings, waiting)


def reject(code: str, *, by: str, at: datetime, reason: str = "") -> Written:
    """Let nothing come of what waits of a promotion; a step. All stays as it is.

    :raises NotFound: if there is no such promotion.
    :raises NothingWaits: if nothing waits, or somebody was quicker.
    :raises SecondPersonNeeded: if it is the person who asked.
    """
    promotion, waiting = _locked(code, by)
    _decide(waiting, PromotionApproval.State.REJECTED, by=by, at=at, reason=reason)
    note(promotion, f"{by} rejects what {waiting.asked_by} asked for. {reason}".strip(), at=at)
    last = promotion.versions.order_by("-number").first()
    assert last is not None
    return Written(promotion, last, new_version=False, warnings=(), approval=waiting)


def _locked(code: str, by: str) -> tuple[Promotion, PromotionApproval]:
    """Return a promotion under its lock, and what waits of it: one of two approvers finds it."""
    assert connection.in_atomic_block
    promotion = Promotion.objects.select_for_update().filter(code=code).first()
    if promotion is None:
        raise NotFound("No such promotion.")
    waiting = promotion.approvals.filter(state=WAITING).select_related("version").first()
    if waiting is None:
        raise NothingWaits(promotion=code)
    if not by or by == waiting.asked_by:
        raise SecondPersonNeeded
    return promotion, waiting


def _decide(waiting: PromotionApproval, state: str, *, by: str, at: datetime, reason: str) -> None:
    waiting.state, waiting.decided_at, waiting.decided_by = state, at, by
    waiting.decided_reason = reason
    waiting.save(update_fields=["state", "decided_at", "decided_by", "decided_reason"])
