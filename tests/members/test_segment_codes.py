"""In which segments a member is, as the statement that locks a book asks."""

from datetime import timedelta

from django.db import connection

from members.models import Segment, SegmentMember


def codes(member, at):
    with connection.cursor() as cursor:
        cursor.execute("SELECT members_segment_codes(%s, %s)", [member.pk, at])
        return cursor.fetchone()[0]


def put(member, code, now, *, until=None, active=True):
    segment = Segment.objects.create(code=code, name=code, active=active, created_at=now)
    SegmentMember.objects.create(segment=segment, member=member, since=now, until=until)


def test_a_member_is_in_active_segments_until_their_end(member, now):
    put(member, "VIP", now)
    put(member, "AUTUMN", now, until=now + timedelta(days=1))
    put(member, "OVER", now, until=now)
    put(member, "OFF", now, active=False)

    assert codes(member, now) == ["AUTUMN", "VIP"]
    assert codes(member, now + timedelta(days=1)) == ["VIP"]


def test_who_is_in_no_segment_has_no_codes(member, now):
    assert codes(member, now) == []
