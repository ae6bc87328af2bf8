import csv
import sys
from datetime import datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone
from rich.console import Console
from rich.table import Table

from ledger.management.instants import instant_of
from ledger.queries.configuration import Configuration, configuration
from ledger.queries.liability import DIMENSIONS, STATES, Liability, grouped, liability


class Command(BaseCommand):
    help = (
        "Report the points outstanding, in points and money, tied to the ledger. Exits with 1 if"
        " report and ledger differ by a single point."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--as-of", help="what was posted before this day or instant; without it, now"
        )
        parser.add_argument(
            "--by",
            default="tier",
            help=f"what to group by, of {', '.join(DIMENSIONS)}; separated by commas",
        )
        parser.add_argument("--cohorts", action="store_true", help="what became of each month")
        parser.add_argument("--csv", action="store_true", help="print CSV")

    def handle(self, *args: Any, **options: Any) -> None:
        settings = configuration()
        by = [name for name in options["by"].split(",") if name]
        if unknown := set(by) - set(DIMENSIONS):
            raise CommandError(f"There is no {sorted(unknown)[0]!r} to group by.")
        try:
            at = instant_of(options["as_of"], settings.zone) if options["as_of"] else timezone.now()
        except ValueError as error:
            raise CommandError(str(error)) from None
        console = Console(stderr=True)
        with console.status("Reading the ledger ..."):
            found = liability(at, settings.zone)
        self._print(found, by, settings, at, options)
        for control in found.untied:
            code = settings.point_types[control.point_type].code
            console.print(f"[red]{code}: the report is not the ledger, {control.moved:,} points.")
        if found.untied:
            sys.exit(1)
        console.print("[green]The report is the ledger to the point.")

    def _print(
        self,
        found: Liability,
        by: list[str],
        settings: Configuration,
        at: datetime,
        options: dict[str, Any],
    ) -> None:
        names: tuple[str, ...]
        if options["cohorts"]:
            names, rows = COHORT_COLUMNS, list(_cohorts(found, settings))
        else:
            names = ("type", *by, *STATES, "amount", "currency")
            rows = list(grouped(found.held, by, settings, at))
        if options["csv"]:
            write = csv.writer(self.stdout).writerow
            write(names)
            for row in rows:
                write(row)
            return
        table = Table(*names)
        for row in rows:
            table.add_row(*(f"{cell:,}" if isinstance(cell, int) else str(cell) for cell in row))
        # A file or a pipe has no width; a table that is cut off says nothing.
        Console(width=None if sys.stdout.isatty() else 160).print(table)


COHORT_COLUMNS = (
    "type", "month", "issued", "reversed", "redeemed", "expired", "paid_debt", "outstanding",
    "matured", "breakage", "redemption_rate",
)  # fmt: skip


def _cohorts(found: Liability, settings: Configuration) -> Any:
    for each in found.cohorts:
        yield (
            settings.point_types[each.point_type].code, f"{each.month:%Y-%m}", each.issued,
            each.reversed, each.redeemed, each.expired, each.paid_debt, each.outstanding,
            each.matured, percent(each.breakage), percent(each.redemption_rate),
        )  # fmt: skip


def percent(share: Any) -> str:
    """Return a share as a percentage to a tenth; nothing for none."""
    return "" if share is None else f"{share * 100:.1f} %"
