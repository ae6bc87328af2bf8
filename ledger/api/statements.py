"""Point Status Check and Get Member Points Expiry."""

from datetime import date, datetime
from decimal import Decimal

from django.http import HttpResponse
from rest_framework.request import Request

from ledger.errors import NoRate
from ledger.kernel.book import Account
from ledger.kernel.dates import last_valid_date
from ledger.queries.books import read
from ledger.queries.configuration import Configuration, configuration
from ledger.queries.standing import Due, TypeStatus, point_status, points_expiry, status_as_of
from ledger.queries.thresholds import money_without_pin, points_without_pin
from loyalty.api.fields import Answer, Body, Instant, Money, check_instant
from loyalty.api.openapi import operation
from loyalty.api.views import ProgramViewSet
from loyalty.errors import FieldError, ValidationFailed
from loyalty.scopes import Scope
from members import stages


class DueAnswer(Answer, kw_only=True):
    """Points with the instant at which they expire or are released."""

    at: datetime
    points: int


class TypeAnswer(Answer, kw_only=True):
    """The points of one type by state, and what happens next."""

    type: str
    available: int
    pending: int
    locked: int
    debt: int
    value: Money | None
    without_pin_up_to: int
    next_expiry: DueAnswer | None
    next_release: DueAnswer | None


class MayAnswer(Answer, kw_only=True):
    """What the member's stage allows."""

    earn: bool
    redeem: bool


class StatusAnswer(Answer, kw_only=True):
    """What a member holds."""

    member: str
    as_of: datetime
    types: list[TypeAnswer]
    may: MayAnswer


class StatusQuery(Body, kw_only=True):
    """A past instant; without it, now."""

    as_of: Instant | None = None


class ExpiryQuery(Body, kw_only=True):
    """The period that is looked at."""

    since: Instant | None = None
    until: Instant | None = None


class ExpiredAnswer(Answer, kw_only=True):
    """Points that expired."""

    type: str
    at: datetime
    points: int


class UpcomingAnswer(Answer, kw_only=True):
    """Points that will expire if nothing happens, and the last day on which they can be spent."""

    type: str
    at: datetime
    last_valid_date: date | None
    points: int


class AtRiskAnswer(Answer, kw_only=True):
    """All points of a type that have a date."""

    type: str
    points: int


class ExpiryAnswer(Answer, kw_only=True):
    """What expired, and what will, earliest first."""

    member: str
    expired: list[ExpiredAnswer]
    upcoming: list[UpcomingAnswer]
    at_risk: list[AtRiskAnswer]


class StatementViewSet(ProgramViewSet):
    """What a member holds."""

    action_scopes = {"status": Scope.POINTS_READ, "expiry": Scope.POINTS_READ}
    member_actions = frozenset({"status", "expiry"})

    @operation("Point Status Check", answer=StatusAnswer, query=StatusQuery)
    def status(self, request: Request, number: str) -> HttpResponse:
        wanted, now = self.query(StatusQuery), self.now()
        check_instant(wanted.as_of, "/as_of")
        if wanted.as_of is not None and wanted.as_of > now:
            message = "as_of lies in the past; what comes is in next_expiry and next_release."
            raise ValidationFailed([FieldError("/as_of", "IN_FUTURE", message)])
        if wanted.as_of is None:
            book, types = point_status(self.member_named(number), at=now)
        else:
            book = read(self.member_named(number), at=now)
            past = status_as_of(book.member.id, as_of=wanted.as_of, house=book.book.house)
            types = {key: TypeStatus(each, None, None) for key, each in past.accounts.items()}
        settings = configuration(book.epoch)
        stage = book.member.stage
        free = money_without_pin(book, settings)
        return self.answer(
            StatusAnswer(
                member=book.member.number,
                as_of=wanted.as_of or now,
                types=[
                    _type(each, free, settings, wanted.as_of or now, book.member.currency)
                    for each in types.values()
                ],
                may=MayAnswer(
                    earn=stages.may_earn(stage, settings.stages),
                    redeem=stages.may_redeem(stage, settings.stages),
                ),
            )
        )

    @operation("Get Member Points Expiry", answer=ExpiryAnswer, query=ExpiryQuery)
    def expiry(self, request: Request, number: str) -> HttpResponse:
        wanted, now = self.query(ExpiryQuery), self.now()
        check_instant(wanted.since, "/since")
        check_instant(wanted.until, "/until")
        since = wanted.since or now.replace(year=now.year - 1, day=1)
        book, expired, upcoming = points_expiry(
            self.member_named(number), at=now, since=since, until=wanted.until
        )
        settings = configuration(book.epoch)
        codes = {key: facts.code for key, facts in settings.point_types.items()}
        at_risk: dict[str, int] = {}
        for each in upcoming:
            code = codes[each.point_type]
            at_risk[code] = at_risk.get(code, 0) + each.points
        return self.answer(
            ExpiryAnswer(
                member=book.member.number,
                expired=[
                    ExpiredAnswer(type=codes[e.point_type], at=e.at, points=e.points)
                    for e in expired
                ],
                upcoming=[
                    UpcomingAnswer(
                        type=codes[e.point_type],
                        at=e.at,
                        last_valid_date=last_valid_date(e.at, settings.zone),
                        points=e.points,
                    )
                    for e in upcoming
                ],
                at_risk=[AtRiskAnswer(type=code, points=n) for code, n in at_risk.items()],
            )
        )


def _type(
    status: TypeStatus,
    free: Decimal | None,
    settings: Configuration,
    at: datetime,
    currency: str,
) -> TypeAnswer:
    account = status.account
    facts = settings.point_types[account.point_type]
    return TypeAnswer(
        type=facts.code,
        available=account.available,
        pending=account.pending,
        locked=account.locked,
        debt=account.debt,
        value=_value(account, settings, at, currency),
        without_pin_up_to=points_without_pin(free, account.available, facts, settings, at),
        next_expiry=_due(status.next_expiry),
        next_release=_due(status.next_release),
    )


def _due(due: Due | None) -> DueAnswer | None:
    return DueAnswer(at=due.at, points=due.points) if due else None


def _value(account: Account, settings: Configuration, at: datetime, currency: str) -> Money | None:
    """Return what points are worth in the member's currency, or else in the programme's."""
    facts = settings.point_types[account.point_type]
    for wanted in dict.fromkeys((currency or settings.currency, settings.currency)):
        try:
            worth = settings.value_of(facts, account.available, wanted, at)
        except NoRate:
            continue
        return Money(amount=str(worth), currency=wanted)
    return None
