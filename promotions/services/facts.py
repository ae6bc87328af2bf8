"""What evaluations ask of a member, read beside the lock: one function, in one SQL function."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

import msgspec

from ledger.queries.books import OpenBook, execute
from ledger.services.posting import Alongside
from members.queries.providers import in_stored_form
from promotions.engine.periods import PERIODS, start_of
from promotions.engine.snapshot import Snapshot
from promotions.engine.types import MemberFacts, Purchase, Use
from promotions.engine.versions import Version

# What a member had of a promotion: the promotion, the period, its first day, the measure.
Key = tuple[str, str, date, str]
_PROFILE = ("language", "born", "joined_at")
_NAMES = {
    "language": {"member.language"},
    "born": {"member.birth_date", "member.birth_month", "member.birth_day", "member.age"},
    "joined_at": {"member.joined_at", "member.joined_days"},
}


class _Profile(msgspec.Struct):
    language: str = ""
    born: str | None = None
    joined_at: datetime | None = None
    attributes: dict[str, Any] = {}


class _Row(msgspec.Struct):
    profile: _Profile | None = None
    segments: list[str] = []
    counters: list[tuple[str, str, date, str, int]] = []


_decode = msgspec.json.Decoder(_Row).decode


@dataclass(slots=True)
class Known:
    """What was read of a member for evaluations, as it stands under the lock.

    Several postings of one unit share it: what each counts, the next one sees.
    """

    profile: _Profile
    segments: tuple[str, ...]
    counters: dict[Key, int] = field(default_factory=dict)

    @classmethod
    def nothing(cls) -> "Known":
        """Return what is known where promotions ask for nothing."""
        return cls(_Profile(), ())

    def count(self, use: Use, start: date) -> None:
        """Add what a posting used up of the member's limits."""
        key = (use.promotion, use.period, start, use.measure)
        self.counters[key] = self.counters.get(key, 0) + use.amount


def asked(snapshot: Snapshot, days: Iterable[date], *, carries: bool) -> dict[str, Any] | None:
    """Return what the promotions of a snapshot ask of a member on local days; None if nothing."""
    counts = snapshot.counts_members or carries
    periods = {(p, start_of(p, day)) for day in days for p in PERIODS} if counts else set()
    names = snapshot.asks
    attributes = [name[18:] for name in names if name.startswith("member.attributes.")]
    profile = bool(attributes) or any(names & _NAMES[field] for field in _PROFILE)
    segments = snapshot.segments if "member.segments" not in names else None
    if not (periods or profile or segments or segments is None):
        return None
    return {
        "segments": sorted(segments) if segments is not None else None,
        "profile": profile,
        "attributes": sorted(attributes),
        "periods": sorted(periods),
    }


def alongside(
    member: dict[str, Any], wanted: dict[str, Any] | None, *, at: datetime
) -> list[Alongside]:
    """Return the query for a member's facts, to go with the locking statement."""
    if wanted is None:
        return []
    question = {"member": in_stored_form(member), "at": at, **wanted}
    return [Alongside("promotions_facts", msgspec.json.encode(question))]


def known(book: OpenBook, wanted: dict[str, Any] | None, read_for: dict[str, Any] | None) -> Known:
    """Return what is known of the book's member.

    It was read with the lock if `read_for` is what is wanted; where the promotions changed
    meanwhile, it is read again, which is the one case that costs a statement.
    """
    if wanted is None:
        return Known.nothing()
    text = book.facts.get("promotions_facts") if wanted == read_for else None
    if text is None:
        assert book.book.posted_at is not None
        return read_known(book.book.member_id, wanted, at=book.book.posted_at)
    return _known(text)


def read_known(member_id: int, wanted: dict[str, Any], *, at: datetime) -> Known:
    """Return what is known of a member whose book is locked, or only read. One statement."""
    asked_of = msgspec.json.encode({"member": {"id": member_id}, "at": at, **wanted}).decode()
    return _known(execute("SELECT promotions_facts(%s::jsonb)::text", (asked_of,))[0])


def read_many(
    member_ids: Iterable[int], wanted: dict[str, Any], *, at: datetime
) -> dict[int, Known]:
    """Return what is known of several members whose books are locked. One statement."""
    row = execute(
        "SELECT json_object_agg(id, promotions_facts("
        "jsonb_build_object('member', jsonb_build_object('id', id)) || %s::jsonb))::text"
        " FROM unnest(%s::bigint[]) AS m (id)",
        (msgspec.json.encode({"at": at, **wanted}).decode(), sorted(set(member_ids))),
    )
    rows = msgspec.json.decode(row[0] or "{}", type=dict[int, _Row])
    return {member: _of_row(each) for member, each in rows.items()}


def _known(text: str) -> Known:
    return _of_row(_decode(text))


def _of_row(row: _Row) -> Known:
    counters = {(code, period, day, measure): n for code, period, day, measure, n in row.counters}
    return Known(row.profile or _Profile(), tuple(sorted(row.segments)), counters)


def facts_of(
    book: OpenBook,
    known: Known,
    snapshot: Snapshot,
    *,
    tier: str,
    stage: str | None = None,
    carries: bool = False,
) -> MemberFacts:
    """Return what an evaluation is told of a member: tier, stage, and only what is asked for."""
    asks, profile = snapshot.asks, known.profile
    told = {name: getattr(profile, name) or None for name in _PROFILE if asks & _NAMES[name]}
    return MemberFacts(
        tier=tier,
        stage=stage or book.member.stage,
        segments=known.segments,
        attributes=profile.attributes,
        carried=_carried(known) if carries else None,
        **told,
    )


def _carried(known: Known) -> dict[str, int]:
    return {
        code: amount
        for (code, _, _, measure), amount in known.counters.items()
        if measure == "REMAINDER" and amount
    }


class Left:
    """What limits and budgets leave of a purchase's versions; each worked out when asked for.

    `told` is what was told: an input of the evaluation, kept with it.
    """

    def __init__(self, snapshot: Snapshot, known: Known | None, purchase: Purchase) -> None:
        self._snapshot, self._known = snapshot, known
        self._day = purchase.local.date()
        self.told: dict[int, tuple[int | None, ...]] = {}

    def get(self, version_id: int, /) -> tuple[int | None, ...] | None:
        """Return what is left for a version, in the order of its `counted`."""
        if version_id not in self.told:
            version = self._snapshot.by_id[version_id]
            self.told[version_id] = tuple(
                self._of_member(version, place) for place in range(len(version.counted))
            )
        return self.told[version_id]

    def start(self, period: str) -> date:
        """Return the first day of the period that the purchase is counted in."""
        return start_of(period, self._day)

    def grant(self, version_id: int, place: int, granted: int) -> None:
        """Let a version have at most what its budget granted."""
        left = list(self.get(version_id) or ())
        left[place] = granted
        self.told[version_id] = tuple(left)

    def _of_member(self, version: Version, place: int) -> int | None:
        limit = version.counted[place]
        if limit.per != "MEMBER" or self._known is None:
            return None
        key = (version.promotion, limit.period, self.start(limit.period), limit.measure)
        return max(0, limit.at_most - self._known.counters.get(key, 0))
