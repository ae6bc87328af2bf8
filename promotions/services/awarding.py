"""From an evaluation to a draft: what purchases and other occasions have in common."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from ledger.errors import NoRate
from ledger.kernel.book import Header, Transaction, begin, finish
from ledger.kernel.dates import available_at, expires_at, parse_policy
from ledger.kernel.postings import Grant, grant
from ledger.queries.configuration import Configuration
from ledger.services.posting import Alongside, LockedBook
from loyalty.money import places
from promotions.engine import ENGINE_VERSION
from promotions.engine.snapshot import Snapshot
from promotions.engine.types import Award, Evaluation, MemberFacts, Purchase, Use
from promotions.services.budgets import Purse, SharedPurse, Till, evaluate_within
from promotions.services.facts import Known, Left, asked, facts_of
from promotions.services.rewarding.rewards import Record, issue
from promotions.services.snapshot import snapshot_of


@dataclass(frozen=True, slots=True)
class Judged:
    """What an occasion earns, with the facts that it was judged on."""

    purchase: Purchase
    member: MemberFacts
    evaluation: Evaluation
    left: Left


def asked_of(
    settings: Configuration, snapshot: Snapshot, occurred_at: Iterable[datetime]
) -> dict[str, Any] | None:
    """Return what is to be read of members for occasions at these instants; None if nothing."""
    days = {at.astimezone(settings.zone).date() for at in occurred_at}
    return asked(snapshot, days, carries=carries(settings, snapshot))


def carries(settings: Configuration, snapshot: Snapshot) -> bool:
    """Return whether money below a whole step is carried over to the member's next purchase."""
    return settings.carries_remainders and snapshot.carries


def judge(
    book: LockedBook,
    purchase: Purchase,
    known: Known,
    settings: Configuration,
    purse: Purse,
    *,
    tier: str,
    stage: str | None = None,
) -> Judged:
    """Evaluate an occasion of a member under the promotions of its time, within their limits.

    `tier` is the one that the member holds at this instant; `stage`, too, where it is another.
    """
    snapshot = snapshot_of(settings)
    member = facts_of(
        book, known, snapshot, tier=tier, stage=stage, carries=carries(settings, snapshot)
    )
    left = Left(snapshot, known, purchase)
    evaluation = evaluate_within(purchase, member, snapshot, left, purse)
    return Judged(purchase, member, evaluation, left)


def draft(
    book: LockedBook, header: Header, judged: Judged, known: Known, settings: Configuration
) -> tuple[Transaction, Record]:
    """Draft the posting of what was judged; return it with the record to be stored beside it."""
    transaction = begin(book.book, header)
    evaluation, occurred_at = judged.evaluation, header.occurred_at
    awards = dated_awards(evaluation.awards, occurred_at, transaction.posted_at, settings)
    grant(book.book, transaction, grants_of(awards, header.partner_id, settings))
    finish(book.book, transaction)
    return transaction, record_of(book, transaction, judged, awards, known)


def record_of(
    book: LockedBook,
    transaction: Transaction,
    judged: Judged,
    awards: Sequence["DatedAward"],
    known: Known,
) -> Record:
    """Return the record of an evaluation, and let `known` see what it counts."""
    counts = []
    for use in judged.evaluation.uses:
        if use.per == "MEMBER":
            start = judged.left.start(use.period)
            known.count(use, start)
            counts.append({"member_id": book.book.member_id, **counted(use, start)})
    inputs: dict[str, Any] = {"purchase": judged.purchase, "member": judged.member}
    if judged.left.told:
        inputs["ceilings"] = judged.left.told
    evaluation = {
        "transaction_id": transaction.id,
        "member_id": book.book.member_id,
        "inputs": inputs,
        "result": result_of(judged.evaluation, awards, judged.left),
        "engine_version": ENGINE_VERSION,
    }
    return Record(
        evaluation=evaluation,
        counts=counts,
        partner_id=transaction.header.partner_id,
        at=transaction.posted_at,
        due=judged.evaluation.rewards,
    )


def counted(use: Use, start: object) -> dict[str, Any]:
    """Return a use as it is counted."""
    return {
        "promotion": use.promotion,
        "per": use.per,
        "period": use.period,
        "start": start,
        "measure": use.measure,
        "amount": use.amount,
    }


def recording(
    records: Sequence[Record], purse: Till | SharedPurse | None = None
) -> list[Alongside]:
    """Return what stores records, and gives budgets back what was not needed, with a write.

    Vouchers and tickets that the records say are due are issued now; a step.
    """
    issue(records, purse)
    unused = purse.rows() if purse else []
    if not records and not unused:
        return []
    document = {
        "evaluations": [record.evaluation for record in records],
        "counts": [count for record in records for count in record.counts],
        "unused": unused,
    }
    return [Alongside("promotions_record", msgspec.json.encode(document))]


class DatedAward(msgspec.Struct, frozen=True):
    """An award with the dates and the policy of the lot it becomes a part of."""

    award: Award
    state: str
    available_at: datetime
    expires_at: datetime | None
    expiry: str


def dated_awards(
    awards: Sequence[Award], occurred_at: datetime, posted_at: datetime, settings: Configuration
) -> list[DatedAward]:
    """Return awards with their dates: from `occurred_at`, by the promotion or the point type."""
    dated = []
    for award in awards:
        expiry = settings.point_type(award.type).expiry if award.expiry is None else award.expiry
        policy = parse_policy(expiry)
        available = available_at(occurred_at, award.pending, settings.zone)
        anchor = available if policy and policy.anchor == "AVAILABLE" else occurred_at
        state = "PENDING" if available > posted_at else "AVAILABLE"
        until = expires_at(anchor, policy, settings.zone)
        dated.append(DatedAward(award, state, available, until, expiry))
    return dated


def grants_of(
    awards: Sequence[DatedAward], partner_id: int, settings: Configuration
) -> list[Grant]:
    """Return a grant for each promotion version and type; the split by line is in the record.

    Who funds a promotion issues what it gives, and settles it; else the partner that posts does.
    """
    versions = snapshot_of(settings).by_id
    grants: dict[tuple[int, str], Grant] = {}
    for each in awards:
        key = (each.award.version_id, each.award.type)
        if known := grants.get(key):
            known.points += each.award.points
            continue
        version = versions.get(each.award.version_id)
        payer = version.definition.funded_by if version else None
        grants[key] = Grant(
            point_type=settings.point_type(each.award.type).id,
            points=each.award.points,
            partner_id=settings.partners.get(payer or "", partner_id),
            available_at=each.available_at,
            expires_at=each.expires_at,
            expiry=each.expiry,
            promotion_version=each.award.version_id,
        )
    return list(grants.values())


def result_of(evaluation: Evaluation, awards: Sequence[DatedAward], left: Left) -> dict[str, Any]:
    """Return what is stored of an evaluation: enough to answer a replay by itself."""
    result: dict[str, Any] = {
        "awards": [award_row(each) for each in awards],
        "near_misses": evaluation.near_misses,
        "coupons": evaluation.coupons,
    }
    if evaluation.rewards:
        # Of a posting, `rewards.issue` puts what was issued in place of what is due.
        result["rewards"] = evaluation.rewards
    if evaluation.uses:
        result["uses"] = [
            {
                "version_id": use.version_id,
                "place": use.place,
                **counted(use, left.start(use.period)),
            }
            for use in evaluation.uses
        ]
    return result


def award_row(each: DatedAward) -> dict[str, Any]:
    """Return an award as it is stored."""
    return {
        "version_id": each.award.version_id,
        "promotion": each.award.promotion,
        "version": each.award.version,
        "line": each.award.line,
        "type": each.award.type,
        "points": each.award.points,
        "state": each.state,
        "available_at": each.available_at,
        "expires_at": each.expires_at,
    }


def worth_of(settings: Configuration, types: frozenset[str], at: datetime) -> dict[str, str]:
    """Return what one point of each type was worth at an instant, in minor units, as text.

    A type that had no rate in the programme's currency is left out.
    """
    worth = {}
    for facts in settings.point_types.values():
        if facts.code in types:
            try:
                value = facts.rate(settings.currency, at)
            except NoRate:
                continue
            worth[facts.code] = str(value.scaleb(places(settings.currency)).normalize())
    return worth
