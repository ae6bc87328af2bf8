"""Rate limits: requests of one client in one minute, over all processes, counted in Redis.

A round trip per request would cost more than the rest of the API's frame together. A process
therefore takes its requests from Redis in blocks, which shrink as the limit comes nearer: never
more than the limit is let through, and what processes hold unused at the end is a few per cent.

DRF imports this while it loads, so it imports no DRF itself.
"""

import logging
import time
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Any, cast

from django.conf import settings
from redis import Redis, RedisError

from loyalty.caller import Caller
from loyalty.errors import RateLimited

if TYPE_CHECKING:
    from rest_framework.request import Request
    from rest_framework.views import APIView

log = logging.getLogger(__name__)

BLOCKS = 100  # A block is at most this part of the limit, ...
SHRINK = 16  # ... and of what is left of it: small limits are counted one by one.
CLIENTS_MAX = 10_000
SILENT_S = 5.0  # Redis did not answer: how long to leave it alone, so that no request waits for it.
WARN_EVERY_S = 60.0

_redis = Redis.from_url(settings.REDIS_URL, socket_timeout=0.2, socket_connect_timeout=0.2)
_ask_again_at = 0.0
_warn_again_at = 0.0


@dataclass(slots=True)
class Block:
    """What this process may still let through for a client in a minute."""

    minute: int
    left: int  # taken from Redis and not used yet
    unclaimed: int  # left of the limit for all processes, as far as this one knows


_blocks: dict[str, Block] = {}
_lock = Lock()


class ClientThrottle:
    """Count a client's requests in the running minute. Without Redis, nobody is refused."""

    def allow_request(self, request: "Request", view: "APIView") -> bool:
        caller = request.user
        if not isinstance(caller, Caller):
            return True
        now, limit = time.time(), caller.rate_limit_per_minute
        minute, reset = int(now // 60), 60 - int(now % 60)
        left = take(caller.client_id, minute, limit)
        cast(Any, request._request).rate_limit = (limit, left or 0, reset)
        if left is None:
            raise RateLimited(retry_after=reset)
        return True


def take(client_id: str, minute: int, limit: int) -> int | None:
    """Count one request; return how many are left of the limit, None if there was none."""
    with _lock:
        block = _blocks.get(client_id)
        if block is None or block.minute != minute:
            if len(_blocks) >= CLIENTS_MAX:
                _blocks.clear()
            block = _blocks[client_id] = Block(minute, left=0, unclaimed=limit)
        if block.left:
            block.left -= 1
            return block.left + block.unclaimed
        if not block.unclaimed:
            return None
        wanted = max(1, min(limit // BLOCKS, block.unclaimed // SHRINK))
    used = _count(f"{settings.KEY_PREFIX}:rate:{client_id}:{minute}", wanted)
    if used is None:
        return limit
    granted = wanted - min(wanted, max(0, used - limit))
    with _lock:  # Two threads may have claimed at once: each adds what it was granted.
        block.unclaimed = min(block.unclaimed, max(0, limit - used))
        if not granted:
            return None
        block.left += granted - 1
        return block.left + block.unclaimed


def _count(key: str, wanted: int) -> int | None:
    """Add to a counter in one round trip; return its new value, None if Redis does not answer."""
    global _ask_again_at, _warn_again_at  # noqa: PLW0603
    if time.monotonic() < _ask_again_at:
        return None
    try:
        pipeline = _redis.pipeline(transaction=False)
        pipeline.incrby(key, wanted)
        pipeline.expire(key, 120)
        return int(pipeline.execute()[0])
    except RedisError as error:
        # Points never depend on Redis: better too many requests than none.
        _ask_again_at = time.monotonic() + SILENT_S
        if time.monotonic() >= _warn_again_at:
            _warn_again_at = time.monotonic() + WARN_EVERY_S
            log.warning("Rate limits are off, Redis does not answer: %s", error)
        return None
