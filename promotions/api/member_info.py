"""Member Info, by number, alias or any other reference."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.http import HttpResponse
from msgspec import UNSET, UnsetType
from rest_framework.request import Request

from ledger.queries.books import OpenBook, read
from ledger.queries.configuration import configuration
from ledger.queries.thresholds import limits_of
from ledger.queries.tiers import tier_standing
from ledger.shapes.tiers import ProgressAnswer, progress_answer
from ledger.shapes.transactions import BalanceAnswer
from loyalty.api.fields import Answer, Body, MemberReference, Money
from loyalty.api.openapi import operation
from loyalty.api.views import ProgramViewSet
from loyalty.errors import FieldError, ValidationFailed
from loyalty.scopes import Scope
from members.masking import masked_name
from members.models import Alias, Card, Member, SegmentMember, Tier
from members.queries.person import Person, person_of
from members.queries.visibility import sees_person

# What a caller may ask for; without a word it gets all that it may see.
OF_PERSON = ("profile", "cards", "aliases", "consents", "segments", "merged_from", "thresholds")
OF_ALL = ("tier", "balances")
GROUPS = (*OF_PERSON, *OF_ALL)


class InfoQuery(Body, kw_only=True):
    """Which groups to answer, separated by commas; all of them without it."""

    include: str | None = None


class FindBody(Body, kw_only=True):
    """Whom to look for."""

    member: MemberReference


class TierInfoAnswer(Answer, kw_only=True):
    """The tier a member holds; `given` if by hand. What leads to the next is for who sees more."""

    code: str
    name: str
    rank: int
    since: datetime | None
    until: datetime | None
    given: bool
    progress: ProgressAnswer | None


class ProfileAnswer(Answer, kw_only=True):
    """Who a member is."""

    first_name: str | None
    last_name: str | None
    birth_date: date | None
    email: str | None
    email_confirmed_at: datetime | None
    phone: str | None
    phone_confirmed_at: datetime | None
    address: dict[str, Any] | None
    language: str | None
    attributes: dict[str, Any]
    enrolled_by: str
    referrer: str | None


class CardAnswer(Answer, kw_only=True):
    """A card of a member's."""

    number: str
    status: str
    replaced_by: str | None
    issued_at: datetime
    closed_at: datetime | None


class AliasAnswer(Answer, kw_only=True):
    """A name by which another system knows a member."""

    provider: str
    value: str
    verified_at: datetime | None


class ConsentAnswer(Answer, kw_only=True):
    """What a member said last of a category and channel; without a channel, of all of them.

    `default` is the programme's word on a category of which the member said nothing.
    """

    category: str
    channel: str | None
    given: bool
    at: datetime | None
    source: str | None
    default: bool


class SegmentAnswer(Answer, kw_only=True):
    """A segment the member is in, until `until` or for good."""

    code: str
    name: str
    since: datetime
    until: datetime | None


class LimitsAnswer(Answer, kw_only=True):
    """Above what a redemption, and those of a day, need a PIN; null is no limit."""

    per_transaction: Money | None
    per_day: Money | None


class MemberAnswer(Answer, kw_only=True):
    """A member. Groups that were not asked for are missing; what the caller may not see is null."""

    number: str
    stage: str
    stage_since: datetime | None
    name: str | None
    joined_at: datetime
    version: int
    tier: TierInfoAnswer | UnsetType | None = UNSET
    balances: list[BalanceAnswer] | UnsetType = UNSET
    profile: ProfileAnswer | UnsetType | None = UNSET
    cards: list[CardAnswer] | UnsetType | None = UNSET
    aliases: list[AliasAnswer] | UnsetType | None = UNSET
    consents: list[ConsentAnswer] | UnsetType | None = UNSET
    segments: list[SegmentAnswer] | UnsetType | None = UNSET
    merged_from: list[str] | UnsetType | None = UNSET
    thresholds: LimitsAnswer | UnsetType | None = UNSET


class MemberInfoViewSet(ProgramViewSet):
    """Everything about one member that the caller may see."""

    action_scopes = {
        "retrieve": Scope.MEMBERS_READ,
        "by_alias": Scope.MEMBERS_READ,
        "find": Scope.MEMBERS_READ,
    }
    member_actions = frozenset({"retrieve"})

    @operation("Member Info", answer=MemberAnswer, query=InfoQuery)
    def retrieve(self, request: Request, number: str) -> HttpResponse:
        return self._info(self.member_named(number))

    @operation("Member Info by Alias ID", answer=MemberAnswer, query=InfoQuery)
    def by_alias(self, request: Request, provider: str, value: str) -> HttpResponse:
        return self._info({"alias": {"provider": provider, "value": value}})

    @operation("Find Member", body=FindBody, answer=MemberAnswer, query=InfoQuery)
    def find(self, request: Request) -> HttpResponse:
        return self._info(self.body(FindBody).member.named())

    def _info(self, reference: dict[str, Any]) -> HttpResponse:
        groups, now = _groups(self.query(InfoQuery).include), self.now()
        book = read(reference, at=now)
        member = Member.objects.select_related("tier", "enrolled_by", "referrer").get(
            pk=book.book.member_id
        )
        closed = member.stage == Member.Stage.CLOSED
        person = None
        if sees_person(self.caller, member) and not closed:
            person = person_of(member.pk, groups, at=now)
        answer = _answer(member, person, book, groups, now)
        if closed:
            answer.tier = None if "tier" in groups else UNSET
        return self.answer(answer, headers={"ETag": f'"{member.version}"'})


def _groups(include: str | None) -> frozenset[str]:
    """:raises ValidationFailed: if a group is unknown."""
    groups = frozenset(include.split(",")) if include is not None else frozenset(GROUPS)
    for each in groups.difference(GROUPS):
        message = f"There is no group {each[:64]!r}; there are {', '.join(GROUPS)}."
        raise ValidationFailed([FieldError("/include", "NOT_A_CHOICE", message)])
    return groups


def _answer(
    member: Member, person: Person | None, book: OpenBook, groups: frozenset[str], at: datetime
) -> MemberAnswer:
    """Return a member with these groups; without `person` what a stranger may see."""
    names = (member.first_name, member.last_name)
    answer = MemberAnswer(
        number=member.number,
        stage=member.stage,
        stage_since=member.stage_since,
        name=masked_name(*names) if person is None else " ".join(filter(None, names)) or None,
        joined_at=member.joined_at,
        version=member.version,
    )
    if "tier" in groups:
        answer.tier = _tier(member, book, at, whole=person is not None)
    if "balances" in groups:
        answer.balances = _balances(book)
    parts: dict[str, Any] = dict.fromkeys(OF_PERSON)
    if person is not None:
        parts = {
            "profile": _profile(member),
            "cards": [_card(each) for each in person.cards],
            "aliases": [_alias(each) for each in person.aliases],
            "consents": _consents(person),
            "segments": [_segment(each) for each in person.segments],
            "merged_from": list(person.merged_from),
            "thresholds": _limits(book),
        }
    for name, part in parts.items():
        if name in groups:
            setattr(answer, name, part)
    return answer


def _tier(member: Member, book: OpenBook, at: datetime, *, whole: bool) -> TierInfoAnswer:
    """Return the tier held at an instant, whether or not the sweep has come to it."""
    settings = configuration(book.epoch)
    standing = tier_standing(member.pk, settings, at=at)
    tier = member.tier
    if tier.code != standing.held.tier:
        tier = Tier.objects.get(code=standing.held.tier)
    return TierInfoAnswer(
        code=tier.code,
        name=tier.name,
        rank=tier.rank,
        since=standing.held.since,
        until=standing.held.until,
        given=standing.given,
        progress=progress_answer(standing.progress, settings) if whole else None,
    )


def _balances(book: OpenBook) -> list[BalanceAnswer]:
    settings = configuration(book.epoch)
    return [
        BalanceAnswer(
            type=settings.point_types[key].code,
            available=account.available,
            pending=account.pending,
            locked=account.locked,
            debt=account.debt,
        )
        for key, account in sorted(book.book.accounts.items())
    ]


def _segment(row: SegmentMember) -> SegmentAnswer:
    return SegmentAnswer(
        code=row.segment.code, name=row.segment.name, since=row.since, until=row.until
    )


def _limits(book: OpenBook) -> LimitsAnswer:
    settings = configuration(book.epoch)
    limits = limits_of(book.member, settings)

    def money(amount: Decimal | None) -> Money | None:
        return None if amount is None else Money(amount=str(amount), currency=settings.currency)

    return LimitsAnswer(
        per_transaction=money(limits.per_transaction), per_day=money(limits.per_day)
    )


def _profile(member: Member) -> ProfileAnswer:
    return ProfileAnswer(
        first_name=member.first_name or None,
        last_name=member.last_name or None,
        birth_date=member.birth_date,
        email=member.email or None,
        email_confirmed_at=member.email_confirmed_at,
        phone=member.phone or None,
        phone_confirmed_at=member.phone_confirmed_at,
        address=member.address or None,
        language=member.language or None,
        attributes=member.attributes,
        enrolled_by=member.enrolled_by.code,
        referrer=member.referrer.number if member.referrer else None,
    )


def _card(card: Card) -> CardAnswer:
    return CardAnswer(
        number=card.number,
        status=card.status,
        replaced_by=card.successor.number if card.successor else None,
        issued_at=card.issued_at,
        closed_at=card.closed_at,
    )


def _alias(alias: Alias) -> AliasAnswer:
    return AliasAnswer(
        provider=alias.provider.code, value=alias.value, verified_at=alias.verified_at
    )


def _consents(person: Person) -> list[ConsentAnswer]:
    """Return what was said, and of the other categories what holds until something is."""
    said = [
        ConsentAnswer(
            category=each.category,
            channel=each.channel or None,
            given=each.given,
            at=each.at,
            source=each.source or None,
            default=False,
        )
        for each in person.consents
    ]
    silent = person.consent_defaults.keys() - {each.category for each in person.consents}
    defaults = [
        ConsentAnswer(
            category=category,
            channel=None,
            given=person.consent_defaults[category],
            at=None,
            source=None,
            default=True,
        )
        for category in silent
    ]
    return sorted([*said, *defaults], key=lambda each: (each.category, each.channel or ""))
