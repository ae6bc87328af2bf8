"""A change under an `Idempotency-Key` is made once, however often it is sent."""

import threading
import time
from datetime import timedelta

import msgspec
import pytest
from django.db import connection

from loyalty.errors import NotFound, ReferenceConflict, ValidationFailed
from loyalty.models import IdempotencyKey, IdentityProvider
from loyalty.services import idempotency


class Body(msgspec.Struct):
    name: str


class Answer(msgspec.Struct):
    made: str


pytestmark = pytest.mark.django_db(transaction=True)


def key(name="a", *, header="K1", client="till", route="POST /x/"):
    return idempotency.key_of(header, client_id=client, route=route, body=Body(name))


def making(code):
    def work():
        IdentityProvider.objects.create(code=code, name=code, kind="APP")
        return Answer(code)

    return work


def test_the_same_key_and_content_answer_the_first_outcome(now):
    first = idempotency.run(making("one"), key=key(), status=201, at=now)

    again = idempotency.run(making("two"), key=key(), status=201, at=now)

    assert (first.answer, first.status, first.replayed) == (b'{"made":"one"}', 201, False)
    assert (again.answer, again.status, again.replayed) == (b'{"made":"one"}', 201, True)
    assert not IdentityProvider.objects.filter(code="two").exists()


def test_other_content_under_the_key_is_a_conflict(now):
    idempotency.run(making("one"), key=key(), at=now)

    with pytest.raises(ReferenceConflict):
        idempotency.run(making("two"), key=key("b"), at=now)

    assert not IdentityProvider.objects.filter(code="two").exists()


def test_a_key_belongs_to_its_client_and_its_route(now):
    idempotency.run(making("one"), key=key(), at=now)

    assert not idempotency.run(making("two"), key=key(client="other"), at=now).replayed
    assert not idempotency.run(making("three"), key=key(route="POST /y/"), at=now).replayed


def test_a_refusal_leaves_the_key_free(now):
    def refuse():
        raise NotFound("Nothing.")

    with pytest.raises(NotFound):
        idempotency.run(refuse, key=key(), at=now)

    assert not IdempotencyKey.objects.exists()
    assert not idempotency.run(making("one"), key=key(), at=now).replayed


@pytest.mark.parametrize("header", ["", "x" * 201, "ä"])
def test_a_key_is_short_ascii(header):
    with pytest.raises(ValidationFailed):
        key(header=header)


def test_twins_make_one_change(now):
    outcomes = []

    def slowly():
        answer = making("one")()
        time.sleep(0.2)
        return answer

    def call():
        outcomes.append(idempotency.run(slowly, key=key(), at=now).replayed)
        connection.close()

    threads = [threading.Thread(target=call) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(outcomes) == [False, True, True, True]


def test_keys_are_forgotten_after_thirty_days(now):
    idempotency.run(making("one"), key=key(), at=now)

    assert idempotency.forget_old(at=now + timedelta(days=29)) == 0
    assert idempotency.forget_old(at=now + timedelta(days=31)) == 1
