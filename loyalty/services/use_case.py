"""The boundary of a use case: one transaction, durable, tried again where it lost a race."""

import functools
import logging
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import ParamSpec, TypeVar

import psycopg
from django.db import DataError, OperationalError, connection, transaction

from loyalty.errors import FieldError, ValidationFailed

P = ParamSpec("P")
R = TypeVar("R")

log = logging.getLogger(__name__)
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

    :raises ValidationFailed: if PostgreSQL refuses a value, as points that no book can hold; so
        one among many is refused by itself.
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
            except DataError as error:
                if not isinstance(error.__cause__, psycopg.DataError):
                    raise
                log.warning("A value passed the door but not the database: %s", error)
                message = "A value is out of range."
                raise ValidationFailed([FieldError("", "OUT_OF_RANGE", message)]) from error
        raise AssertionError("unreachable")

    return run
