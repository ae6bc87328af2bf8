"""The sweep as a command: what the timetable does each minute, at once and to be watched.

Releases and expiries of a book depend on each other's order, so both commands do both; they
differ in what they report.
"""

from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from ledger.services import settlement


class SweepCommand(BaseCommand):
    """Settle every book that has something due, chunk by chunk. Killed, it is run again."""

    counted = "expired"

    def handle(self, *args: Any, **options: Any) -> None:
        at = timezone.now()
        totals = {"released": 0, "expired": 0}
        members, after = 0, 0
        columns = (
            TextColumn("Settling"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=Console(stderr=True)) as progress:
            task = progress.add_task("", total=settlement.count_due(at))
            while (chunk := settlement.settle_chunk(after=after, at=at)).last is not None:
                after = chunk.last
                members += chunk.members
                totals["released"] += chunk.released
                totals["expired"] += chunk.expired
                progress.advance(task, chunk.members)
        self.stdout.write(f"{members} members: {totals[self.counted]} points {self.counted}.")
