"""Promotion Segment Mapping with a file: the segment is loaded, and only then mapped."""

import json

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from loyalty.models import Job, Program, Upload
from members.services import segment_import
from members.tasks import forget_import_tables
from promotions.models import PromotionApproval, PromotionVersion
from promotions.services.writing import segment_mapping
from promotions.tasks import map_segment_file
from tests.factories.members import MemberFactory
from tests.factories.promotions import promotion
from tests.factories.segments import SegmentFactory, inside

URL = "/api/v1/promotions/BASE/segments/"
pytestmark = pytest.mark.usefixtures("transactional_db")


@pytest.fixture(autouse=True)
def folders(tmp_path, settings):
    settings.LAUREL_UPLOAD_FOLDER = tmp_path / "uploads"
    settings.LAUREL_IMPORT_FOLDER = tmp_path / "import"
    settings.LAUREL_IMPORT_FOLDER.mkdir()
    settings.FILE_UPLOAD_TEMP_DIR = str(tmp_path)
    return tmp_path


@pytest.fixture
def old(program):
    return MemberFactory()


@pytest.fixture
def vip(old):
    return SegmentFactory(code="VIP", members=[old])


@pytest.fixture
def base(program):
    return promotion("BASE")


def send(api, mapping, data=b"1\n", **headers):
    parts = {"mapping": json.dumps(mapping)}
    if data is not None:
        parts["file"] = SimpleUploadedFile("keys.csv", data, "text/csv")
    return api.client.post(URL, parts, headers={**api.headers, **headers})


def keys(*members):
    return ("number\n" + "".join(f"{each.number}\n" for each in members)).encode()


def audience():
    return PromotionVersion.objects.order_by("-number")[0].definition["audience"]


def test_a_file_is_loaded_and_then_mapped(house, vip, base, old):
    new = MemberFactory()
    data = keys(old, new) + b"99999999999\nnobody\n"

    answer = send(house, {"include": ["VIP"], "file": {"segment": "VIP", "mode": "ADD"}}, data)

    assert answer.status_code == 202, answer.content
    job = answer.json()
    assert answer["Location"] == f"/api/v1/jobs/{job['id']}/"
    assert inside(vip) == {old.pk}
    assert PromotionVersion.objects.count() == 1

    map_segment_file(job_id=job["id"])

    told = house.get(f"/jobs/{job['id']}/").json()
    assert told["status"] == "DONE"
    counts = {name: told["result"][name] for name in ("added", "removed", "unchanged")}
    assert counts == {"added": 1, "removed": 0, "unchanged": 1}
    assert (told["result"]["unknown"], told["result"]["rejected"]) == (1, 1)
    assert (told["result"]["version"], audience()["segments"]) == (2, ["VIP"])
    assert inside(vip) == {old.pk, new.pk}


def test_a_file_of_the_import_folder_replaces_and_excludes(house, vip, base, folders):
    new = MemberFactory(card="6275000000000017")
    (folders / "import" / "weekly.csv").write_text("6275000000000017\n")
    file = {"segment": "VIP", "mode": "REPLACE", "key": "card", "path": "weekly.csv"}

    job = house.post("/promotions/BASE/segments/", {"exclude": ["VIP"], "file": file}).json()
    map_segment_file(job_id=job["id"])

    assert inside(vip) == {new.pk}
    assert (audience()["segments"], audience()["not_segments"]) == ([], ["VIP"])


def test_a_segment_that_no_list_names_is_included(house, vip, base, old):
    SegmentFactory(code="STAFF")
    body = {"exclude": ["STAFF"], "file": {"segment": "VIP", "mode": "ADD"}}

    map_segment_file(job_id=send(house, body, keys(old)).json()["id"])

    assert (audience()["segments"], audience()["not_segments"]) == (["VIP"], ["STAFF"])


def test_a_file_that_empties_the_segment_maps_nothing(house, vip, base, old):
    job = send(house, {"file": {"segment": "VIP", "mode": "REPLACE"}}, b"9999\n").json()

    with pytest.raises(Exception, match=r"nobody|empty"):
        map_segment_file(job_id=job["id"])

    assert Job.objects.get(pk=job["id"]).status == "FAILED"
    assert inside(vip) == {old.pk}
    assert PromotionVersion.objects.count() == 1


class Killed(BaseException):
    """The process is gone."""


def kill(monkeypatch, place):
    """Let the process end at a place of the job."""
    written = segment_mapping._map

    def die(*args, **options):
        if place == "after it":
            written(*args, **options)
        raise Killed

    if place == "before the switch":
        monkeypatch.setattr(segment_import.segment_switch, "switch", die)
    else:
        monkeypatch.setattr(segment_mapping, "_map", die)


@pytest.mark.parametrize("place", ["before the switch", "before the mapping", "after it"])
def test_a_job_that_is_killed_goes_on_and_ends_the_same(place, house, vip, base, old, monkeypatch):
    new = MemberFactory()
    job = send(house, {"file": {"segment": "VIP", "mode": "REPLACE"}}, keys(new)).json()

    kill(monkeypatch, place)
    with pytest.raises(Killed):
        map_segment_file(job_id=job["id"])
    monkeypatch.undo()
    Job.objects.filter(pk=job["id"]).update(status="RUNNING")
    forget_import_tables()
    map_segment_file(job_id=job["id"])

    done = Job.objects.get(pk=job["id"])
    assert (done.status, done.result["added"], done.result["removed"]) == ("DONE", 1, 1)
    assert inside(vip) == {new.pk}
    assert PromotionVersion.objects.count() == 2


def test_a_file_that_was_sent_earlier_does_not_undo_a_later_one(house, vip, base):
    first, second = MemberFactory(), MemberFactory()
    body = {"segment": "VIP", "mode": "REPLACE"}
    early = send(house, {"file": body}, keys(first)).json()
    late = send(house, {"file": body}, keys(second)).json()
    map_segment_file(job_id=late["id"])

    with pytest.raises(Exception, match="later"):
        map_segment_file(job_id=early["id"])

    assert inside(vip) == {second.pk}


def test_with_four_eyes_the_mapping_of_a_live_one_waits(house, vip, base, old):
    Program.objects.update(four_eyes=True)

    job = send(house, {"file": {"segment": "VIP", "mode": "ADD"}}, keys(old)).json()
    map_segment_file(job_id=job["id"])

    assert Job.objects.get(pk=job["id"]).result["approval"] == "WAITING"
    assert PromotionApproval.objects.get().definition["audience"]["segments"] == ["VIP"]
    assert audience()["segments"] == []


def test_a_retry_with_its_key_starts_one_job(house, vip, base, old):
    body = {"file": {"segment": "VIP", "mode": "ADD"}}

    first, again = (send(house, body, keys(old), **{"Idempotency-Key": "weekly"}) for _ in range(2))

    assert (first.json()["id"], again["Idempotent-Replayed"]) == (again.json()["id"], "true")
    assert Job.objects.count() == Upload.objects.count() == 1
    assert send(house, body, b"2\n", **{"Idempotency-Key": "weekly"}).status_code == 409


@pytest.mark.parametrize(
    ("mapping", "data", "status", "pointer"),
    [
        ({"include": ["VIP"]}, b"1\n", 400, "/file"),
        ({"file": {"segment": "VIP"}}, b"1\n", 400, "/file/mode"),
        ({"file": {"segment": "VIP", "mode": "ADD", "path": "x"}}, b"1\n", 400, "/file/path"),
        (
            {"file": {"segment": "VIP", "mode": "ADD", "key": "alias"}},
            b"1\n",
            400,
            "/file/provider",
        ),
        ({"file": {"segment": "VIP", "mode": "ADD"}}, b"\x00\x01", 400, "/file"),
        ({"file": {"segment": "NOBODY", "mode": "ADD"}}, b"1\n", 404, None),
        ({"file": {"segment": "GUESSED", "mode": "ADD"}}, b"1\n", 422, None),
        (
            {"include": ["NOBODY"], "file": {"segment": "VIP", "mode": "ADD"}},
            b"1\n",
            400,
            "/audience/segments",
        ),
    ],
)
def test_what_is_wrong_is_named_and_nothing_kept(mapping, data, status, pointer, house, vip, base):
    SegmentFactory(code="GUESSED", condition="member.age > 3")

    answer = send(house, mapping, data)

    assert answer.status_code == status, answer.content
    if pointer:
        assert answer.json()["errors"][0]["pointer"] == pointer
    assert not Job.objects.exists()
    assert not Upload.objects.exists()
    assert PromotionVersion.objects.count() == 1


def test_a_promotion_that_is_not_there_takes_no_file(house, vip):
    answer = send(house, {"file": {"segment": "VIP", "mode": "ADD"}})

    assert (answer.status_code, Upload.objects.count()) == (404, 0)
