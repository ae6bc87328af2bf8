"""Several files of one segment: the later word counts, and they take turns."""

import threading
from datetime import timedelta

import pytest
from django.db import connection

from members.import_errors import ImportSuperseded
from members.services import segment_switch
from members.tasks import import_segment_file
from tests.factories.members import MemberFactory
from tests.factories.segments import inside
from tests.members.segment_import.calls import keys, start

pytestmark = pytest.mark.usefixtures("committed_program", "folders", "no_tables")


def test_a_file_that_was_sent_earlier_does_not_undo_a_later_one(vip, now):
    first, second = MemberFactory(), MemberFactory()
    slow = start(vip, keys([first]), "REPLACE", at=now)
    later = start(vip, keys([second]), "ADD", at=now + timedelta(minutes=1))
    import_segment_file(job_id=str(later.pk))

    with pytest.raises(ImportSuperseded):
        import_segment_file(job_id=str(slow.pk))

    slow.refresh_from_db()
    assert (slow.status, slow.problem["code"]) == ("FAILED", "IMPORT_SUPERSEDED")
    assert inside(vip) == {second.pk}


def test_two_that_add_do_not_mind_their_order(vip, now):
    first, second = MemberFactory(), MemberFactory()
    slow = start(vip, keys([first]), at=now)
    later = start(vip, keys([second]), at=now + timedelta(minutes=1))
    for job in (later, slow):
        import_segment_file(job_id=str(job.pk))

    assert inside(vip) == {first.pk, second.pk}


def test_two_imports_of_one_segment_take_turns(vip):
    """Each replaces all: what is left is what one of the two files names, never both."""
    members = [MemberFactory() for _ in range(40)]
    half = [start(vip, keys(some), "REPLACE") for some in (members[:20], members[20:])]
    together = threading.Barrier(2)
    ended = []

    def work(job):
        together.wait()
        try:
            import_segment_file(job_id=str(job.pk))
            ended.append("DONE")
        except ImportSuperseded:
            ended.append("SUPERSEDED")
        finally:
            connection.close()

    threads = [threading.Thread(target=work, args=(job,)) for job in half]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(ended) in (["DONE", "DONE"], ["DONE", "SUPERSEDED"])
    assert inside(vip) == {each.pk for each in members[20:]}
    vip.refresh_from_db()
    assert vip.size == 20


def test_without_their_turns_both_files_would_be_in(vip, monkeypatch):
    """Prove that the test above needs the lock: each inserts before the other's rows are seen."""
    members = [MemberFactory() for _ in range(4)]
    half = [start(vip, keys(some), "REPLACE") for some in (members[:2], members[2:])]
    together = threading.Barrier(2, timeout=20)
    write = segment_switch._write

    def write_together(wanted, at):
        together.wait()
        counts = write(wanted, at)
        together.wait()
        return counts

    monkeypatch.setattr(segment_switch, "_take_turn", lambda segment_id: None)
    monkeypatch.setattr(segment_switch, "_check", lambda job, wanted: None)
    monkeypatch.setattr(segment_switch, "_write", write_together)

    def work(job):
        try:
            import_segment_file(job_id=str(job.pk))
        finally:
            connection.close()

    threads = [threading.Thread(target=work, args=(job,)) for job in half]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert inside(vip) == {each.pk for each in members}
