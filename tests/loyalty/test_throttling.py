"""A client gets its requests of a minute, from all processes together, and not one more."""

import secrets
import socket
import threading
import time

import pytest
from redis import Redis

from loyalty.api import throttling
from loyalty.api.throttling import take

MINUTE = 29_000_000


@pytest.fixture
def client_id():
    return secrets.token_hex(8)


@pytest.fixture(autouse=True)
def awake(monkeypatch):
    """Let a Redis that was silent in one test be asked again in the next."""
    monkeypatch.setattr(throttling, "_ask_again_at", 0.0)
    monkeypatch.setattr(throttling, "_warn_again_at", 0.0)


def another_process():
    """Forget what this process holds, as one that has just started."""
    throttling._blocks.clear()


def test_the_limit_is_counted_down_to_nothing(client_id):
    assert [take(client_id, MINUTE, 3) for _ in range(5)] == [2, 1, 0, None, None]


def test_a_large_limit_is_exact_too(client_id):
    let_through = sum(take(client_id, MINUTE, 6000) is not None for _ in range(6100))

    assert let_through == 6000


def test_what_is_left_never_grows_within_a_minute(client_id):
    left = [take(client_id, MINUTE, 1000) for _ in range(1000)]

    assert left == list(range(999, -1, -1))


def test_the_next_minute_starts_anew(client_id):
    assert [take(client_id, MINUTE, 1) for _ in range(2)] == [0, None]
    assert take(client_id, MINUTE + 1, 1) == 0


def test_processes_share_the_limit_and_waste_little(client_id):
    let_through = 0
    for _ in range(8):
        another_process()
        let_through += sum(take(client_id, MINUTE, 6000) is not None for _ in range(700))
    for _ in range(8):
        another_process()
        let_through += sum(take(client_id, MINUTE, 6000) is not None for _ in range(700))

    assert 6000 * 0.9 <= let_through <= 6000


def test_threads_share_the_limit_exactly(client_id):
    let_through = []

    def till():
        let_through.append(sum(take(client_id, MINUTE, 500) is not None for _ in range(200)))

    threads = [threading.Thread(target=till) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sum(let_through) == 500


def test_two_threads_that_claim_at_once_both_keep_what_they_were_granted(client_id, monkeypatch):
    count, asked = throttling._count, []

    def while_another_claims(key, wanted):
        asked.append(wanted)
        if len(asked) == 1:
            take(client_id, MINUTE, 3200)
        return count(key, wanted)

    monkeypatch.setattr(throttling, "_count", while_another_claims)

    assert sum(take(client_id, MINUTE, 3200) is not None for _ in range(3300)) == 3199
    assert asked[:2] == [32, 32]


def test_most_requests_cost_no_round_trip(client_id, monkeypatch):
    asked = []
    count = throttling._count
    monkeypatch.setattr(throttling, "_count", lambda *a: asked.append(a) or count(*a))

    for _ in range(3000):
        take(client_id, MINUTE, 6000)

    assert len(asked) == 50


def test_a_client_over_its_limit_asks_redis_no_more(client_id, monkeypatch):
    while take(client_id, MINUTE, 10) is not None:
        pass
    monkeypatch.setattr(throttling, "_count", None)

    assert take(client_id, MINUTE, 10) is None


def test_the_counter_leaves_redis_by_itself(client_id):
    take(client_id, MINUTE, 10)

    keys = throttling._redis.keys(f"*:rate:{client_id}:{MINUTE}")
    assert [0 < throttling._redis.ttl(key) <= 120 for key in keys] == [True]


def test_without_redis_nobody_is_refused_and_it_is_said_once(client_id, monkeypatch, caplog):
    monkeypatch.setattr(throttling, "_redis", Redis.from_url("redis://127.0.0.1:1/0"))

    assert [take(client_id, MINUTE, 2) for _ in range(5)] == [2] * 5
    assert len(caplog.records) == 1
    assert "Rate limits are off" in caplog.text


def test_a_redis_that_hangs_holds_up_one_request_and_not_all(client_id, monkeypatch):
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        port = silent.getsockname()[1]
        hangs = Redis.from_url(f"redis://127.0.0.1:{port}/0", socket_timeout=0.1)
        monkeypatch.setattr(throttling, "_redis", hangs)
        asked = []
        count = throttling._redis.pipeline
        monkeypatch.setattr(hangs, "pipeline", lambda **kw: asked.append(1) or count(**kw))

        assert [take(client_id, MINUTE, 2) for _ in range(20)] == [2] * 20

    assert asked == [1]


def test_redis_is_asked_again_after_a_while(client_id, monkeypatch):
    monkeypatch.setattr(throttling, "_ask_again_at", time.monotonic() + 1000)
    assert take(client_id, MINUTE, 2) == 2
    monkeypatch.setattr(throttling, "_ask_again_at", 0.0)

    assert [take(client_id, MINUTE, 2) for _ in range(3)] == [1, 0, None]


def test_memory_is_bounded(monkeypatch):
    monkeypatch.setattr(throttling, "CLIENTS_MAX", 3)
    for number in range(10):
        take(f"{secrets.token_hex(4)}-{number}", MINUTE, 10)

    assert len(throttling._blocks) <= 3
