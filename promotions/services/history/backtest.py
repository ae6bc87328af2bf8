"""A draft tried on history: what it would have given beside what really happened.

The job walks the members by key. What it adds up is stored with its position, so that one that is
killed goes on where it stopped and ends the same. It writes nothing else.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec
from django.db import transaction

from ledger.errors import NoRate
from ledger.queries.configuration import Configuration, configuration
from loyalty.errors import FieldError, NotFound, ValidationFailed
from loyalty.models import Job
from loyalty.money import places
from loyalty.services import jobs
from promotions.engine.definition import Definition
from promotions.engine.snapshot import Snapshot
from promotions.engine.tally import Counter, Seen, Tally, given_by
from promotions.engine.trial import DRAFT, Demand, Pools, Trial, pools_of
from promotions.engine.types import Purchase
from promotions.engine.versions import Version, compile_version
from promotions.models import Promotion
from promotions.queries.history import Past, Span, Today, count_sales, facts_today, last_of_chunk
from promotions.queries.history import sales as sales_of
from promotions.services.awarding import carries
from promotions.services.history.backtest_report import Draft, report_of
from promotions.services.history.recorded import Recorded, complete, recorded_since
from promotions.services.snapshot import load, load_schemas
from promotions.services.writing.authoring import read_definition

KIND = "promotions.tasks.backtest_promotion"
CHUNK = 250
# Two rounds where a budget runs out: what it is asked for, then what comes of it.
DEMAND, OUTCOME = "DEMAND", "OUTCOME"


class Position(msgspec.Struct):
    """Where a trial stands: the round, the last member, and what was added up so far."""

    round: str = DEMAND
    after: int = 0
    tally: Tally = msgspec.field(default_factory=Tally)
    demands: list[Demand] = []
    pools: list[Pools] | None = None


@dataclass(frozen=True, slots=True)
class _Past:
    """What a round evaluates with."""

    draft: Draft
    version: Version
    snapshot: Snapshot
    recorded: Recorded
    settings: Configuration
    span: Span


def start_backtest(
    code: str,
    definition: dict[str, Any],
    *,
    begins: datetime,
    ends: datetime,
    at: datetime,
    number: int | None = None,
) -> Job:
    """Start a trial of a definition on the sales of a period; a step.

    :raises ValidationFailed: if the definition or the period is none.
    """
    content = msgspec.to_builtins(read_definition(definition))
    if begins >= ends:
        raise ValidationFailed([FieldError("/to", "OUT_OF_RANGE", "It ends before it begins.")])
    if begins >= at:
        raise ValidationFailed([FieldError("/from", "IN_FUTURE", "Nothing has happened yet.")])
    return jobs.start(
        KIND,
        at=at,
        parameters={
            "code": code,
            "number": number,
            "definition": content,
            "from": begins.isoformat(),
            "to": min(ends, at).isoformat(),
        },
    )


def definition_of(code: str, number: int | None) -> tuple[dict[str, Any], int]:
    """Return a version's definition and number: of the last one where none is named.

    :raises NotFound: if there is no such version.
    """
    promotion = Promotion.objects.filter(code=code).first()
    if promotion is None:
        raise NotFound(f"There is no promotion {code}.")
    rows = promotion.versions.order_by("-number")
    version = (rows if number is None else rows.filter(number=number)).first()
    if version is None:
        raise NotFound(f"{code} has no such version.")
    definition: dict[str, Any] = version.definition
    return definition, version.number


def run_backtest(
    job: jobs.Running,
    *,
    chunk: int = CHUNK,
    on_progress: Callable[[Job], None] = lambda job: None,
) -> None:
    """Run a trial from where its job stands; the job's result is the report.

    `on_progress` is told of the job after each chunk of members.
    """
    past = _past(job)
    position = msgspec.convert(job.position or {}, Position)
    if not position.demands:
        position.demands = [{} for _ in past.version.counted]
    if job.position is None:
        job.advance(position=None, done=0, total=count_sales(past.span))
    _round(job, position, past, chunk, on_progress)
    if position.round == DEMAND and past.version.counted:
        pools = [
            pools_of(limit, demand)
            for limit, demand in zip(past.version.counted, position.demands, strict=True)
        ]
        if any(pool.ends is not None for each in pools for pool in each.values()):
            position = Position(OUTCOME, demands=position.demands, pools=pools)
            job.advance(
                position=msgspec.to_builtins(position), done=0, total=2 * (job.job.total or 0)
            )
            _round(job, position, past, chunk, on_progress)
    job.job.result = report_of(past.draft, position.tally, position.demands, position.pools)


def _past(job: jobs.Running) -> _Past:
    given, settings = job.job.parameters, configuration()
    begins, ends = (datetime.fromisoformat(given[name]) for name in ("from", "to"))
    definition, notes = _in_period(msgspec.convert(given["definition"], Definition), begins, ends)
    stored = load(settings.currency)
    version = compile_version(
        id=DRAFT,
        promotion=given["code"],
        number=given["number"] or 0,
        live=[(begins, ends)],
        definition=definition,
        currency=settings.currency,
        schemas=load_schemas(),
    )
    others = [each for each in stored.versions if each.promotion != given["code"]]
    award = definition.award
    what = award.type or f"{award.kind} {award.voucher_type or award.sweepstake}"
    draft = Draft(given["code"], given["number"], definition, what, begins, ends, settings, notes)
    kind = "EARN" if definition.trigger == "PURCHASE" else "BONUS"
    return _Past(
        draft,
        version,
        Snapshot([*others, version]),
        recorded_since(stored.versions),
        settings,
        Span(kind, begins, ends, job.at),
    )


def _in_period(
    definition: Definition, begins: datetime, ends: datetime
) -> tuple[Definition, list[str]]:
    """Return a definition that runs in the period: one that runs at another time, without dates."""
    starts, stops = definition.active_from, definition.active_to
    if (starts is None or starts < ends) and (stops is None or stops > begins):
        return definition, []
    note = "DATES_LEFT_OUT: the promotion runs outside the period; it was tried without its dates."
    return msgspec.structs.replace(definition, active_from=None, active_to=None), [note]


def _round(
    job: jobs.Running,
    position: Position,
    past: _Past,
    size: int,
    on_progress: Callable[[Job], None],
) -> None:
    """Go through the members that are left of a round, chunk by chunk."""
    keeps = carries(past.settings, past.snapshot)
    counter = Counter(position.tally, promotion=past.draft.code, what=past.draft.what)
    while (last := last_of_chunk(position.after, size)) is not None:
        trial = Trial(past.version, past.snapshot, keeps, position.demands, position.pools)
        done = 0
        with transaction.atomic():
            known = facts_today(after=position.after, last=last, at=job.at)
            for sale in _by_member(past, position.after, last, trial, counter):
                done += 1
                _count(sale, known.get(sale.member_id, Today()), past, trial, counter)
        position.after = last
        job.advance(position=msgspec.to_builtins(position), done=done)
        on_progress(job.job)


def _by_member(
    past: _Past, after: int, last: int, trial: Trial, counter: Counter
) -> Iterator[Past]:
    member = None
    for sale in sales_of(past.span, after=after, last=last):
        if sale.member_id != member:
            member = sale.member_id
            trial.next_member()
            counter.next_member()
        yield sale


def _count(sale: Past, today: Today, past: _Past, trial: Trial, counter: Counter) -> None:
    """Judge one sale with the draft and add it up."""
    if sale.inputs is None or sale.inputs.purchase is None:
        counter.tally.gone += 1
        return
    purchase, ceilings = sale.inputs.purchase, sale.inputs.ceilings
    wanted = past.draft.definition
    if (purchase.trigger, purchase.event) != (wanted.trigger, wanted.event):
        return
    worth = _worth(past, purchase)
    kind = past.version.definition.award.type
    if kind and worth is not None and kind not in purchase.worth:
        purchase = msgspec.structs.replace(purchase, worth={**purchase.worth, kind: str(worth)})
    member = complete(sale.inputs.member, past.version, past.recorded, today, sale.posted_at)
    found = trial.judge(purchase, member, ceilings)
    counter.add(
        Seen(
            purchase,
            member.tier,
            tuple(sorted(today.segments)),
            sale.given,
            given_by(found),
            worth,
            sale.returned,
            completed=member is not sale.inputs.member,
        )
    )


def _worth(past: _Past, purchase: Purchase) -> Decimal | None:
    """Return what a point of the draft was worth at a sale, in minor units; None if nothing."""
    kind, currency = past.version.definition.award.type, past.settings.currency
    if kind is None:
        return None
    try:
        rate = past.settings.point_type(kind).rate(currency, purchase.occurred_at)
    except NoRate:
        return None
    return rate.scaleb(places(currency))
