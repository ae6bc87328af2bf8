"""Any sequence of operations with merges among them keeps every invariant and every total.

The machine is that of `test_books`, with three members who may be merged and parted again. Sales
from before a merge go on being taken back, held and freed: the books follow them.
"""

from django.core.management import call_command
from django.db import transaction
from django.db.models import Sum
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TransactionTestCase
from hypothesis.stateful import invariant, rule, run_state_machine_as_test

from ledger.models import Account, Lot
from ledger.queries.books import read
from ledger.services import settlement, transfer
from ledger.services.audit import audit
from members.models import Member
from tests.factories.members import MemberFactory
from tests.ledger.test_books import Books

# Without shrinking: it would take longer than reading the example that failed.
PHASES = (Phase.explicit, Phase.reuse, Phase.generate)
STATES = ("available", "pending", "locked", "debt")


def totals(member_ids, at):
    """Return what these members hold by state, settled; debt as a negative of what they hold."""
    found = dict.fromkeys(STATES, 0)
    for key in member_ids:
        for account in read({"id": key}, at=at).book.accounts.values():
            for state in STATES:
                found[state] += getattr(account, state)
    return found


class Merging(Books):
    """Three members; two of them may be merged into another, and parted again."""

    def __init__(self) -> None:
        super().__init__()
        self.members.append(MemberFactory())
        self.earned.append(0)
        self.merged = []

    def alive(self):
        return list(Member.objects.exclude(stage="MERGED").order_by("pk"))

    @rule(giver=st.integers(0, 2), taker=st.integers(0, 2))
    def merge(self, giver: int, taker: int) -> None:
        alive = self.alive()
        first, second = alive[giver % len(alive)], alive[taker % len(alive)]
        if first == second:
            return
        before = totals([first.pk, second.pk], self.at)
        with transaction.atomic():
            pair = transfer.lock_pair(first.pk, second.pk, at=self.at)
            moved = transfer.transfer_everything(pair, reason="The same person.")
            Member.objects.filter(pk=first.pk).update(stage="MERGED", merged_into=second)
        after = totals([second.pk], self.at)
        paid = before["debt"] - after["debt"]
        assert after["available"] == before["available"] - paid
        assert (after["pending"], after["locked"]) == (before["pending"], before["locked"])
        assert not Lot.objects.filter(member=first, open=True).exists()
        self.merged.append((first.pk, second.pk, moved.into.id))

    @rule()
    def part(self) -> None:
        if not self.merged:
            return
        first, second, brought = self.merged[-1]
        before = totals([second], self.at)
        with transaction.atomic():
            Member.objects.filter(pk=first).update(stage="ACTIVE", merged_into=None)
            pair = transfer.lock_pair(second, first, at=self.at)
            if transfer.touched(pair, brought):
                transaction.set_rollback(True)
                return
            transfer.transfer_back(pair, brought, reason="Not the same after all.")
        self.merged.pop()
        assert totals([first, second], self.at) == before

    @rule()
    def sweep(self) -> None:
        """Reading equals sweeping, of those who have a book of their own."""
        alive = [member.pk for member in self.alive()]
        wanted = totals(alive, self.at)
        settlement.settle_chunk(after=0, at=self.at)
        rows = Account.objects.filter(member__in=alive)
        assert wanted == {name: sum(getattr(row, name) for row in rows) for name in STATES}

    @invariant()
    def points_are_only_moved(self) -> None:
        sums = Account.objects.aggregate(
            *(Sum(name, default=0) for name in (*STATES, "earned", "redeemed", "expired")),
            Sum("reversed", default=0),
        )
        assert sums["earned__sum"] == sum(self.earned)
        held = sums["available__sum"] + sums["pending__sum"] + sums["locked__sum"]
        gone = sums["redeemed__sum"] + sums["expired__sum"] + sums["reversed__sum"]
        assert held - sums["debt__sum"] == sums["earned__sum"] - gone

    def teardown(self) -> None:
        broken = {f.invariant.name: f.rows for f in audit() if f.violations}
        assert not broken, broken


class TestTransfers(TransactionTestCase):
    """Run the machine; each example starts from empty books and ends with the audit."""

    def test_any_sequence_with_merges_keeps_the_books(self) -> None:
        call_command("bootstrap")
        run_state_machine_as_test(
            Merging,
            settings=settings(
                max_examples=25,
                stateful_step_count=35,
                phases=PHASES,
                deadline=None,
                suppress_health_check=list(HealthCheck),
            ),
        )
