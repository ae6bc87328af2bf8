"""Rate limits: requests of one client in one minute, counted in Redis in one round trip.

DRF imports this while it loads, so it imports no DRF itself.
"""

import logging
import time
from typing import TYPE_CHECKING, Any, cast

from django.conf import settings
from redis import Redis, RedisError

from loyalty.caller import Caller
from loyalty.errors import RateLimited

if TYPE_CHECKING:
    from rest_framework.request import Request
    from rest_framework.views import APIView

log = logging.getLogger(__name__)

_redis = Redis.from_url(settings.REDIS_URL, socket_timeout=0.2, socket_connect_timeout=0.2)
_last_warned_at = 0.0


class ClientThrottle:
    """Count a client's requests in the running minute. Without Redis, nobody is refused."""

    def allow_request(self, request: "Request", view: "APIView") -> bool:
        caller = request.user
        if not isinstance(caller, Caller):
            return True
        now = time.time()
        minute, reset = int(now // 60), 60 - int(now % 60)
        used = _count(f"{settings.KEY_PREFIX}:rate:{caller.client_id}:{minute}")
        left = max(0, caller.rate_limit_per_minute - used)
        cast(Any, request._request).rate_limit = (caller.rate_limit_per_minute, left, reset)
        if used > caller.rate_limit_per_minute:
            raise RateLimited(retry_after=reset)
        return True


def _count(key: str) -> int:
    global _last_warned_at  # noqa: PLW0603
    try:
        pipeline = _redis.pipeline(transaction=False)
        pipeline.incr(key)
        pipeline.expire(key, 120)
        return int(pipeline.execute()[0])
    except RedisError as error:
        # Points never depend on Redis: better too many requests than none.
        if time.monotonic() - _last_warned_at > 60:  # noqa: PLR2004 once a minute
            _last_warned_at = time.monotonic()
            log.warning("Rate limits are off, Redis does not answer: %s", error)
        return 0
