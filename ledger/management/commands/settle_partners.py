import csv
import sys
from datetime import date
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection
from django.utils import timezone
from rich.console import Console
from rich.table import Table

from ledger.models import Statement
from ledger.queries.statements import STATEMENT_COLUMNS, last_month, month_of, statement_rows
from ledger.services.partner_settlement import settle_month
from loyalty.errors import LoyaltyError


class Command(BaseCommand):
    help = "Close a month and settle it with every partner. Safe to repeat: a closed month stays."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--month", help="such as 2026-10; without it, the last that is over")
        parser.add_argument("--csv", action="store_true", help="print the statements as CSV")

    def handle(self, *args: Any, **options: Any) -> None:
        now = timezone.now()
        try:
            month = month_of(options["month"]) if options["month"] else last_month(now)
            with Console(stderr=True).status(f"Settling {month:%B %Y} ..."):
                settled = settle_month(month, at=now)
        except (ValueError, LoyaltyError) as error:
            raise CommandError(str(error)) from None
        with connection.cursor() as cursor:
            cursor.execute("SET statement_timeout = 0")
        if options["csv"]:
            write = csv.writer(self.stdout).writerow
            write(STATEMENT_COLUMNS)
            for statement in _statements(month):
                for row in statement_rows(statement):
                    write(row)
            return
        self._print(month)
        self.stdout.write(
            f"{month:%Y-%m}: {settled.statements} statements, {settled.new} of them new."
        )

    def _print(self, month: date) -> None:
        table = Table("Partner", "Movement", "Type", "Points", "Rate", "The partner pays")
        for statement in _statements(month):
            for partner, _, movement, kind, _, points, rate, amount, currency in statement_rows(
                statement
            ):
                shown = f"{points:,}" if isinstance(points, int) else ""
                cells = (partner, movement, kind, shown, rate, f"{amount} {currency}")
                table.add_row(*("" if cell is None else str(cell) for cell in cells))
        # A file or a pipe has no width; a table that is cut off says nothing.
        Console(width=None if sys.stdout.isatty() else 160).print(table)


def _statements(month: date) -> Any:
    rows = Statement.objects.filter(month=month)
    return rows.select_related("partner").order_by("partner__code")
