"""Try a promotion on history: `manage.py backtest_promotion CODE --from 2026-01-01`."""

import json
import time
from argparse import ArgumentTypeError
from collections.abc import Callable
from datetime import date, datetime, timedelta
from datetime import time as clock
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction
from django.utils import timezone
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from ledger.queries.configuration import configuration
from loyalty.errors import LoyaltyError, ValidationFailed
from loyalty.models import Job
from loyalty.services import jobs
from promotions.services.history import backtest
from promotions.services.history.backtest_rows import HEADER, OF_OTHERS, csv_rows

SHOWN = 12


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ArgumentTypeError(f"{text} is no date such as 2026-01-31") from None


class Command(BaseCommand):
    help = (
        "Try a promotion on the stored sales of a period, beside what really happened."
        " Moves nothing. A run that was cut off goes on with --job."
    )

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        """Let --version be the promotion's, not Django's."""
        return super().create_parser(prog_name, subcommand, conflict_handler="resolve", **kwargs)

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("code", nargs="?", help="the promotion's code")
        parser.add_argument("--version", type=int, dest="number", help="default: the last one")
        parser.add_argument("--file", type=Path, help="a definition as JSON, in place of a version")
        parser.add_argument("--from", type=_day, dest="begins", help="the first local day")
        parser.add_argument("--to", type=_day, dest="ends", help="the last day; default: today")
        parser.add_argument("--csv", type=Path, help="where to write all rows of the report")
        parser.add_argument("--job", help="the id of a run to go on with")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            job = self._job(options)
            self._run(job)
        except ValidationFailed as refusal:
            raise CommandError(
                "; ".join(f"{each.pointer}: {each.message}" for each in refusal.errors)
            ) from None
        except LoyaltyError as refusal:
            raise CommandError(refusal.detail) from None
        job.refresh_from_db()
        if job.status != Job.Status.DONE:
            raise CommandError(f"The run {job.pk} is {job.status}.")
        self._show(job.result)
        if options["csv"]:
            options["csv"].write_bytes(b"".join(csv_rows(job.result)))

    def _job(self, options: dict[str, Any]) -> Job:
        if options["job"]:
            return Job.objects.get(pk=options["job"], kind=backtest.KIND)
        if not options["code"] or not options["begins"]:
            raise CommandError("Say which promotion, and --from which day on.")
        if options["file"]:
            definition, number = json.loads(options["file"].read_text()), None
        else:
            definition, number = backtest.definition_of(options["code"], options["number"])
        zone, now = configuration().zone, timezone.now()
        today = now.astimezone(zone).date()
        last = min(options["ends"] or today, today)
        with transaction.atomic():
            return backtest.start_backtest(
                options["code"],
                definition,
                begins=datetime.combine(options["begins"], clock.min, zone),
                ends=datetime.combine(last + timedelta(days=1), clock.min, zone),
                at=now,
                number=number,
            )

    def _run(self, job: Job) -> None:
        columns = (
            TextColumn("Trying on history"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
        )
        self.stderr.write(f"Run {job.pk}; cut off, it goes on with --job {job.pk}")
        with Progress(*columns, console=Console(stderr=True)) as progress:
            bar = progress.add_task("", total=None)

            def show(running: Job) -> None:
                progress.update(bar, completed=running.done, total=running.total)

            try:
                with jobs.resume(str(job.pk)) as running:
                    backtest.run_backtest(running, on_progress=show)
            except jobs.NotForUs:  # A worker was quicker: watch it.
                self._watch(job, show)

    def _watch(self, job: Job, show: Callable[[Job], None]) -> None:
        while job.status in jobs.UNFINISHED:
            time.sleep(1)
            job.refresh_from_db()
            show(job)

    def _show(self, report: dict[str, Any]) -> None:
        console, total = Console(), report["total"]
        console.print(f"{report['promotion']} ({report['name']}), {report['gives']}", markup=False)
        table = Table("", "", *HEADER)
        for title, rows in (
            ("all", [{"name": "", **total}]),
            ("week", report["weeks"]),
            ("tier", report["tiers"]),
            ("segment", sorted(report["segments"], key=lambda row: -row["given"])[:SHOWN]),
        ):
            for row in rows:
                cells = (str(row[name] if row[name] is not None else "") for name in HEADER)
                table.add_row(title, row["name"], *cells)
        console.print(table)
        others = Table("promotion", "gives", *OF_OTHERS)
        for row in report["others"][:SHOWN]:
            cells = (str(row[name]) for name in OF_OTHERS)
            others.add_row(row["promotion"], row["gives"], *cells)
        console.print(others)
        if budget := report["budget"]:
            gone = budget["gone_at"] or f"lasts {budget['lasts_days']} days at this pace"
            console.print(f"Budget: {budget['used']} of {budget['at_most']} used; {gone}.")
        for note in report["notes"]:
            console.print(note, markup=False)
