import json
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection, transaction
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from ledger.services.audit import audit
from loyalty.models import User
from partners.models import Partner
from partners.services.clients import create_client

WEEKS_OF_DATA = 53
BASKETS = {53: 155_848}
HOUSEHOLDS = 2_469


@contextmanager
def _progress(
    console: Console, title: str, *, total: int | None
) -> Iterator[Callable[[int], None]]:
    """Show a bar; what is yielded takes how many more are done. It ends full."""
    columns = (TextColumn(title), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("", total=total)
        yield lambda count: progress.advance(task, count)
        progress.update(task, total=progress.tasks[0].completed)


class Command(BaseCommand):
    help = "Load the demo: a grocery programme with real purchases. Run twice it adds nothing."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--weeks", type=int, default=8, help="0 to 53 weeks of purchases")
        parser.add_argument("--credentials", type=Path, help="where to write the demo's log-ins")

    def handle(self, *args: Any, **options: Any) -> None:
        weeks = options["weeks"]
        if not 0 <= weeks <= WEEKS_OF_DATA:
            raise CommandError(f"The data has {WEEKS_OF_DATA} weeks, not {weeks}.")
        try:
            from promotions.demo import campaigns, data, events, partners, people, programme, replay
        except ImportError as error:
            raise CommandError(
                f"{error}. The demo's data come with: pip install -r requirements-demo.txt"
            ) from None
        console = Console(stderr=True)
        now = datetime.now(UTC)
        with connection.cursor() as cursor:
            cursor.execute("SET statement_timeout = 0")
        since, shift = now - timedelta(weeks=WEEKS_OF_DATA + 4), data.shift_of(now)
        found = campaigns.campaigns(shift)
        partner = partners.load_partners(since=since)
        with console.status("Loading products and promotions ..."), transaction.atomic():
            programme.load_products()
            people.load_schema()
            programme.load_promotions(at=since, today=now)
            programme.load_ladder(at=since)
            events.load_types(at=since, today=now)
        with _progress(console, "Enrolling households", total=HOUSEHOLDS) as count:
            members = people.load_members(partner, joined_at=since, on_progress=count)
        with console.status("Loading campaigns ..."), transaction.atomic():
            campaigns.load_segments(found, at=since)
            campaigns.load_promotions(found, at=since, today=now)
        with _progress(
            console, "Replaying purchases", total=BASKETS.get(weeks, weeks * 3_000)
        ) as count:
            shops = partners.shops()
            replay.replay(weeks, today=now, shops=shops, members=members, on_progress=count)
        with _progress(console, "Sending events", total=None) as count:
            households = [household for household, _ in data.households()]
            for sent in events.send(weeks, today=now, partner=partner, households=households):
                count(sent)
        with _progress(console, "Redeeming coupons", total=None) as count:
            campaigns.redeem_coupons(
                found,
                members=members,
                partner=partner,
                shift=shift,
                since=now - timedelta(weeks=weeks),
                until=now,
                on_progress=count,
            )
        with console.status("Settling with partners ..."):
            replay.settle_months(until=now)
        self._credentials(options["credentials"], partner, people.card_of(1), now)
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE")
        self._summary(Console())

    def _credentials(self, path: Path | None, partner: Partner, card: str, now: datetime) -> None:
        """Make a user of the back office and a till's API client, once, and write them down."""
        if path is None or path.exists():
            return
        password = secrets.token_urlsafe(9)
        User.objects.filter(username="admin").delete()
        User.objects.create_superuser("admin", password=password)
        made = create_client("Demo till", partner=partner)
        demo = {
            "user": "admin",
            "password": password,
            "client_id": made.client_id,
            "client_secret": made.client_secret,
            "purchase": {
                "member": {"card": card},
                "reference": "MY-FIRST-EARN",
                "occurred_at": now.isoformat(timespec="seconds"),
                "outlet": "S330",
                "currency": "USD",
                "lines": [
                    {"line": 1, "sku": "1095275", "quantity": "2", "amount": "5.98"},
                    {"line": 2, "sku": "9878513", "quantity": "1", "amount": "0.99"},
                ],
            },
        }
        path.write_text(json.dumps(demo, indent=2))
        path.chmod(0o600)

    def _summary(self, console: Console) -> None:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT (SELECT count(*) FROM members_member),"
                " (SELECT count(*) FROM ledger_transaction WHERE kind = 'EARN'),"
                " (SELECT round(coalesce(sum(amount), 0), 2) FROM ledger_transaction"
                " WHERE kind = 'EARN'),"
                " coalesce(sum(earned), 0), coalesce(sum(redeemed), 0), coalesce(sum(expired), 0),"
                " coalesce(sum(reversed), 0), coalesce(sum(available + pending + locked), 0)"
                " FROM ledger_account"
            )
            figures = cursor.fetchone()
        names = ["Members", "Baskets", "Sales", "Points earned", "Points redeemed"]
        names += ["Points expired", "Points reversed", "Points outstanding"]
        table = Table("The demo", "")
        for name, figure in zip(names, figures, strict=True):
            table.add_row(name, f"{figure:,}")
        broken = [finding.invariant.name for finding in audit() if finding.violations]
        table.add_row("Ledger audit", f"broken: {broken}" if broken else "clean")
        console.print(table)
        if broken:
            raise CommandError("The books do not balance: run manage.py audit_ledger.")
