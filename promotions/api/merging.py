"""Merging two members into one, and parting them again (beyond the 57)."""

from uuid import UUID

import msgspec
from django.http import HttpResponse
from rest_framework.request import Request

from ledger.errors import BookMoved
from ledger.kernel.book import Account
from ledger.queries.configuration import configuration
from ledger.shapes.transactions import BalanceAnswer
from loyalty.api.fields import Answer, Body, MemberNumber, MemberReference, Reason
from loyalty.api.openapi import operation
from loyalty.api.views import ProgramViewSet
from loyalty.scopes import Scope
from promotions.errors import MergeForbidden, MergeTouched, NotMerged
from promotions.services.membership import merging
from promotions.services.membership.merging import Merged, MergeRequest, UnmergeRequest


class MergeBody(Body, kw_only=True):
    """Who is merged into whom. `dry_run` tells what would move, and changes nothing."""

    giver: MemberReference = msgspec.field(name="from")
    into: MemberReference
    reason: Reason
    dry_run: bool = False


class UnmergeBody(Body, kw_only=True):
    """A merged member, by the number it had before the merge."""

    number: MemberNumber
    reason: Reason


class ConflictAnswer(Answer, kw_only=True):
    """A limit of the programme that the survivor is above: nothing is lost, none can be added."""

    kind: str
    about: str
    held: int
    at_most: int


class MergeAnswer(Answer, kw_only=True):
    """What moved, or would: points as they left, how many rows of each kind, and what is then.

    `transfers` are the two postings, out of the one book and into the other; none in a dry run.
    """

    dry_run: bool
    giver: str = msgspec.field(name="from")
    into: str
    points: list[BalanceAnswer]
    balances: list[BalanceAnswer]
    moved: dict[str, int]
    conflicts: list[ConflictAnswer]
    transfers: list[UUID]


class MergingViewSet(ProgramViewSet):
    """Two members who are one person."""

    action_scopes = {"merge": Scope.STAGES_WRITE, "unmerge": Scope.STAGES_WRITE}

    @operation(
        "Merge Members", body=MergeBody, answer=MergeAnswer, errors=(MergeForbidden, BookMoved)
    )
    def merge(self, request: Request) -> HttpResponse:
        body, now = self.body(MergeBody), self.now()
        wanted = MergeRequest(
            giver=body.giver.named("/from"),
            taker=body.into.named("/into"),
            reason=body.reason,
            by=self.caller.actor,
            request_id=self.request_id,
        )
        if body.dry_run:
            return self.answer(_answer(merging.preview(wanted, at=now), dry_run=True))
        return self.change(body, lambda: _answer(merging.merge(wanted, at=now)))

    @operation(
        "Unmerge Members", body=UnmergeBody, answer=MergeAnswer, errors=(NotMerged, MergeTouched)
    )
    def unmerge(self, request: Request) -> HttpResponse:
        body, now = self.body(UnmergeBody), self.now()
        wanted = UnmergeRequest(
            number=body.number,
            reason=body.reason,
            by=self.caller.actor,
            request_id=self.request_id,
        )
        return self.change(body, lambda: _answer(merging.unmerge(wanted, at=now)))


def _answer(done: Merged, *, dry_run: bool = False) -> MergeAnswer:
    codes = {key: facts.code for key, facts in configuration().point_types.items()}
    return MergeAnswer(
        dry_run=dry_run,
        giver=done.giver.number,
        into=done.taker.number,
        points=[_balance(each, codes) for each in done.points],
        balances=[_balance(each, codes) for each in done.balances],
        moved={name: count for name, count in done.counts.items() if count},
        conflicts=[
            ConflictAnswer(kind=each.kind, about=each.about, held=each.held, at_most=each.at_most)
            for each in done.conflicts
        ],
        transfers=list(done.transfers or ()),
    )


def _balance(account: Account, codes: dict[int, str]) -> BalanceAnswer:
    return BalanceAnswer(
        type=codes[account.point_type],
        available=account.available,
        pending=account.pending,
        locked=account.locked,
        debt=account.debt,
    )
