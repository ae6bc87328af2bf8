"""The review of tiers as a command: what the night does, at once and to be watched."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from promotions.services.tiers import tier_review


class Command(BaseCommand):
    help = "Review the tiers whose validity is over, with a progress bar. Safe to repeat."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--everybody", action="store_true", help="also those whose tier is valid still"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        at = timezone.now()
        after = raised = lowered = 0
        columns = (
            TextColumn("Reviewing tiers"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=Console(stderr=True)) as progress:
            task = progress.add_task("", total=tier_review.count_members())
            while True:
                chunk = tier_review.review_chunk(after=after, at=at, everybody=options["everybody"])
                if chunk.last is None:
                    break
                after, raised = chunk.last, raised + chunk.raised
                lowered += chunk.lowered
                progress.advance(task, chunk.members)
        self.stdout.write(f"{raised} members moved up, {lowered} moved down.")
