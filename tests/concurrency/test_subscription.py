"""Ten clients at once subscribe one member to one plan."""

import threading

from django.db import connection

from ledger.queries.books import read
from ledger.services import posting
from tests.conftest import Api
from tests.factories.members import MemberFactory
from tests.factories.partners import token_for
from tests.factories.vouchers import PlanFactory
from vouchers.models import Subscription


def body(place):
    return {"plan": "GOLD", "reference": f"S{place}", "payment": {"status": "PAID"}}


def race():
    """Let ten clients subscribe one member at once; return what each was answered."""
    member, api, done = MemberFactory(), Api(token_for()), []

    def run(place):
        answer = api.post(f"/members/{member.number}/subscriptions/", body(place))
        done.append(answer.status_code)
        connection.close()

    threads = [threading.Thread(target=run, args=[place]) for place in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sorted(done)


def test_ten_at_once_subscribe_once(committed_program):
    PlanFactory(code="GOLD")

    assert race() == [201] + [409] * 9
    assert Subscription.objects.count() == 1


def test_without_the_books_lock_only_the_constraint_stops_them(committed_program, monkeypatch):
    """Prove that the race above is a real one."""
    PlanFactory(code="GOLD")
    barrier = threading.Barrier(10)

    def unlocked(member, *, at, **asked):
        book = read(member, at=at)
        barrier.wait(timeout=10)
        return book

    monkeypatch.setattr(posting, "lock", unlocked)

    assert set(race()) - {201, 409} == {500}
    assert Subscription.objects.count() == 1
