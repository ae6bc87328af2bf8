"""A receiver of webhooks that fails, hangs and comes back, and how deliveries are run."""

import contextlib
import json
import threading
import time
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from django.db import connection
from django.db.models import Max

from loyalty.models import OutboxEvent
from loyalty.services import deliveries

EVENTS = ["points.*", "voucher.issued"]


class Receiver:
    """A shop's end of a webhook. `answers` are the statuses it gives, the last one for good."""

    def __init__(self) -> None:
        self.answers, self.got, self.hang, self.body = [200], [], 0.0, b"ok"
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                raw = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.got.append((dict(self.headers), raw.decode()))
                time.sleep(receiver.hang)
                status = receiver.answers[0]
                if len(receiver.answers) > 1:
                    receiver.answers.pop(0)
                self.send_response(status)
                if status == 302:
                    self.send_header("Location", "http://127.0.0.1:1/elsewhere")
                self.end_headers()
                with contextlib.suppress(OSError):
                    self.wfile.write(receiver.body)

            def log_message(self, *args):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}/hook"

    def bodies(self):
        return [json.loads(raw) for _, raw in self.got]


def put(api, receiver, code="SHOP", **changes):
    return api.put(f"/webhooks/{code}/", {"url": receiver.url, "events": EVENTS, **changes})


def fan_out(at):
    """Fan out once nothing older is open; tests beside this one hold the whole server's horizon."""
    last = OutboxEvent.objects.aggregate(last=Max("transaction_id", default=0))["last"]
    for _ in range(600):
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint > %s", [last]
            )
            if cursor.fetchone()[0]:
                break
        time.sleep(0.05)
    deliveries.fan_out(at=at)


def run(at=None):
    """Do what the worker does every few seconds."""
    now = at or datetime.now(UTC)
    fan_out(now)
    return deliveries.deliver(now=lambda: now)
