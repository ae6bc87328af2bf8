"""The import of a transaction file as a command, at once and to be watched."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction
from django.utils import timezone
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from loyalty.errors import LoyaltyError
from loyalty.services import jobs
from partners.models import Partner
from promotions.services import purchase_file


class Command(BaseCommand):
    help = "Post a file of purchases, an Earn's JSON a line. Killed, it is safe to repeat."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("path", help="the file, by its path under the import folder")
        parser.add_argument("--partner", required=True, help="whose purchases they are, by code")

    def handle(self, *args: Any, **options: Any) -> None:
        partner = Partner.objects.filter(code=options["partner"]).first()
        if partner is None:
            raise CommandError(f"There is no partner {options['partner']}.")
        try:
            with transaction.atomic():
                job = purchase_file.start_import(
                    path=options["path"], partner_id=partner.pk, at=timezone.now(), queued=False
                )
        except LoyaltyError as refusal:
            raise CommandError(refusal.detail) from None
        columns = (TextColumn("Purchases"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
        with (
            Progress(*columns, console=Console(stderr=True)) as progress,
            jobs.resume(str(job.pk)) as running,
        ):
            task = progress.add_task("", total=job.total)
            purchase_file.run_import(
                running, on_progress=lambda done: progress.update(task, completed=done)
            )
        counts = ", ".join(f"{count:,} {name}" for name, count in running.job.result.items())
        self.stdout.write(f"{counts}. The job is {job.pk}.")
