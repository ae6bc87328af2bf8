"""Sending to a receiver: signed, bounded, followed nowhere, and never into our own network."""

import ipaddress
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import urllib3
from django.conf import settings
from standardwebhooks import Webhook
from urllib3.connection import HTTPConnection, HTTPSConnection

CONNECT_S, READ_S, WHOLE_S = 5.0, 10.0, 15.0
ANSWER_BYTES_MAX = 16 * 1024
OK_FROM, OK_TO = 200, 300


class AddressForbidden(OSError):
    """A receiver's name leads to an address that is not public."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one try: the receiver's status, or why there was none."""

    delivered: bool
    status: int | None
    error: str


def _public_socket(host: str, port: int, timeout: float) -> socket.socket:
    """Connect to a name's address, which is looked at before it is used, and used as looked at.

    :raises AddressForbidden: if an address is private, local, or otherwise not of the open network.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    for family, kind, protocol, _, address in found:
        if not settings.WEBHOOKS_TO_PRIVATE_ADDRESSES and not is_public(str(address[0])):
            raise AddressForbidden(f"{host} leads to an address that is not public")
        made = socket.socket(family, kind, protocol)
        made.settimeout(timeout)
        try:
            made.connect(address)
        except OSError:
            made.close()
            if address is found[-1][4]:
                raise
            continue
        return made
    raise OSError(f"{host} has no address")


def is_public(address: str) -> bool:
    """Return whether an IP address belongs to the open network."""
    found = ipaddress.ip_address(address.partition("%")[0])
    mapped = getattr(found, "ipv4_mapped", None)
    return (mapped or found).is_global and not (mapped or found).is_multicast


class _PublicHTTP(HTTPConnection):
    def _new_conn(self) -> socket.socket:
        return _public_socket(self._dns_host, self.port, CONNECT_S)


class _PublicHTTPS(HTTPSConnection):
    def _new_conn(self) -> socket.socket:
        return _public_socket(self._dns_host, self.port or 443, CONNECT_S)


class _HTTPPool(urllib3.HTTPConnectionPool):
    ConnectionCls = _PublicHTTP


class _HTTPSPool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _PublicHTTPS


def _manager() -> urllib3.PoolManager:
    manager = urllib3.PoolManager(num_pools=1, maxsize=1, retries=False)
    manager.pool_classes_by_scheme = {"http": _HTTPPool, "https": _HTTPSPool}
    return manager


def send(url: str, body: str, *, webhook_id: str, secrets: Sequence[str], at: datetime) -> Outcome:
    """Post a body, signed with each secret (Standard Webhooks), and return what came of it.

    2xx within the time is delivered. Redirects are not followed; at most 16 KiB are read.
    """
    signatures = " ".join(Webhook(each).sign(webhook_id, at, body) for each in secrets)
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "Laurel-Webhooks/1",
        "webhook-id": webhook_id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": signatures,
    }
    started = time.monotonic()
    with _manager() as manager:
        try:
            answer = manager.request(
                "POST",
                url,
                body=body.encode(),
                headers=headers,
                redirect=False,
                preload_content=False,
                timeout=urllib3.Timeout(connect=CONNECT_S, read=READ_S),
            )
            _drain(answer, started)
        except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            return Outcome(False, None, f"{type(error).__name__}: {error}"[:500])
    delivered = OK_FROM <= answer.status < OK_TO
    return Outcome(delivered, answer.status, "" if delivered else f"HTTP {answer.status}")


def _drain(answer: Any, started: float) -> None:
    """Read what a receiver answers, up to a bound of bytes and of time."""
    read = 0
    while read < ANSWER_BYTES_MAX and time.monotonic() - started < WHOLE_S:
        part = answer.read1(4096)
        if not part:
            return
        read += len(part)
    answer.close()
