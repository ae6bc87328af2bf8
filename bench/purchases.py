"""A transaction file: read, evaluated under 20 promotions and posted, beside a bare COPY of it."""

import random
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
from django.db import connection, transaction


def measure(lines: int, numbers: list[str]) -> list[dict[str, Any]]:
    """Return a row: purchases a second of a file of that many lines, three products each."""
    from django.conf import settings

    folder = Path(settings.LAUREL_IMPORT_FOLDER)
    folder.mkdir(parents=True, exist_ok=True)
    _write(folder / "warm.jsonl", 1_000, numbers, "W")
    _run("warm.jsonl")
    path = folder / "purchases.jsonl"
    _write(path, lines, numbers, "P")
    began = time.perf_counter()
    result = _run("purchases.jsonl")
    seconds = time.perf_counter() - began
    assert result == {"posted": lines, "known": 0, "rejected": 0}, result
    bare = _bare_copy(path)
    return [
        {
            "work": f"transaction file, {lines:,} purchases of 3 lines",
            "figure": f"{lines / seconds:,.0f}/s",
            "yardstick": f"{lines / bare:,.0f}/s bare COPY; bar 5,000/s, goal 20,000/s",
            "ratio": round(bare / seconds, 4),
            "bar": None,
            "goal": None,
        }
    ]


def _write(path: Path, lines: int, numbers: list[str], name: str) -> None:
    chance = random.Random(1)
    start = datetime.now(UTC) - timedelta(days=1)
    with path.open("wb") as file:
        for place in range(lines):
            purchase = {
                "member": {"number": chance.choice(numbers)},
                "reference": f"{name}-{place}",
                "occurred_at": start + timedelta(milliseconds=place),
                "outlet": "S1",
                "currency": "EUR",
                "lines": [
                    {"line": n, "sku": f"SKU{chance.randrange(2000)}", "amount": "4.99"}
                    for n in (1, 2, 3)
                ],
            }
            file.write(msgspec.json.encode(purchase) + b"\n")


def _run(name: str) -> dict[str, Any]:
    from loyalty.services import jobs
    from partners.models import Partner
    from promotions.services import purchase_file

    with transaction.atomic():
        job = purchase_file.start_import(
            path=name,
            partner_id=Partner.objects.get(code="SHOP").pk,
            at=datetime.now(UTC),
            queued=False,
        )
    with jobs.resume(str(job.pk)) as running:
        purchase_file.run_import(running)
    return dict(running.job.result)


def _bare_copy(path: Path) -> float:
    began = time.perf_counter()
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE bench_purchases (line jsonb)")
        with (
            cursor.copy(
                "COPY bench_purchases FROM STDIN (FORMAT csv, DELIMITER E'\\x01', QUOTE E'\\x02')"
            ) as copy,
            path.open("rb") as file,
        ):
            while piece := file.read(1024 * 1024):
                copy.write(piece)
        cursor.execute("DROP TABLE bench_purchases")
    return time.perf_counter() - began
