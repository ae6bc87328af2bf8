"""How the tests start and run an import."""

from datetime import UTC, datetime

from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection, transaction

from loyalty.models import JobError
from loyalty.services import uploads
from members.models import Member
from members.services import segment_import
from members.services.segment_import import Wanted
from members.tasks import import_segment_file
from tests.factories.members import MemberFactory

BLOCK = 128 * 1024


def start(segment, data, mode="ADD", *, at=None, **wanted):
    at = at or datetime.now(UTC)
    upload = uploads.keep(SimpleUploadedFile("keys.csv", data), at=at)
    prepared = segment_import.prepare(Wanted(mode, **wanted), upload=upload)
    with transaction.atomic():
        return segment_import.start_import(segment.code, prepared, at=at)


def load(segment, data, mode="ADD", **wanted):
    job = start(segment, data, mode, **wanted)
    import_segment_file(job_id=str(job.pk))
    job.refresh_from_db()
    return job


def keys(members, end="\n"):
    return "".join(f"{member.number}{end}" for member in members).encode()


def rejects(job):
    return list(
        JobError.objects.filter(job=job).order_by("line").values_list("line", "value", "code")
    )


def tables():
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_class WHERE relname LIKE 'members_import_%'")
        return cursor.fetchone()[0]


def many(count):
    one = MemberFactory()
    rows = [
        Member(
            number=str(2_000_000_000 + n),
            tier_id=one.tier_id,
            enrolled_by_id=one.enrolled_by_id,
            joined_at=one.joined_at,
        )
        for n in range(count)
    ]
    return Member.objects.bulk_create(rows)
