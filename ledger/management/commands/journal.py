import csv
import sys
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from ledger.management.instants import instant_of
from ledger.queries.configuration import configuration
from ledger.queries.journal import COLUMNS, Journal, journal_rows
from ledger.queries.statements import month_of, period_of


class Command(BaseCommand):
    help = (
        "Write the journal of a period for the general ledger as CSV. Exits with 1 if opening"
        " liability and movements are not the closing liability, to the point."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--month", help="such as 2026-10")
        parser.add_argument("--from", dest="start", help="a day or an instant, inclusive")
        parser.add_argument("--to", dest="end", help="a day or an instant, exclusive")
        parser.add_argument("--out", type=Path, help="the file; without it, standard output")

    def handle(self, *args: Any, **options: Any) -> None:
        settings = configuration()
        try:
            if options["month"]:
                start, end = period_of(month_of(options["month"]))
            elif options["start"] and options["end"]:
                start, end = (instant_of(options[name], settings.zone) for name in ("start", "end"))
            else:
                raise CommandError("Give --month, or --from and --to.")
        except ValueError as error:
            raise CommandError(str(error)) from None
        if not start < end <= timezone.now():
            raise CommandError("A period begins before it ends, and is over.")
        journal = Journal(start, end, settings)
        if options["out"]:
            with options["out"].open("w", newline="") as file:
                self._write(journal, file)
        else:
            self._write(journal, self.stdout)
        self._report(journal)
        if not journal.tied:
            sys.exit(1)

    def _write(self, journal: Journal, file: Any) -> None:
        columns = (SpinnerColumn(), TextColumn("{task.completed} lines"), TimeElapsedColumn())
        with Progress(*columns, console=Console(stderr=True)) as progress:
            task = progress.add_task("", total=None)
            write = csv.writer(file).writerow
            write(COLUMNS)
            for row in journal_rows(journal):
                write(row)
                progress.advance(task)

    def _report(self, journal: Journal) -> None:
        console = Console(stderr=True)
        table = Table("Type", "Opening", "Movements", "Closing", "Amount", "")
        for key, balance in journal.balances.items():
            facts = configuration().point_types[key]
            table.add_row(
                facts.code,
                f"{balance.opening:,}",
                f"{balance.moved:,}",
                f"{balance.closing:,}",
                f"{balance.closing_amount:,} {journal.currency}",
                "[green]tied" if balance.tied else "[red]not tied",
            )
        console.print(table)
