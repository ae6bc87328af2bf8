"""Rate limits: requests of one client in one minute, over all processes, counted in Redis.

A round trip per request would cost more than the rest of the API's frame together. A process
therefore takes its requests from Redis in blocks, which shrink as the limit comes nearer: never
more than the limit is let through, and what processes hold unused at the end is a few per cent.

DRF imports this while it loads, so it imports no DRF itself.
"""

import logging
import time
from dataclasses import dataclass
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
    unclaimed: int  # left of the limit when the block was taken


_blocks: dict[str, Block] = {}


class ClientThrottle:
    """Count a client's requests in the running minute. Without Redis, nobody is refused."""

    def allow_request(self, request: "Request", view: "APIView") -> bool:
        caller = request.user
        if not isinstance(caller, Caller):
            return True
        now, limit = time.time(), caller.rate_limit_per_minute
        minute, reset = int(now // 60), 60 - int(now % 60)
        block = _blocks.get(caller.client_id)
        if block is None or block.minute != minute:
            block = _claim(caller.client_id, minute, limit, unclaimed=limit)
        elif block.left <= 0 < block.unclaimed:
            block = _claim(caller.client_id, minute, limit, unclaimed=block.unclaimed)
        block.left -= 1
        remaining = max(0, block.left) + block.unclaimed
        cast(Any, request._request).rate_limit = (limit, remaining, reset)
        if block.left < 0:
            raise RateLimited(retry_after=reset)
        return True


def _claim(client_id: str, minute: int, limit: int, *, unclaimed: int) -> Block:
    """Take the next requests of a client from what all processes share.

    Two threads that claim at once waste a block at most: what Redis counted is never given twice.
    """
    wanted = max(1, min(limit // BLOCKS, unclaimed // SHRINK))
    used = _count(f"{settings.KEY_PREFIX}:rate:{client_id}:{minute}", wanted)
    if used is None:
        block = Block(minute, left=wanted, unclaimed=max(0, limit - wanted))
        return block  # Not kept: Redis is asked again as soon as it may answer.
    over = max(0, used - limit)
    block = Block(minute, left=max(0, wanted - over), unclaimed=max(0, limit - used))
    if len(_blocks) >= CLIENTS_MAX:
        _blocks.clear()
    _blocks[client_id] = block
    return block


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
