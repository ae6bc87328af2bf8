"""Health: is the process alive, and can it work?"""

import time
from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.db import Error, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, JsonResponse
from redis import Redis, RedisError

CLOCK_TOLERANCE_S = 2.0
_migrated = False


def live(request: HttpRequest) -> JsonResponse:
    """Answer that the process runs."""
    return JsonResponse({"status": "ok"})


def ready(request: HttpRequest) -> JsonResponse:
    """Answer whether database, broker, migrations and clock are as they must be; else 503."""
    parts = {"database": _database(), "broker": _broker()}
    if parts["database"]["ok"]:
        parts["migrations"] = _migrations()
    healthy = all(part["ok"] for part in parts.values())
    body = {"status": "ok" if healthy else "unavailable", "parts": parts}
    response = JsonResponse(body, status=200 if healthy else 503)
    if not healthy:
        response["Retry-After"] = "5"
    return response


def _database() -> dict[str, Any]:
    began = time.perf_counter()
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT clock_timestamp()")
            theirs = cursor.fetchone()[0]
    except Error:
        return {"ok": False, "detail": "The database does not answer."}
    drift_s = abs((datetime.now(UTC) - theirs).total_seconds())
    if drift_s > CLOCK_TOLERANCE_S:
        return {"ok": False, "detail": f"The clocks differ by {drift_s:.1f} s."}
    return {"ok": True, "ms": round((time.perf_counter() - began) * 1000, 1)}


def _broker() -> dict[str, Any]:
    try:
        with Redis.from_url(
            settings.REDIS_URL, socket_timeout=1, socket_connect_timeout=1
        ) as broker:
            broker.ping()
    except RedisError:
        return {"ok": False, "detail": "Redis does not answer."}
    return {"ok": True}


def _migrations() -> dict[str, Any]:
    global _migrated  # noqa: PLW0603 once applied, a process need not look again
    if not _migrated:
        try:
            executor = MigrationExecutor(connection)
            _migrated = not executor.migration_plan(executor.loader.graph.leaf_nodes())
        except Error:
            return {"ok": False, "detail": "The migrations cannot be read."}
    return {"ok": True} if _migrated else {"ok": False, "detail": "Migrations are missing."}
