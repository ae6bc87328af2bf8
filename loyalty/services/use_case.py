"""The boundary of a use case: one transaction, durable, tried again where it lost a race."""

import functools
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import ParamSpec, TypeVar

import psycopg
from django.db import OperationalError, connection, transaction

P = ParamSpec("P")
R = TypeVar("R")

TRIES = 3
_LOST_RACES = (psycopg.errors.SerializationFailure, psycopg.errors.DeadlockDetected)


@contextmanager
def looking() -> Iterator[None]:
    """Run the steps of a use case to see what they come to: PostgreSQL refuses every write."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION READ ONLY")
        yield


def use_case(function: Callable[P, R]) -> Callable[P, R]:
    """Run a function in one transaction that no other may enclose (DESIGN 1).

    A serialization failure (40001) or deadlock (40P01) rolled everything back, so the same call
    with the same reference is made again, up to three times.
    """
    in_transaction = transaction.atomic(durable=True)(function)

    @functools.wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        for left in reversed(range(TRIES)):
            try:
                return in_transaction(*args, **kwargs)
            except OperationalError as error:
                if not left or not isinstance(error.__cause__, _LOST_RACES):
                    raise
                time.sleep(random.uniform(0.005, 0.03))  # noqa: S311 apart from the other side
        raise AssertionError("unreachable")

    return run
