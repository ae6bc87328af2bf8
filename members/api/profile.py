"""Member Identity and Add Member Currency."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from django.http import HttpResponse
from msgspec import Meta
from rest_framework.request import Request

from loyalty.api.fields import PLAIN, Answer, Body, Currency, Reason
from loyalty.api.openapi import operation
from loyalty.api.views import ProgramViewSet
from loyalty.errors import MemberNotFound
from loyalty.scopes import Scope
from members import errors
from members.models import Alias, Member
from members.queries import resolve
from members.queries.visibility import sees_person
from members.services import aliases, currencies

AliasValue = Annotated[str, Meta(min_length=1, max_length=200, pattern=PLAIN)]


class AliasBody(Body, kw_only=True):
    """The value to bind; the one that goes for it, and the id of a confirmed verification."""

    value: AliasValue
    replaces: AliasValue | None = None
    proof: UUID | None = None


class AliasRemovalBody(Body, kw_only=True):
    """The value to give up."""

    value: AliasValue
    reason: Reason | None = None


class BoundAliasAnswer(Answer, kw_only=True):
    """An alias as it is stored."""

    provider: str
    value: str
    added_at: datetime | None
    verified_at: datetime | None


class AliasesAnswer(Answer, kw_only=True):
    """The aliases that a member has of a provider."""

    member: str
    aliases: list[BoundAliasAnswer]


class CurrencyBody(Body, kw_only=True):
    """A currency to add; `default` makes it the one in which values are shown."""

    currency: Currency
    default: bool = False


class CurrencyRemovalBody(Body, kw_only=True):
    """A currency to remove."""

    currency: Currency


class MemberCurrencyAnswer(Answer, kw_only=True):
    """One of a member's currencies."""

    currency: str
    default: bool


class MemberCurrenciesAnswer(Answer, kw_only=True):
    """A member's currencies, one of them the default."""

    member: str
    currencies: list[MemberCurrencyAnswer]


class IdentityViewSet(ProgramViewSet):
    """The names by which other systems know a member."""

    action_scopes = {"bind": Scope.MEMBERS_WRITE, "remove": Scope.MEMBERS_WRITE}
    member_actions = frozenset({"bind", "remove"})

    @operation(
        "Member Identity",
        body=AliasBody,
        answer=AliasesAnswer,
        errors=(
            MemberNotFound,
            errors.ProviderNotFound,
            errors.ProviderInactive,
            errors.AliasTaken,
            errors.AliasLimitReached,
            errors.AliasNotFound,
            errors.AliasProofNeeded,
            errors.AliasProofInvalid,
            errors.StageForbids,
        ),
    )
    def bind(self, request: Request, number: str, provider: str) -> HttpResponse:
        body = self.body(AliasBody)

        def work() -> AliasesAnswer:
            member = person_named(self, number)
            aliases.bind_alias(
                member,
                provider,
                body.value,
                replaces=body.replaces,
                proof=body.proof,
                by=self.caller.actor,
                at=self.now(),
            )
            return _answer(member, provider)

        return self.change(body, work)

    @operation(
        "Remove Member Identity",
        body=AliasRemovalBody,
        answer=AliasesAnswer,
        errors=(MemberNotFound, errors.ProviderNotFound, errors.AliasNotFound),
    )
    def remove(self, request: Request, number: str, provider: str) -> HttpResponse:
        body = self.body(AliasRemovalBody)

        def work() -> AliasesAnswer:
            member = person_named(self, number)
            aliases.remove_alias(
                member,
                provider,
                body.value,
                by=self.caller.actor,
                at=self.now(),
                reason=body.reason or "",
            )
            return _answer(member, provider)

        return self.change(body, work)


class CurrencyViewSet(ProgramViewSet):
    """In which currencies a member reads values."""

    action_scopes = {"add": Scope.MEMBERS_WRITE, "remove": Scope.MEMBERS_WRITE}
    member_actions = frozenset({"add", "remove"})

    @operation(
        "Add Member Currency",
        body=CurrencyBody,
        answer=MemberCurrenciesAnswer,
        errors=(MemberNotFound, errors.CurrencyUnknown),
    )
    def add(self, request: Request, number: str) -> HttpResponse:
        body = self.body(CurrencyBody)

        def work() -> MemberCurrenciesAnswer:
            member = person_named(self, number)
            currencies.add_currency(
                member, body.currency, default=body.default, by=self.caller.actor, at=self.now()
            )
            return _currencies(member)

        return self.change(body, work)

    @operation(
        "Remove Member Currency",
        body=CurrencyRemovalBody,
        answer=MemberCurrenciesAnswer,
        errors=(MemberNotFound, errors.CurrencyNotFound, errors.CurrencyIsDefault),
    )
    def remove(self, request: Request, number: str) -> HttpResponse:
        body = self.body(CurrencyRemovalBody)

        def work() -> MemberCurrenciesAnswer:
            member = person_named(self, number)
            currencies.remove_currency(member, body.currency, by=self.caller.actor, at=self.now())
            return _currencies(member)

        return self.change(body, work)


def person_named(view: ProgramViewSet, number: str) -> Member:
    """Return the member of an address, for who may see the person; to others nobody is there.

    :raises MemberNotFound: if the caller may not see who it is, or the number names nobody.
    """
    member = resolve(view.member_named(number))
    if not sees_person(view.caller, member):
        raise MemberNotFound
    return member


def _currencies(member: Member) -> MemberCurrenciesAnswer:
    member.refresh_from_db(fields=["currency"])
    has, first = currencies.currencies_of(member)
    return MemberCurrenciesAnswer(
        member=member.number,
        currencies=[MemberCurrencyAnswer(currency=code, default=code == first) for code in has],
    )


def _answer(member: Member, provider: str) -> AliasesAnswer:
    found = Alias.objects.filter(member=member, provider__code=provider).order_by("pk")
    return AliasesAnswer(
        member=member.number,
        aliases=[
            BoundAliasAnswer(
                provider=provider,
                value=alias.value,
                added_at=alias.added_at,
                verified_at=alias.verified_at,
            )
            for alias in found
        ],
    )
