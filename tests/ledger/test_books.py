"""Any sequence of operations on several members keeps every invariant, and equals a simple model.

The model knows only totals: what was earned, redeemed, expired and taken back. The books must
come to the same, and reading must equal sweeping.
"""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.core.management import call_command
from django.db import connection
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TransactionTestCase
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from ledger.models import Account
from ledger.models import Transaction as TransactionRow
from ledger.queries.books import read
from ledger.services import adjustments, point_lock, redemption, reversal, settlement
from ledger.services.audit import audit
from ledger.services.originals import Original
from loyalty.errors import LoyaltyError
from loyalty.models import Program
from partners.models import Partner
from promotions.services.reversals import reverse_earn
from promotions.services.rewarding.redemption_reversals import reverse_redemption
from tests.factories.ledger import give
from tests.factories.members import MemberFactory

START = datetime(2026, 1, 1, tzinfo=UTC)
MEMBERS = st.integers(0, 1)
POINTS = st.integers(1, 60)


class Books(RuleBasedStateMachine):
    """Two members, whose points are moved in every way there is."""

    def __init__(self) -> None:
        super().__init__()
        with connection.cursor() as cursor:
            cursor.execute(
                "TRUNCATE ledger_book, ledger_account, ledger_transaction, ledger_lot,"
                " ledger_entry, ledger_pointlock, ledger_lockedlot, loyalty_outboxevent,"
                " members_card, members_alias, members_member CASCADE"
            )
        Program.objects.update(offline_floor=Decimal(100), accepted_lateness=timedelta(days=9999))
        self.members = [MemberFactory(), MemberFactory()]
        self.house = Partner.objects.get(is_house=True).pk
        self.at = START
        self.number = 0
        self.earned = [0, 0]

    def common(self) -> dict[str, Any]:
        self.number += 1
        return {
            "partner_id": self.house,
            "reference": f"N{self.number}",
            "digest": b"x",
            "occurred_at": self.at,
        }

    def tried(self, call: Any, *arguments: Any) -> Any:
        """Make a call that may be refused; a refusal writes nothing."""
        before = TransactionRow.objects.count()
        try:
            return call(*arguments, at=self.at)
        except LoyaltyError:
            assert TransactionRow.objects.count() == before
            return None

    def any_of(self, kind: str, place: int) -> Original | None:
        ids = list(
            TransactionRow.objects.filter(kind=kind)
            .order_by("member_id", "version")
            .values_list("pk", flat=True)
        )
        return Original(None, id=ids[place % len(ids)]) if ids else None

    @rule(hours=st.sampled_from([1, 26, 24 * 4, 24 * 30]))
    def time_passes(self, hours: int) -> None:
        self.at += timedelta(hours=hours)

    @rule(
        who=MEMBERS,
        points=POINTS,
        pending=st.sampled_from([0, 2, 9]),
        lives=st.sampled_from([1, 5, 40, None]),
        activity=st.booleans(),
    )
    def earn(self, who: int, points: int, pending: int, lives: int | None, activity: bool) -> None:
        give(
            self.members[who],
            points,
            at=self.at,
            pending=timedelta(days=pending),
            lives=timedelta(days=lives) if lives else None,
            expiry="P2M/ACTIVITY/NONE" if activity and lives else "",
        )
        self.earned[who] += points

    @rule(who=MEMBERS, points=POINTS, offline=st.booleans())
    def redeem(self, who: int, points: int, offline: bool) -> None:
        request = redemption.RedemptionRequest(
            member={"id": self.members[who].pk},
            point_type="PTS",
            points=points,
            offline=offline,
            **self.common(),
        )
        self.tried(redemption.redeem_points, request)

    @rule(place=st.integers(0, 9), points=st.sampled_from([None, 5, 20]))
    def reverse_redemption(self, place: int, points: int | None) -> None:
        if original := self.any_of("REDEMPTION", place):
            request = reversal.ReversalRequest(original=original, points=points, **self.common())
            self.tried(reverse_redemption, request)

    @rule(place=st.integers(0, 9))
    def reverse_an_earn(self, place: int) -> None:
        if original := self.any_of("EARN", place):
            request = reversal.ReversalRequest(original=original, **self.common())
            self.tried(reverse_earn, request)

    @rule(who=MEMBERS, points=POINTS, ends=st.booleans())
    def hold_an_amount(self, who: int, points: int, ends: bool) -> None:
        request = point_lock.LockRequest(
            house=True,
            member={"id": self.members[who].pk},
            point_type="PTS",
            points=points,
            until=self.at + timedelta(days=3) if ends else None,
            **self.common(),
        )
        self.tried(point_lock.lock_points, request)

    @rule(place=st.integers(0, 9), ends=st.booleans())
    def hold_a_sale(self, place: int, ends: bool) -> None:
        if original := self.any_of("EARN", place):
            request = point_lock.LockRequest(
                house=True,
                original=original,
                until=self.at + timedelta(days=3) if ends else None,
                **self.common(),
            )
            self.tried(point_lock.lock_points, request)

    @rule(place=st.integers(0, 9), points=st.sampled_from([None, 3]))
    def free_a_lock(self, place: int, points: int | None) -> None:
        if original := self.any_of("LOCK", place):
            request = point_lock.UnlockRequest(
                house=True, may_unfreeze=True, lock=original.id, points=points, **self.common()
            )
            self.tried(point_lock.unlock_points, request)

    @rule(place=st.integers(0, 9), points=POINTS, keep=st.booleans())
    def capture_a_lock(self, place: int, points: int, keep: bool) -> None:
        if original := self.any_of("LOCK", place):
            owner = TransactionRow.objects.get(pk=original.id).member_id
            request = redemption.RedemptionRequest(
                member={"id": owner},
                point_type="PTS",
                points=points,
                lock=original.id,
                keep=keep,
                **self.common(),
            )
            self.tried(redemption.redeem_points, request)

    @rule(who=MEMBERS, points=POINTS, direction=st.sampled_from(["CREDIT", "DEBIT"]))
    def adjust(self, who: int, points: int, direction: str) -> None:
        request = adjustments.AdjustmentRequest(
            member={"id": self.members[who].pk},
            point_type="PTS",
            direction=direction,
            points=points,
            reason="By hand.",
            **self.common(),
        )
        if self.tried(adjustments.adjust_points, request) and direction == "CREDIT":
            self.earned[who] += points

    @rule(who=MEMBERS, percent=st.sampled_from(["10", "33.33", "100"]))
    def expire(self, who: int, percent: str) -> None:
        request = adjustments.ExpiryRequest(
            member={"id": self.members[who].pk},
            point_type="PTS",
            percent=Decimal(percent),
            reason="By hand.",
            **self.common(),
        )
        self.tried(adjustments.expire_percentage, request)

    @rule()
    def sweep(self) -> None:
        wanted = [read({"id": member.pk}, at=self.at).book.accounts for member in self.members]
        settlement.settle_chunk(after=0, at=self.at)
        for member, accounts in zip(self.members, wanted, strict=True):
            for key, account in accounts.items():
                row = Account.objects.get(member=member, point_type_id=key)
                for name in ("available", "pending", "locked", "debt", "expired", "redeemed"):
                    assert getattr(row, name) == getattr(account, name), name

    @invariant()
    def points_are_only_moved(self) -> None:
        for member, earned in zip(self.members, self.earned, strict=True):
            for row in Account.objects.filter(member=member):
                assert row.earned == earned
                held = row.available + row.pending + row.locked - row.debt
                assert held == row.earned - row.redeemed - row.expired - row.reversed

    def teardown(self) -> None:
        broken = {f.invariant.name: f.rows for f in audit() if f.violations}
        assert not broken, broken


class TestBooks(TransactionTestCase):
    """Run the machine; each example starts from empty books and ends with the audit."""

    def test_any_sequence_keeps_the_books(self) -> None:
        call_command("bootstrap")
        run_state_machine_as_test(
            Books,
            settings=settings(
                max_examples=25,
                stateful_step_count=30,
                deadline=None,
                suppress_health_check=list(HealthCheck),
            ),
        )
