"""Tokens that were looked up lately, so that a call with a known token costs no query.

A revoked token works for at most `LIVES_S` more seconds in processes that did not see the
revocation; the one that did forgets it at once. Only a hash of the token is kept.
"""

import hashlib
import threading
import time
from datetime import UTC, datetime

from loyalty.caller import Caller

LIVES_S = 30
AT_MOST = 10_000

_entries: dict[bytes, tuple[float, Caller]] = {}
_changing = threading.Lock()


def _key(token: str) -> bytes:
    return hashlib.sha256(token.encode(errors="surrogatepass")).digest()


def get(token: str) -> Caller | None:
    """Return the caller of a token that was looked up less than 30 s ago."""
    entry = _entries.get(_key(token))
    if entry is None or entry[0] <= time.monotonic():
        return None
    return entry[1]


def put(token: str, caller: Caller, expires_at: datetime) -> None:
    """Remember a token's caller for 30 s, and no longer than the token lives.

    When the cache is full, what was put first goes first: it has the least time left.
    """
    left = (expires_at - datetime.now(UTC)).total_seconds()
    key, until = _key(token), time.monotonic() + min(LIVES_S, left)
    with _changing:
        _entries.pop(key, None)  # So that it stands last again.
        while len(_entries) >= AT_MOST:
            del _entries[next(iter(_entries))]
        _entries[key] = (until, caller)


def forget(token: str) -> None:
    """Drop a token that was revoked."""
    with _changing:
        _entries.pop(_key(token), None)


def clear() -> None:
    """Drop all tokens, as when a client's rights change."""
    with _changing:
        _entries.clear()
