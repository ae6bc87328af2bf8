"""A load generator: keep-alive connections on raw sockets, one request outstanding on each.

It runs in a process of its own and costs little, because it shares the machine with what it
measures.
"""

import selectors
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import msgspec


@dataclass
class Result:
    """What a run measured. Latencies are in milliseconds."""

    seconds: float
    statuses: dict[int, int]
    latencies_ms: list[float] = field(repr=False)

    @property
    def per_second(self) -> float:
        return sum(n for status, n in self.statuses.items() if status < 300) / self.seconds

    def percentile(self, share: float) -> float:
        ordered = sorted(self.latencies_ms)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


class _Connection:
    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.received = b""
        self.sent_at = 0.0

    def send(self, request: bytes) -> None:
        self.received = b""
        self.sent_at = time.perf_counter()
        self.socket.sendall(request)

    def read(self) -> int | None:
        """Return the status of the answer once it is whole."""
        part = self.socket.recv(65536)
        if not part:
            raise ConnectionError("the server closed a connection")
        self.received += part
        head, found, body = self.received.partition(b"\r\n\r\n")
        if not found:
            return None
        place = head.lower().find(b"content-length:")
        length = int(head[place + 15 :].split(b"\r\n", 1)[0])
        return int(head[9:12]) if len(body) >= length else None


def run(port: int, make: Callable[[int], bytes], *, connections: int, seconds: float) -> Result:
    """Send requests for a while, the next on a connection as soon as its answer is there."""
    selector = selectors.DefaultSelector()
    number = 0
    for _ in range(connections):
        connection = _Connection(port)
        selector.register(connection.socket, selectors.EVENT_READ, connection)
        connection.send(make(number))
        number += 1
    statuses: dict[int, int] = {}
    latencies: list[float] = []
    began = time.perf_counter()
    while (now := time.perf_counter()) - began < seconds:
        for key, _ in selector.select(timeout=1):
            connection = key.data
            status = connection.read()
            if status is None:
                continue
            now = time.perf_counter()
            latencies.append((now - connection.sent_at) * 1000)
            statuses[status] = statuses.get(status, 0) + 1
            connection.send(make(number))
            number += 1
    return Result(now - began, statuses, latencies)


def request(method: str, path: str, token: str, body: object = None) -> bytes:
    """Return the bytes of one request."""
    content = msgspec.json.encode(body) if body is not None else b""
    head = (
        f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
    )
    return head.encode() + content


class Plan(msgspec.Struct):
    """What a generator process is told: which requests, on how many connections, how long."""

    port: int
    token: str
    kind: str
    members: list[str]
    connections: int
    seconds: float
    occurred_at: str
    run: str


def _maker(plan: Plan) -> Callable[[int], bytes]:
    members, token = plan.members, plan.token

    def earn(number: int) -> bytes:
        lines = [
            {"line": n, "sku": f"SKU{(number * 7 + n) % 1000}", "quantity": "1", "amount": "4.99"}
            for n in (1, 2, 3)
        ]
        body = {
            "member": {"number": members[number * 7919 % len(members)]},
            "reference": f"{plan.run}-{number}",
            "occurred_at": plan.occurred_at,
            "outlet": "S1",
            "currency": "EUR",
            "lines": lines,
        }
        return request("POST", "/api/v1/transactions/earn/", token, body)

    def redeem(number: int) -> bytes:
        body = {
            "member": {"number": members[number * 7919 % len(members)]},
            "reference": f"{plan.run}-{number}",
            "occurred_at": plan.occurred_at,
            "type": "PTS",
            "points": 1,
        }
        return request("POST", "/api/v1/transactions/redeem/", token, body)

    def status(number: int) -> bytes:
        member = members[number * 7919 % len(members)]
        return request("GET", f"/api/v1/members/{member}/points/", token)

    return {"earn": earn, "redeem": redeem, "status": status}[plan.kind]


if __name__ == "__main__":
    plan = msgspec.json.decode(sys.stdin.buffer.read(), type=Plan)
    result = run(plan.port, _maker(plan), connections=plan.connections, seconds=plan.seconds)
    answer = {
        "per_second": result.per_second,
        "statuses": result.statuses,
        "p50": result.percentile(0.5),
        "p99": result.percentile(0.99),
    }
    sys.stdout.buffer.write(msgspec.json.encode(answer))
