"""Tokens seen lately are known without a query, for 30 s and no longer."""

import threading
from datetime import UTC, datetime, timedelta

import pytest

from loyalty import token_cache
from loyalty.caller import Caller

CALLER = Caller("till", 2, "GROCER", False, frozenset({"points:read"}), 60)


@pytest.fixture
def clock(monkeypatch):
    """A clock that the test turns."""
    now = [1000.0]
    monkeypatch.setattr(token_cache.time, "monotonic", lambda: now[0])
    return now


def put(token, lives=timedelta(hours=1)):
    token_cache.put(token, CALLER, datetime.now(UTC) + lives)


def test_a_token_is_known_for_thirty_seconds(clock):
    put("t")

    clock[0] += 29.9
    assert token_cache.get("t") is CALLER
    clock[0] += 0.1
    assert token_cache.get("t") is None


def test_a_token_is_not_known_past_its_end(clock):
    put("t", lives=timedelta(seconds=10))

    clock[0] += 9
    assert token_cache.get("t") is CALLER
    clock[0] += 1
    assert token_cache.get("t") is None


def test_a_forgotten_token_is_unknown_and_others_stay():
    put("t")
    put("u")

    token_cache.forget("t")
    token_cache.forget("never known")

    assert token_cache.get("t") is None
    assert token_cache.get("u") is CALLER


def test_when_it_is_full_the_oldest_go_first(monkeypatch):
    monkeypatch.setattr(token_cache, "AT_MOST", 3)
    for token in ("a", "b", "c", "a", "d"):
        put(token)

    assert [bool(token_cache.get(token)) for token in "abcd"] == [True, False, True, True]
    assert len(token_cache._entries) == 3


def test_tokens_are_not_kept_in_the_clear():
    put("a-secret-token")

    assert "a-secret-token" not in repr(token_cache._entries)


def test_threads_that_put_and_forget_at_once_keep_it_bounded(monkeypatch):
    monkeypatch.setattr(token_cache, "AT_MOST", 10)
    failures = []

    def work(name):
        try:
            for n in range(2000):
                put(f"{name}-{n}")
                token_cache.get(f"{name}-{n - 1}")
                token_cache.forget(f"{name}-{n - 2}")
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=[n]) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failures == []
    assert len(token_cache._entries) <= 10
