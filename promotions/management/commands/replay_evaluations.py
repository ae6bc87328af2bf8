"""Recompute every stored evaluation, and prove that it comes out as it did."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from rich.progress import Progress

from promotions.services.history.replay import Difference, replay, stored_evaluations

SHOWN_MAX = 20


class Command(BaseCommand):
    """Exits non-zero if any evaluation comes out otherwise, and names the first of them."""

    help = "Recompute the whole history of evaluations; fail if any comes out otherwise."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--quiet", action="store_true", help="Show no progress bar.")

    def handle(self, *args: Any, **options: Any) -> None:
        total = stored_evaluations()
        differences: list[Difference] = []
        same = gone = 0
        with Progress(disable=options["quiet"]) as progress:
            task = progress.add_task("Evaluations", total=total)
            for chunk in replay():
                same, gone = same + chunk.same, gone + chunk.gone
                differences += chunk.differences
                progress.advance(task, chunk.same + chunk.gone + len(chunk.differences))
        self.stdout.write(
            f"{same} the same, {gone} without their facts, {len(differences)} differ."
        )
        if differences:
            for each in differences[:SHOWN_MAX]:
                self.stderr.write(f"{each.transaction_id}: {each.first} came out as {each.again}")
            raise CommandError(f"{len(differences)} evaluations come out otherwise.")
