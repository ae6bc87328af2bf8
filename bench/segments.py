"""A segment file: copied in, looked up, compared and put into effect, against a bare COPY of it.

`python -m bench.segments` measures this alone, in a fresh database.
"""

import os
import resource
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.db import connection, transaction

BLOCKS = (1024 * 1024, 4 * 1024 * 1024)
UNKNOWN = 0.02  # Of the lines; some more are malformed, and some are there twice.
OUT, IN = 0.20, 0.30  # Of the file's members: as many go, and come.


def measure(lines: int) -> list[dict[str, Any]]:
    """Return a row per key and block size: lines a second, and by how much memory grew."""
    folder = _folder()
    _fill(lines)
    rows = []
    for key, block in (("number", BLOCKS[0]), ("number", BLOCKS[1]), ("card", BLOCKS[0])):
        _write_file(folder / "warm.csv", key, 1_000)
        _import("warm.csv", key, block)
        _write_file(folder / "keys.csv", key, lines)
        _prepare_segment(lines)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        busy, began = _cpu(), time.perf_counter()
        result = _import("keys.csv", key, block)
        seconds, busy = time.perf_counter() - began, _cpu() - busy
        grew = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
        bare = _bare_copy(folder / "keys.csv")
        assert result["lines"] == lines, result
        assert min(result["added"], result["removed"], result["unknown"]) > 0, result
        size = f"{block // 1024**2} MiB"
        rows.append(
            {
                "work": f"segment file by {key}, {lines:,} lines, blocks of {size}",
                "figure": f"{lines / seconds:,.0f} lines/s, {lines / busy:,.0f} a second of CPU,"
                f" {grew:+.0f} MiB",
                "yardstick": f"{lines / bare:,.0f}/s bare COPY; bar 100,000, goal 250,000",
                "ratio": round(bare / seconds, 3),
                "bar": None,
                "goal": None,
            }
        )
    return rows


def _cpu() -> float:
    """Return the CPU seconds of this process and of its backend, which other load does not move."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        path = Path("/proc") / str(cursor.fetchone()[0]) / "stat"
    ticks = sum(map(int, path.read_text().rpartition(")")[2].split()[11:13]))
    return time.process_time() + ticks / os.sysconf("SC_CLK_TCK")


def _folder() -> Path:
    from django.conf import settings

    folder = Path(settings.LAUREL_IMPORT_FOLDER)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _fill(lines: int) -> None:
    """Make as many members as the file has lines, each with a card."""
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 0")
        cursor.execute(
            "INSERT INTO members_member (number, stage, tier_id, version, first_name, last_name,"
            " email, phone, address, language, currency, attributes, enrolled_by_id, joined_at)"
            " SELECT (2000000000 + g)::text, 'ACTIVE', t.id, 1, 'Ann', 'Lee', '', '', '{}', 'en',"
            " '', '{}', p.id, now() FROM generate_series(1, %s) g,"
            " (SELECT id FROM members_tier WHERE is_base) t,"
            " (SELECT id FROM partners_partner WHERE is_house) p",
            [lines],
        )
        cursor.execute(
            "INSERT INTO members_card (number, member_id, status, issued_at)"
            " SELECT '62750' || number, id, 'ACTIVE', now() FROM members_member"
            " WHERE number LIKE '2%' AND length(number) = 10"
        )
        cursor.execute("ANALYZE")


def _write_file(path: Path, key: str, lines: int) -> None:
    """Write members in no order; each hundredth line comes to nothing or is there twice."""
    prefix = "62750" if key == "card" else ""
    step = 999_983  # A prime: it visits all, far from the order of their keys.
    with path.open("w") as file:
        for place in range(lines):
            number = 2_000_000_001 + place * step % lines
            if place % 100 < UNKNOWN * 100:
                number += 5_000_000_000
            file.write(f"{prefix}{number}\n" if place % 100 != 99 else "no key\n")


def _prepare_segment(lines: int) -> None:
    """Let a segment hold others, and most of whom the file names."""
    from members.models import Segment

    now = datetime.now(UTC)
    segment, _ = Segment.objects.get_or_create(
        code="BENCH", defaults={"name": "Bench", "created_at": now}
    )
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE members_segmentmember")
        cursor.execute(
            "INSERT INTO members_segmentmember (segment_id, member_id, since)"
            " SELECT %s, id, now() FROM members_member WHERE id <= (SELECT max(id) FROM"
            " members_member) - %s OR length(number) <> 10 ORDER BY id",
            [segment.pk, int(lines * IN)],
        )
        cursor.execute(
            "INSERT INTO members_segmentmember (segment_id, member_id, since)"
            " SELECT %s, 10000000000 + g, now() FROM generate_series(1, %s) g",
            [segment.pk, int(lines * OUT)],
        )
        cursor.execute("VACUUM ANALYZE members_segmentmember")


def _import(name: str, key: str, block: int) -> dict[str, int]:
    from loyalty.services import jobs
    from members.models import Segment
    from members.services import segment_import
    from members.services.segment_import import Wanted

    now = datetime.now(UTC)
    Segment.objects.get_or_create(code="BENCH", defaults={"name": "Bench", "created_at": now})
    prepared = segment_import.prepare(Wanted("REPLACE", key=key), path=name)
    with transaction.atomic():
        job = segment_import.start_import("BENCH", prepared, at=now)
    with jobs.resume(str(job.pk)) as running:
        segment_import.run_import(running, block_bytes=block)
    job.refresh_from_db()
    return dict(job.result)


def _bare_copy(path: Path) -> float:
    """Return the seconds that PostgreSQL takes to copy the same lines into a bare table."""
    with connection.cursor() as cursor:
        cursor.execute("CREATE TEMPORARY TABLE bare (key text)")
        began = time.perf_counter()
        with cursor.copy("COPY bare FROM STDIN") as copy, path.open("rb") as file:
            while piece := file.read(1024 * 1024):
                copy.write(piece)
        seconds = time.perf_counter() - began
        cursor.execute("DROP TABLE bare")
    return seconds


def main() -> None:
    """Measure this alone and print it."""
    from bench import servers
    from bench.__main__ import SCALE, prepare

    with servers.running():
        prepare()
        for row in measure(int(1_000_000 * SCALE)):
            print(row["work"], row["figure"], row["yardstick"], row["ratio"], sep=" · ")


if __name__ == "__main__":
    main()
