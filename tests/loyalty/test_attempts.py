"""What can be guessed is counted before it is judged."""

import threading
from datetime import timedelta

import pytest
from django.db import connection

from loyalty.errors import LockedOut
from loyalty.models import Attempt
from loyalty.services import attempts
from loyalty.services.attempts import Policy

POLICY = Policy("TEST", 3, timedelta(minutes=1), timedelta(minutes=3))


@pytest.mark.django_db(transaction=True)
def test_the_last_free_attempt_is_judged_and_the_next_locked_out(now):
    left = [attempts.count(POLICY, "ann", at=now) for _ in range(3)]

    with pytest.raises(LockedOut) as refused:
        attempts.count(POLICY, "ann", at=now)

    assert left == [2, 1, 0]
    assert refused.value.extra["until"] == now + timedelta(minutes=1)
    assert attempts.locked_until(POLICY, "ann", at=now) == now + timedelta(minutes=1)


@pytest.mark.django_db(transaction=True)
def test_each_lock_out_is_twice_as_long_up_to_the_longest(now):
    for _ in range(3):
        attempts.count(POLICY, "ann", at=now)
    waits = []
    for _ in range(3):
        now = attempts.locked_until(POLICY, "ann", at=now)
        attempts.count(POLICY, "ann", at=now)
        waits.append(attempts.locked_until(POLICY, "ann", at=now) - now)

    assert waits == [timedelta(minutes=2), timedelta(minutes=3), timedelta(minutes=3)]


@pytest.mark.django_db(transaction=True)
def test_success_a_day_and_another_subject_begin_anew(now):
    for _ in range(3):
        attempts.count(POLICY, "ann", at=now)

    assert attempts.count(POLICY, "bob", at=now) == 2
    assert attempts.count(POLICY, "ann", at=now + timedelta(days=1, minutes=2)) == 2
    attempts.clear(POLICY, "ann")
    assert attempts.count(POLICY, "ann", at=now) == 2


@pytest.mark.django_db(transaction=True)
def test_no_name_is_kept(now):
    attempts.count(POLICY, "ann@example.org", at=now)

    row = Attempt.objects.get()
    assert len(bytes(row.subject)) == 32
    assert "ann" not in str(row)


def race(now, count):
    judged = []

    def guess():
        try:
            count(now)
            judged.append(1)
        except LockedOut:
            pass
        finally:
            connection.close()

    threads = [threading.Thread(target=guess) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return len(judged)


@pytest.mark.django_db(transaction=True)
def test_twenty_guesses_at_once_are_judged_three_times(now):
    assert race(now, lambda at: attempts.count(POLICY, "ann", at=at)) == 3


@pytest.mark.django_db(transaction=True)
def test_read_first_and_count_later_would_judge_them_all(now):
    """The guard of the race above: what the one statement prevents."""
    barrier = threading.Barrier(20)

    def naive(at):
        locked = attempts.locked_until(POLICY, "ann", at=at)
        barrier.wait(timeout=10)
        if locked:
            raise LockedOut(locked)
        Attempt.objects.get_or_create(
            kind="TEST", subject=attempts._hash(POLICY, "ann"), defaults={"last_at": at}
        )

    assert race(now, naive) == 20
