"""Member Identity."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from django.http import HttpResponse
from msgspec import Meta
from rest_framework.request import Request

from loyalty.api.fields import PLAIN, Answer, Body, Reason
from loyalty.api.openapi import operation
from loyalty.api.views import ProgramViewSet
from loyalty.errors import MemberNotFound
from loyalty.scopes import Scope
from members import errors
from members.models import Alias, Member
from members.queries import resolve
from members.queries.visibility import sees_person
from members.services import aliases

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
            member = self._member(number)
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
            member = self._member(number)
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

    def _member(self, number: str) -> Member:
        """Return the member, for who may see the person; to others nobody is there."""
        member = resolve(self.member_named(number))
        if not sees_person(self.caller, member):
            raise MemberNotFound
        return member


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
