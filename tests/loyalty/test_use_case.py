"""A use case is one durable transaction, made again where it lost a race."""

import psycopg
import pytest
from django.db import IntegrityError, OperationalError, connection, transaction

from loyalty.models import Program
from loyalty.services import use_case as module
from loyalty.services.use_case import use_case


def lost(cause):
    """Return what Django raises for an error of PostgreSQL."""
    error = OperationalError("lost")
    error.__cause__ = cause()
    return error


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    monkeypatch.setattr(module.time, "sleep", lambda seconds: None)


def failing(times, cause):
    """Return a use case that loses this many races first, and the list of its tries."""
    tries = []

    @use_case
    def run(*, name):
        assert connection.in_atomic_block
        tries.append(name)
        Program.objects.update(name=f"{name} {len(tries)}")
        if len(tries) <= times:
            raise lost(cause)
        return name

    return run, tries


@pytest.mark.parametrize(
    "cause", [psycopg.errors.SerializationFailure, psycopg.errors.DeadlockDetected]
)
def test_a_lost_race_is_run_again(committed_program, cause):
    run, tries = failing(2, cause)

    assert run(name="Laurel") == "Laurel"
    assert len(tries) == 3
    assert Program.objects.get().name == "Laurel 3"


def test_a_race_lost_three_times_is_told(committed_program):
    run, tries = failing(3, psycopg.errors.DeadlockDetected)
    before = Program.objects.get().name

    with pytest.raises(OperationalError):
        run(name="Laurel")

    assert len(tries) == 3
    assert Program.objects.get().name == before


@pytest.mark.parametrize("cause", [psycopg.errors.LockNotAvailable, psycopg.errors.QueryCanceled])
def test_waiting_too_long_is_no_race_and_is_not_run_again(committed_program, cause):
    run, tries = failing(1, cause)

    with pytest.raises(OperationalError):
        run(name="Laurel")

    assert len(tries) == 1


def test_a_refusal_undoes_everything_and_is_not_run_again(committed_program):
    tries = []
    before = Program.objects.get().name

    @use_case
    def run():
        tries.append(1)
        Program.objects.update(name="changed")
        raise IntegrityError

    with pytest.raises(IntegrityError):
        run()

    assert len(tries) == 1
    assert Program.objects.get().name == before


def test_use_cases_call_no_use_cases(db):
    @use_case
    def inner():
        return 1

    @use_case
    def outer():
        return inner()

    assert inner() == 1
    with pytest.raises(RuntimeError, match="durable"):
        outer()


def test_no_transaction_may_enclose_a_use_case(committed_program):
    run, tries = failing(0, psycopg.errors.DeadlockDetected)

    with pytest.raises(RuntimeError, match="durable"), transaction.atomic():
        run(name="Laurel")

    assert tries == []


def test_a_use_case_keeps_its_name():
    @use_case
    def earn():
        """Earn."""

    assert (earn.__name__, earn.__doc__) == ("earn", "Earn.")
