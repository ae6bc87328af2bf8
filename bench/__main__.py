"""`make bench`: Laurel against the limits of PostgreSQL and Python on this machine, as ratios."""

import json
import os
import secrets
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table

from bench import servers

SCALE = float(os.environ.get("SCALE", "1"))
MEMBERS = int(20_000 * SCALE)
SECONDS = float(os.environ.get("SECONDS", "6"))
CLIENTS = 16

OPEN = (
    "SELECT o::text AS opened FROM ledger_open_book(jsonb_build_object('number',"
    " (SELECT number FROM members_member WHERE id = :m)), now(),"
    " (SELECT id FROM partners_partner WHERE is_house), '{kind}', 'none', '{lots}', {cover}) o"
    " \\gset"
)
SCRIPT = (
    "\\set m random(1, :members)\nBEGIN;\n{open}\n"
    "SELECT ledger_post(bench_{name}(CAST(:opened AS json)));\nCOMMIT;\n"
)


def main() -> None:
    """Measure everything and print the table."""
    rows: list[dict[str, Any]] = []
    with servers.running() as environment:
        prepare()
        rows += engine_rows()
        rows += sweep_rows()
        token, members = world()
        rows += statement_rows()
        rows += http_rows(environment, token, members)
        look_again()
        rows += return_rows(members)
        rows += purchase_rows(members)
        rows += segment_rows()
    show(rows)


def prepare() -> None:
    """Make an empty programme in a fresh database."""
    import django
    from django.core.management import call_command
    from django.db import connection

    django.setup()
    call_command("migrate", verbosity=0)
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 0")
        cursor.execute(
            "TRUNCATE ledger_book, ledger_account, ledger_transaction, ledger_lot, ledger_entry,"
            " ledger_pointlock, ledger_lockedlot, loyalty_outboxevent, promotions_evaluation,"
            " members_card, members_alias, members_member, promotions_promotionversion,"
            " promotions_promotionstatus, promotions_promotion, ledger_pointvalue,"
            " ledger_pointtype, partners_outlet, partners_apiclient RESTART IDENTITY CASCADE"
        )
    call_command("bootstrap")
    with connection.cursor() as cursor:
        cursor.execute((Path(__file__).parent / "yardstick.sql").read_text())
        cursor.execute(
            "INSERT INTO members_member (number, stage, tier_id, version, first_name, last_name,"
            " email, phone, address, language, currency, attributes, enrolled_by_id, joined_at)"
            " SELECT (1000000000 + g)::text, 'ACTIVE',"
            " (SELECT id FROM members_tier WHERE is_base), 1, '', '', '', '', '{}', '', '', '{}',"
            " (SELECT id FROM partners_partner WHERE is_house), now() - interval '1 year'"
            " FROM generate_series(1, %s) g",
            [MEMBERS],
        )
        cursor.execute("ANALYZE")


def look_again() -> None:
    """Let this process plan by what the tables hold now, as the web server's did that is over."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    connection.close()


def world() -> tuple[str, list[str]]:
    """Put 20 promotions live, make a client with a token; return it and the members' numbers."""
    import hashlib

    from django.db import transaction
    from oauth2_provider.models import get_access_token_model

    from members.models import Member
    from partners.models import ApiClient, Outlet, Partner
    from partners.services.clients import create_client
    from promotions.services.writing.authoring import write_promotion

    long_ago = datetime.now(UTC) - timedelta(days=30)
    per = {"kind": "PER_AMOUNT", "type": "PTS", "points": 1, "per": "1.00"}
    with transaction.atomic():
        write_promotion(
            "BASE",
            {"name": "Base", "award": per, "combination": {"base": True}},
            status="LIVE",
            at=long_ago,
        )
        for number in range(19):
            skus = [f"SKU{number * 50 + place}" for place in range(50)]
            content = {"name": "x", "award": per, "lines": {"include": {"sku": skus}}}
            write_promotion(f"P{number}", content, status="LIVE", at=long_ago)
    partner, _ = Partner.objects.get_or_create(code="SHOP", defaults={"name": "Shop"})
    Outlet.objects.get_or_create(partner=partner, code="S1", defaults={"name": "S1"})
    client = create_client("bench", partner=partner).client
    ApiClient.objects.update(rate_limit_per_minute=100_000_000)
    token = secrets.token_urlsafe(24)
    row = get_access_token_model().objects.create(
        application=client.application,
        token="",
        expires=datetime.now(UTC) + timedelta(hours=2),
        scope=" ".join(client.scopes),
        token_checksum="x",
    )
    checksum = hashlib.sha256(token.encode()).hexdigest()
    get_access_token_model().objects.filter(pk=row.pk).update(token_checksum=checksum)
    return token, list(Member.objects.order_by("pk").values_list("number", flat=True))


def http_rows(environment: dict[str, str], token: str, members: list[str]) -> list[dict[str, Any]]:
    """Measure earn, redemption, status and one hot member over HTTP, beside pgbench."""
    earn = SCRIPT.format(open=OPEN.format(kind="EARN", lots="DUE", cover="NULL, NULL"), name="earn")
    redeem = SCRIPT.format(
        open=OPEN.format(kind="REDEMPTION", lots="COVER", cover="1, 1"), name="redeem"
    )
    rows = []
    yard = servers.pgbench(earn, members=MEMBERS, clients=CLIENTS, seconds=SECONDS)
    # Everybody has something to spend: one earn each.
    for place in range(0, MEMBERS, 2000):
        _give(place, 2000)
    with servers.web(environment) as port:
        for name, script, bar, goal in (("earn", earn, 0.20, 0.50), ("redeem", redeem, 0.20, 0.50)):
            _load(port, token, name, members, CLIENTS, 2)
            yard = servers.pgbench(script, members=MEMBERS, clients=CLIENTS, seconds=SECONDS)
            found = _load(port, token, name, members, CLIENTS, SECONDS)
            again = servers.pgbench(script, members=MEMBERS, clients=CLIENTS, seconds=SECONDS)
            yard = (yard + again) / 2
            rows.append(_row(f"{name} over HTTP", found, yard, "pgbench", bar, goal))
        found = _load(port, token, "status", members, CLIENTS, SECONDS)
        rows.append(_row("status over HTTP", found, None, "", None, None))
        found = _load(port, token, "earn", members[:1], 20, SECONDS)
        rows.append(_row("earn, 20 clients on one member", found, None, "", None, None))
    return rows


def _give(place: int, count: int) -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT ledger_post(bench_earn(ledger_open_book(jsonb_build_object('id', id), now(),"
            " NULL, NULL, NULL, 'DUE', NULL, NULL))) FROM generate_series(%s, %s) AS m (id)",
            [place + 1, min(place + count, MEMBERS)],
        )


def _load(
    port: int, token: str, kind: str, members: list[str], connections: int, seconds: float
) -> dict[str, Any]:
    plan = {
        "port": port,
        "token": token,
        "kind": kind,
        "members": members,
        "connections": connections,
        "seconds": seconds,
        "occurred_at": datetime.now(UTC).isoformat(),
        "run": secrets.token_hex(4),
    }
    done = subprocess.run(
        [sys.executable, "-m", "bench.load"],
        input=msgspec.json.encode(plan),
        capture_output=True,
        check=True,
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _row(
    name: str,
    found: dict[str, Any],
    yard: float | None,
    against: str,
    bar: float | None,
    goal: float | None,
) -> dict[str, Any]:
    return {
        "work": name,
        "figure": "{per_second:,.0f}/s, p50 {p50:.1f}, p99 {p99:.1f} ms".format(**found),
        "yardstick": f"{yard:,.0f}/s {against}" if yard else "",
        "ratio": round(found["per_second"] / yard, 3) if yard else None,
        "bar": bar,
        "goal": goal,
        "statuses": found["statuses"],
    }


def engine_rows() -> list[dict[str, Any]]:
    """Measure the pure engine against the number of promotions."""
    from bench.engine import measure

    return [
        {
            "work": f"engine, 10 lines, {count:,} promotions",
            "figure": f"{micros:.0f} µs",
            "yardstick": f"{naive:,.0f} µs naive loop",
            "ratio": round(micros / naive, 3),
            "bar": None,
            "goal": None,
        }
        for count, micros, naive in (measure(1_000), measure(10_000))
    ]


def sweep_rows() -> list[dict[str, Any]]:
    """Measure the sweep with full postings against one plain UPDATE of as many lots."""
    from bench.sweep import measure

    lots, swept, plain = measure(int(100_000 * SCALE))
    return [
        {
            "work": f"expiry of {lots:,} lots with full postings",
            "figure": f"{lots / swept:,.0f} lots/s",
            "yardstick": f"{lots / plain:,.0f} lots/s plain UPDATE",
            "ratio": round(plain / swept, 3),
            "bar": 0.08,
            "goal": 0.16,
        }
    ]


def segment_rows() -> list[dict[str, Any]]:
    """Measure the import of a segment file at two sizes of its blocks."""
    from bench.segments import measure

    return measure(int(1_000_000 * SCALE))


def return_rows(members: list[str]) -> list[dict[str, Any]]:
    """Measure a partial return."""
    from bench.returns import measure

    return measure(300, members)


def purchase_rows(members: list[str]) -> list[dict[str, Any]]:
    """Measure the import of a transaction file."""
    from bench.purchases import measure

    return measure(int(50_000 * SCALE), members)


def statement_rows() -> list[dict[str, Any]]:
    """Count the statements of a posting."""
    from bench.statements import count

    return [
        {
            "work": f"statements of one {name}",
            "figure": str(sent),
            "yardstick": "bar 4, goal 2",
            "ratio": None,
            "bar": None,
            "goal": None,
        }
        for name, sent in count().items()
    ]


def show(rows: list[dict[str, Any]]) -> None:
    """Print the table and keep it."""
    table = Table("Work", "Measured", "Yardstick", "Ratio", "Bar", "Goal")
    for row in rows:
        ratio = f"{row['ratio']:.3f}" if row["ratio"] is not None else ""
        bar, goal = (f"{row[k]:.2f}" if row[k] else "" for k in ("bar", "goal"))
        table.add_row(row["work"], row["figure"], row["yardstick"], ratio, bar, goal)
    Console(width=140).print(table)
    folder = Path(__file__).parent / "results"
    folder.mkdir(exist_ok=True)
    path = folder / f"{time.strftime('%Y-%m-%d')}.json"
    path.write_text(json.dumps({"scale": SCALE, "rows": rows}, indent=1) + "\n")
    print(f"Kept in {path}.")


if __name__ == "__main__":
    main()
