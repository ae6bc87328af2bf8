"""Kill what runs while tills are posting: `python -m bench.faults [PORT]`, beside a `make run`.

Eight tills earn through HTTP; meanwhile the database, a web process and the worker are killed with
SIGKILL, in turn. The supervisor starts them again. Each till sends what was not answered again,
under the same reference. In the end every acknowledged posting must be there once, and the books
must balance.
"""

import base64
import http.client
import json
import os
import secrets
import signal
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlencode

import psycopg

from config.local.run import ROOT, VAR
from config.local.servers import postmaster_pid

TILLS = 8
ROUNDS = 2
PAUSE_S = 6.0


def call(port: int, method: str, path: str, body: str, headers: dict[str, str]) -> tuple[int, str]:
    """Make one request on a connection of its own."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        return response.status, response.read().decode()
    finally:
        connection.close()


def token(port: int, demo: dict[str, str]) -> str:
    """Get a token as a partner would."""
    basic = base64.b64encode(f"{demo['client_id']}:{demo['client_secret']}".encode()).decode()
    headers = {
        "Authorization": f"Basic {basic}",
        "Content-Type": "application/x-www-form-urlencoded",
    }
    body = urlencode({"grant_type": "client_credentials"})
    status, text = call(port, "POST", "/oauth/token/", body, headers)
    assert status == 200, text
    return json.loads(text)["access_token"]


class Till(threading.Thread):
    """Earns without end; sends again what was not answered, under the same reference."""

    def __init__(self, port: int, bearer: str, cards: list[str], run: str, number: int) -> None:
        super().__init__(daemon=True)
        self.port, self.bearer, self.cards = port, bearer, cards
        self.run_id, self.number = run, number
        self.acknowledged: list[str] = []
        self.retried = 0
        self.stopping = False

    def run(self) -> None:
        count = 0
        while not self.stopping:
            reference = f"FAULT-{self.run_id}-{self.number}-{count}"
            body = json.dumps(
                {
                    "member": {"card": self.cards[count % len(self.cards)]},
                    "reference": reference,
                    "occurred_at": datetime.now(UTC).isoformat(),
                    "currency": "USD",
                    "amount": "3.50",
                }
            )
            count += 1
            while not self._sent(body) and not self.stopping:
                self.retried += 1
                time.sleep(0.2)
            if not self.stopping:
                self.acknowledged.append(reference)

    def _sent(self, body: str) -> bool:
        headers = {"Authorization": f"Bearer {self.bearer}", "Content-Type": "application/json"}
        try:
            status, text = call(self.port, "POST", "/api/v1/transactions/earn/", body, headers)
        except (OSError, http.client.HTTPException):
            return False
        assert status in (200, 201) or status >= 500 or status == 401, text
        return status in (200, 201)


def victims() -> dict[str, list[int]]:
    """Return the processes to kill, by name."""
    found = subprocess.run(["ps", "-eo", "pid,args"], capture_output=True, text=True, check=True)
    rows = [line.split(None, 1) for line in found.stdout.splitlines()[1:]]
    here = str(ROOT)
    web = [int(p) for p, args in rows if "granian" in args and here in args]
    worker = [int(p) for p, args in rows if "celery" in args and "worker" in args and here in args]
    database = postmaster_pid(VAR / "postgres")
    return {"database": [database] if database else [], "web": web[-1:], "worker": worker[:1]}


def main() -> int:
    """Run the rounds; return 0 if nothing was lost, doubled or unbalanced."""
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 8000
    demo = json.loads((VAR / "demo.json").read_text())
    url = f"postgresql://postgres@/laurel?host={VAR / 'postgres'}"
    with psycopg.connect(url) as connection:
        rows = connection.execute("SELECT number FROM members_card ORDER BY id LIMIT 200")
        cards = [number for (number,) in rows]
    bearer, run = token(port, demo), secrets.token_hex(4)
    tills = [Till(port, bearer, cards, run, number) for number in range(TILLS)]
    for till in tills:
        till.start()
    for _ in range(ROUNDS):
        for name in ("database", "web", "worker"):
            time.sleep(PAUSE_S)
            for pid in victims()[name]:
                print(f"SIGKILL to {name} ({pid})")
                os.kill(pid, signal.SIGKILL)
    time.sleep(2 * PAUSE_S)
    for till in tills:
        till.stopping = True
    for till in tills:
        till.join(30)
    return judge(url, run, tills)


def judge(url: str, run: str, tills: list[Till]) -> int:
    """Compare what was acknowledged with what is there, and audit the books."""
    acknowledged = {reference for till in tills for reference in till.acknowledged}
    with psycopg.connect(url) as connection:
        rows = connection.execute(
            "SELECT reference FROM ledger_transaction WHERE reference LIKE %s",
            [f"FAULT-{run}-%"],
        ).fetchall()
    posted = [reference for (reference,) in rows]
    lost, twice = acknowledged - set(posted), len(posted) - len(set(posted))
    retried = sum(till.retried for till in tills)
    print(
        f"{len(acknowledged)} acknowledged, {retried} sent again, {len(lost)} lost, {twice} twice."
    )
    environment = os.environ | {
        "LAUREL_ENV": "local",
        "DJANGO_SECRET_KEY": (VAR / "secret").read_text(),
        "DATABASE_URL": url,
        "LAUREL_TIME_ZONE": "America/New_York",
        "LAUREL_CURRENCY": "USD",
    }
    audit = subprocess.run(
        [sys.executable, "manage.py", "audit_ledger"], cwd=Path(ROOT), env=environment, check=False
    )
    return 1 if lost or twice or audit.returncode else 0


if __name__ == "__main__":
    sys.exit(main())
