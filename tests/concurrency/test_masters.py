"""Two calls that would together close a loop in a hierarchy."""

import threading

import pytest
from django.db import connection

from loyalty.models import Master
from loyalty.services import master_upsert, masters
from loyalty.services.master_upsert import Content, put_masters
from tests.factories.loyalty import MasterFactory


def close_a_loop_from_both_sides():
    """Put A below B and B below A at the same time; return how many were refused."""
    barrier, refused = threading.Barrier(2), []

    def move(code, parent):
        barrier.wait()
        try:
            [put] = put_masters("category", [Content(code=code, name=code, parent=parent)])
            refused.extend(put.errors)
        finally:
            connection.close()

    threads = [threading.Thread(target=move, args=pair) for pair in (("A", "B"), ("B", "A"))]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    return len(refused)


def make_two():
    MasterFactory(code="A")
    MasterFactory(code="B")


@pytest.mark.usefixtures("committed_program")
@pytest.mark.django_db(transaction=True)
def test_two_calls_do_not_close_a_loop():
    make_two()

    assert close_a_loop_from_both_sides() == 1
    assert sum(1 for each in Master.objects.all() if each.parent_id) == 1


@pytest.mark.usefixtures("committed_program")
@pytest.mark.django_db(transaction=True)
def test_without_the_lock_they_would(monkeypatch):
    """Prove that the race above is a real one: both read before either wrote."""
    make_two()
    meeting = threading.Barrier(2)
    monkeypatch.setattr(masters, "lock_entities", lambda keys: None)
    # In a loop that is closed, what stands below has no end.
    monkeypatch.setattr(master_upsert, "move_below", lambda keys: None)
    whole = master_upsert._write

    def together(*arguments):
        meeting.wait(timeout=5)
        whole(*arguments)

    monkeypatch.setattr(master_upsert, "_write", together)

    assert close_a_loop_from_both_sides() == 0
    assert sum(1 for each in Master.objects.all() if each.parent_id) == 2
