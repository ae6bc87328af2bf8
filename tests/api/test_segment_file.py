"""Import Segment File: sent as a form, or named by its path; refused before anything is kept."""

import json

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from loyalty.models import Job, Upload
from members.tasks import import_segment_file
from tests.factories.members import MemberFactory
from tests.factories.segments import SegmentFactory, inside

URL = "/api/v1/segments/VIP/file/"


@pytest.fixture(autouse=True)
def folders(tmp_path, settings):
    settings.LAUREL_UPLOAD_FOLDER = tmp_path / "uploads"
    settings.LAUREL_IMPORT_FOLDER = tmp_path / "import"
    settings.LAUREL_IMPORT_FOLDER.mkdir()
    settings.FILE_UPLOAD_TEMP_DIR = str(tmp_path)
    return tmp_path


@pytest.fixture
def vip(program):
    return SegmentFactory(code="VIP")


def send(api, mapping, data=b"1\n", url=URL, name="keys.csv", **headers):
    parts = {"mapping": mapping if isinstance(mapping, str) else json.dumps(mapping)}
    if data is not None:
        parts["file"] = SimpleUploadedFile(name, data, "text/csv")
    return api.client.post(url, parts, headers={**api.headers, **headers})


def nothing_kept(folders):
    uploads = folders / "uploads"
    assert not Upload.objects.exists()
    assert not Job.objects.exists()
    assert not uploads.exists() or list(uploads.iterdir()) == []


def test_a_file_is_taken_and_a_job_puts_it_into_effect(house, vip):
    member = MemberFactory()

    answer = send(house, {"mode": "ADD"}, f"number\r\n{member.number}\r\nx\r\n".encode())

    assert answer.status_code == 202, answer.content
    job = answer.json()
    assert answer["Location"] == f"/api/v1/jobs/{job['id']}/"
    assert (job["kind"], job["status"]) == ("members.tasks.import_segment_file", "PENDING")
    assert job["errors"] == f"/api/v1/jobs/{job['id']}/errors/"
    assert Upload.objects.get().name == "keys.csv"
    assert inside(vip) == set()


def test_the_job_tells_what_became_of_it(house, vip):
    member = MemberFactory()
    data = f"number\n{member.number}\n=1+1\n".encode()
    job = send(house, {"mode": "REPLACE"}, data).json()

    import_segment_file(job_id=job["id"])

    told = house.get(f"/jobs/{job['id']}/").json()
    assert told["status"] == "DONE"
    assert told["done"] == told["total"] == len(data)
    assert (told["result"]["added"], told["result"]["rejected"]) == (1, 1)
    lines = b"".join(house.get(f"/jobs/{job['id']}/errors/")).decode().splitlines()
    assert lines[1] == "3,'=1+1,MALFORMED,A member number has up to 20 digits."
    assert inside(vip) == {member.pk}


test_the_job_tells_what_became_of_it = pytest.mark.usefixtures("transactional_db")(
    test_the_job_tells_what_became_of_it
)


def test_a_file_of_the_import_folder_is_named_by_its_path(house, vip, folders):
    (folders / "import" / "weekly.csv").write_bytes(b"1\n")

    answer = house.post("/segments/VIP/file/", {"mode": "ADD", "path": "weekly.csv"})

    assert answer.status_code == 202
    assert Job.objects.get().parameters["path"] == "weekly.csv"
    assert not Upload.objects.exists()


@pytest.mark.parametrize(
    ("_case", "path", "status", "code"),
    [
        ("elsewhere", "../secret", 400, "VALIDATION_FAILED"),
        ("from the root", "/etc/passwd", 400, "VALIDATION_FAILED"),
        ("over a link", "link/passwd", 400, "VALIDATION_FAILED"),
        ("not there", "none.csv", 404, "FILE_NOT_FOUND"),
    ],
)
def test_a_path_leads_nowhere_else(_case, path, status, code, house, vip, folders):
    (folders / "import" / "link").symlink_to("/etc")

    answer = house.post("/segments/VIP/file/", {"mode": "ADD", "path": path})

    assert (answer.status_code, answer.json()["code"]) == (status, code)
    nothing_kept(folders)


@pytest.mark.parametrize(
    ("_case", "mapping", "data", "pointer", "code"),
    [
        ("no mode", {}, b"1\n", "/mode", "MISSING_FIELD"),
        ("no such mode", {"mode": "add"}, b"1\n", "/mode", "NOT_A_CHOICE"),
        ("no JSON", "{", b"1\n", "", "NOT_JSON"),
        ("an unknown field", {"mode": "ADD", "x": 1}, b"1\n", "/x", "UNKNOWN_FIELD"),
        ("no file", {"mode": "ADD"}, None, "/file", "MISSING_FIELD"),
        ("a path too", {"mode": "ADD", "path": "a.csv"}, b"1\n", "/path", "EXACTLY_ONE"),
        ("no provider", {"mode": "ADD", "key": "alias"}, b"1\n", "/provider", "MISSING_FIELD"),
        (
            "no such provider",
            {"mode": "ADD", "key": "alias", "provider": "x"},
            b"1\n",
            "/provider",
            "NOT_A_CHOICE",
        ),
        (
            "a provider of cards",
            {"mode": "ADD", "key": "card", "provider": "email"},
            b"1\n",
            "/provider",
            "NOT_HERE",
        ),
        ("binary", {"mode": "ADD"}, b"PK\x03\x04\0\0", "/file", "FILE_IS_BINARY"),
        ("Latin-1", {"mode": "ADD"}, "Mül\n".encode("latin-1"), "/file", "FILE_NOT_UTF8"),
        ("no column", {"mode": "ADD", "column": "x"}, b"a,b\n", "/column", "NO_SUCH_COLUMN"),
        ("column 0", {"mode": "ADD", "column": 0}, b"a,b\n", "/column", "OUT_OF_RANGE"),
        (
            "an end that has passed",
            {"mode": "ADD", "until": "2020-01-01T00:00:00Z"},
            b"1\n",
            "/until",
            "IN_PAST",
        ),
        (
            "an end for who leaves",
            {"mode": "REMOVE", "until": "2090-01-01T00:00:00Z"},
            b"1\n",
            "/until",
            "NOT_HERE",
        ),
    ],
)
def test_what_is_wrong_is_named_and_nothing_is_kept(
    _case, mapping, data, pointer, code, house, vip, folders
):
    answer = send(house, mapping, data)

    assert answer.status_code == 400, answer.content
    [error] = answer.json()["errors"]
    assert (error["pointer"], error["code"]) == (pointer, code)
    nothing_kept(folders)


@pytest.mark.parametrize(
    ("_case", "body", "kind"),
    [
        ("no boundary", b"x", "multipart/form-data"),
        ("rubbish", b"\xff\xfe\0", "multipart/form-data; boundary=a"),
        ("nothing", b"", "multipart/form-data; boundary=a"),
        ("a wrong length", b"--a\r\n", "multipart/form-data; boundary=a"),
    ],
)
def test_a_form_that_is_none_is_refused(_case, body, kind, house, vip, folders):
    answer = house.post("/segments/VIP/file/", body, content_type=kind)

    assert (answer.status_code, answer.json()["code"]) == (400, "VALIDATION_FAILED")
    nothing_kept(folders)


def test_two_files_are_one_too_many(house, vip, folders):
    parts = {
        "mapping": '{"mode": "ADD"}',
        "file": [SimpleUploadedFile("a", b"1"), SimpleUploadedFile("b", b"2")],
    }
    answer = house.client.post(URL, parts, headers=house.headers)

    assert answer.json()["errors"][0]["pointer"] == "/file"
    nothing_kept(folders)


def test_a_mapping_may_be_sent_with_its_media_type(house, vip):
    parts = {
        "mapping": SimpleUploadedFile("m.json", b'{"mode": "ADD"}', "application/json"),
        "file": SimpleUploadedFile("a", b"1"),
    }

    assert house.client.post(URL, parts, headers=house.headers).status_code == 202


def test_a_file_that_is_too_large_is_refused_before_it_is_read(house, vip, folders):
    answer = house.client.generic(
        "POST",
        URL,
        b"--a",
        content_type="multipart/form-data; boundary=a",
        headers=house.headers,
        CONTENT_LENGTH=str(2 * 1024**3),
    )

    assert (answer.status_code, answer.json()["limit"]) == (413, 1024**3)
    nothing_kept(folders)


def test_a_mapping_that_is_too_large_is_refused(house, vip, folders):
    for size in (300_000, 3_000_000):
        answer = send(house, '{"mode": "' + "x" * size + '"}')
        assert answer.status_code == 413
    nothing_kept(folders)


def test_a_dynamic_or_unknown_segment_takes_no_file(house, program, folders):
    SegmentFactory(code="VIP", condition="member.age > 1")

    assert send(house, {"mode": "ADD"}).json()["code"] == "SEGMENT_IS_DYNAMIC"
    unknown = send(house, {"mode": "ADD"}, url="/api/v1/segments/NONE/file/")
    assert unknown.json()["code"] == "SEGMENT_NOT_FOUND"
    nothing_kept(folders)


def test_partners_and_strangers_send_no_files(till, house, vip, folders):
    assert send(till, {"mode": "ADD"}).status_code == 403
    house.headers = {}
    assert send(house, {"mode": "ADD"}).status_code == 401
    nothing_kept(folders)


def test_the_same_key_and_file_start_one_job(house, vip):
    key = {"Idempotency-Key": "a"}
    first = send(house, {"mode": "ADD"}, b"1\n", **key)

    again = send(house, {"mode": "ADD"}, b"1\n", **key)
    other = send(house, {"mode": "ADD"}, b"2\n", **key)

    assert again.json() == first.json()
    assert again["Idempotent-Replayed"] == "true"
    assert (other.status_code, other.json()["code"]) == (409, "REFERENCE_CONFLICT")
    assert (Job.objects.count(), Upload.objects.count()) == (1, 1)


def test_a_senders_name_of_the_file_is_never_a_path(house, vip, folders):
    send(house, {"mode": "ADD"}, name="../../evil\x07.csv")

    [kept] = (folders / "uploads").iterdir()
    assert kept.name == f"{Upload.objects.get().pk}.upload"


def test_a_file_costs_the_same_statements_however_long_it_is(house, vip, statements):
    sent = []
    for lines in (1, 1, 5000):
        statements.sent.clear()
        assert send(house, {"mode": "ADD"}, b"1234567890\n" * lines).status_code == 202
        sent.append(len(statements.sent))

    assert sent[1] == sent[2] == 4, statements.sent
