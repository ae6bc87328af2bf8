"""Segments in the back office: written, loaded from files, exported, by who may."""

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from loyalty.models import Job, Upload
from members.models import Segment
from members.tasks import import_segment_file, refresh_segment
from tests.factories.loyalty import UserFactory
from tests.factories.members import MemberFactory
from tests.factories.segments import SegmentFactory, inside


@pytest.fixture(autouse=True)
def folders(tmp_path, settings):
    settings.LAUREL_UPLOAD_FOLDER = tmp_path / "uploads"


def url(name, segment=None):
    return reverse(f"admin:members_segment_{name}", args=[segment.pk] if segment else [])


def form(**changes):
    base = {"code": "VIP", "name": "Very important", "kind": "STATIC", "condition": ""}
    return {**base, "active": "on", **changes}


def file_form(data=b"1\n", **changes):
    base = {"mode": "ADD", "key": "number", "until_0": "", "until_1": ""}
    return {**base, "file": SimpleUploadedFile("keys.csv", data), **changes}


def test_a_dynamic_segment_is_written_and_its_members_found(office):
    answer = office.post(
        url("add"), form(code="ADULTS", kind="DYNAMIC", condition="member.age > 17")
    )

    assert answer.status_code == 302, answer.context["errors"]
    segment = Segment.objects.get()
    assert (segment.kind, segment.condition, segment.version) == ("DYNAMIC", "member.age > 17", 1)
    assert Job.objects.get().kind == refresh_segment.name


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"kind": "DYNAMIC", "condition": "member.shoes > 1"}, "member▸.shoes &gt; 1"),
        ({"kind": "DYNAMIC"}, "A dynamic segment has a condition."),
        ({"condition": "member.age > 1"}, "A static segment has no condition."),
    ],
)
def test_a_wrong_condition_is_shown_at_its_place(changes, told, office):
    answer = office.post(url("add"), form(**changes))

    assert answer.status_code == 200
    assert told in answer.content.decode()
    assert not Segment.objects.exists()


def test_code_and_kind_stay_and_a_change_is_a_version(office):
    segment = SegmentFactory(code="VIP")

    office.post(url("change", segment), form(code="OTHER", kind="DYNAMIC", name="Renamed"))

    segment.refresh_from_db()
    assert (segment.code, segment.kind, segment.name) == ("VIP", "STATIC", "Renamed")
    assert segment.version == 2
    assert office.post(url("delete", segment), {"post": "yes"}).status_code == 403


@pytest.mark.django_db(transaction=True)
def test_a_file_is_imported_with_its_progress_counts_and_rejects(office):
    member, segment = MemberFactory(), SegmentFactory(code="VIP")
    data = f"number\n{member.number}\n=x\n".encode()

    sent = office.post(url("import_file", segment), file_form(data, mode="REPLACE"))

    assert sent.status_code == 302, sent.context["form"].errors
    job = Job.objects.get()
    waiting = office.get(sent["Location"]).content.decode()
    import_segment_file(job_id=str(job.pk))
    done = office.get(sent["Location"]).content.decode()
    rejects = b"".join(office.get(f"{sent['Location']}&rejects=1")).decode()
    page = office.get(url("change", segment)).content.decode()
    assert 'http-equiv="refresh"' in waiting
    assert 'http-equiv="refresh"' not in done
    assert 'data-status="DONE"' in done
    assert 'data-count="added">1<' in done
    assert rejects.splitlines()[1].startswith("3,'=x,MALFORMED,")
    assert "REPLACE keys.csv" in page, page[page.find("The latest") :][:900]
    assert inside(segment) == {member.pk}


@pytest.mark.parametrize(
    ("_case", "changes", "field"),
    [
        ("binary", {"data": b"PK\0\0"}, "file"),
        ("no column", {"column": "x"}, "column"),
        ("no provider", {"key": "alias"}, "provider"),
        ("no file", {"file": ""}, "file"),
        ("no mode", {"mode": ""}, "mode"),
    ],
)
def test_a_file_that_is_wrong_is_told_and_not_kept(_case, changes, field, office):
    segment = SegmentFactory(code="VIP")

    answer = office.post(url("import_file", segment), file_form(**changes))

    assert answer.status_code == 200
    assert list(answer.context["form"].errors) == [field]
    assert not Upload.objects.exists()
    assert not Job.objects.exists()


def test_a_dynamic_segment_takes_no_file(office):
    segment = SegmentFactory(condition="member.age > 1")

    answer = office.post(url("import_file", segment), file_form())

    assert "found by its condition" in answer.content.decode()
    assert not Upload.objects.exists()


def test_members_are_exported_as_csv(office):
    members = [MemberFactory() for _ in range(3)]
    segment = SegmentFactory(code="VIP", members=members)

    answer = office.get(url("export", segment))

    lines = b"".join(answer).decode().splitlines()
    assert answer["Content-Disposition"] == 'attachment; filename="segment-VIP.csv"'
    assert lines[0] == "number,since,until"
    assert [line.split(",")[0] for line in lines[1:]] == [each.number for each in members]


def test_dynamic_segments_are_found_anew_from_the_list(office):
    dynamic, static = SegmentFactory(condition="member.age > 1"), SegmentFactory()

    office.post(
        url("changelist"),
        {"action": "refresh_selected", "_selected_action": [dynamic.pk, static.pk]},
    )

    assert Job.objects.get().parameters["segment"] == dynamic.pk


@pytest.mark.parametrize(
    ("group", "views", "changes"),
    [
        ("Programme manager", True, True),
        ("Helpdesk", True, False),
        ("Partner manager", False, False),
    ],
)
def test_who_may_do_what(group, views, changes, client, program):
    segment = SegmentFactory(code="VIP")
    client.force_login(UserFactory(groups=[group]))

    assert (client.get(url("changelist")).status_code == 200) is views
    assert (client.get(url("export", segment)).status_code == 200) is views
    sent = client.post(url("import_file", segment), file_form())
    assert (sent.status_code == 302) is changes
    assert Job.objects.exists() is changes


def test_nobody_else_sees_a_job_or_its_rejects(client, office, program):
    segment, other = SegmentFactory(), SegmentFactory()
    office.post(url("import_file", segment), file_form())
    job = Job.objects.get()
    page = url("imports", segment)

    assert office.get(f"{page}?job={job.pk}").status_code == 200
    assert office.get(f"{url('imports', other)}?job={job.pk}").status_code == 404
    assert office.get(page).status_code == 404
    assert office.get(f"{page}?job=x").status_code == 404
    client.force_login(UserFactory(groups=["Partner manager"]))
    assert client.get(f"{page}?job={job.pk}").status_code == 403


def test_a_request_that_is_too_large_is_refused_before_it_is_read(client, program):
    answer = client.generic(
        "POST",
        "/admin/login/",
        b"x",
        content_type="multipart/form-data; boundary=a",
        CONTENT_LENGTH=str(2 * 1024**3),
    )

    assert (answer.status_code, answer.json()["code"]) == (413, "PAYLOAD_TOO_LARGE")
