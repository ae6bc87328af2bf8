"""One segment, many callers: nobody is in twice, none waits for ever, and the size is right."""

import random
import threading
from datetime import UTC, datetime

import pytest
from django.db import connection
from django.db.models import F

from loyalty.caller import Actor
from loyalty.services.use_case import use_case
from members.models import Activity, Segment
from members.services import segments
from tests.factories.members import MemberFactory
from tests.factories.segments import SegmentFactory, inside

CALLERS = 12
pytestmark = pytest.mark.usefixtures("committed_program")


def together(act):
    """Let all callers act at once, each on a connection of its own; return what each was told."""
    barrier, told = threading.Barrier(CALLERS), {}

    def run(caller):
        try:
            barrier.wait()
            told[caller] = act(caller)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(caller,)) for caller in range(CALLERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [told[caller] for caller in range(CALLERS)]


def change(add=(), remove=()):
    changed = use_case(segments.change_members)(
        "VIP",
        add=[{"number": number} for number in add],
        remove=[{"number": number} for number in remove],
        until=None,
        by=Actor.system("test"),
        at=datetime.now(UTC),
    )
    return [item.outcome for item in changed.items]


def test_one_member_comes_in_once():
    member, segment = MemberFactory(), SegmentFactory(code="VIP")

    told = together(lambda caller: change(add=[member.number]))

    assert sorted(told) == [["ADDED"]] + [["ALREADY_IN"]] * (CALLERS - 1)
    segment.refresh_from_db()
    assert segment.size == 1
    assert Activity.objects.filter(kind="SEGMENT_ENTERED").count() == 1


def test_many_in_and_out_in_any_order_end_with_the_right_size():
    members = [MemberFactory() for _ in range(20)]
    segment = SegmentFactory(code="VIP")

    def some(caller):
        chance = random.Random(caller)  # noqa: S311 the same calls in every run
        for _ in range(5):
            numbers = [member.number for member in members]
            chance.shuffle(numbers)
            change(add=numbers[:8], remove=numbers[8:16])

    together(some)

    segment.refresh_from_db()
    assert segment.size == len(inside(segment))


def test_a_size_that_is_read_and_written_back_would_be_wrong(monkeypatch):
    """Prove that the sizes above need turns, or one statement that adds; Laurel has both."""
    members = [MemberFactory() for _ in range(CALLERS)]
    segment = SegmentFactory(code="VIP")
    barrier = threading.Barrier(CALLERS, timeout=20)

    class Stale(type(Segment.objects.all())):
        def update(self, **fields):
            if isinstance(fields.get("size"), type(F("size") + 1)):
                known = Segment.objects.get(code="VIP").size
                barrier.wait()
                fields["size"] = known + 1
            return super().update(**fields)

    monkeypatch.setattr(segments, "_take_turn", lambda segment_id: None)
    monkeypatch.setattr(Segment.objects, "_queryset_class", Stale)
    together(lambda caller: change(add=[members[caller].number]))

    segment.refresh_from_db()
    assert len(inside(segment)) == CALLERS
    assert segment.size < CALLERS
