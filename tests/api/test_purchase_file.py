"""Import Transaction File: purchases by the line, posted as Earn would, safe to send twice."""

import json

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command

from ledger.models import Transaction
from loyalty.models import Job, Upload
from promotions.services import batch, purchase_file
from promotions.tasks import import_purchases
from tests.factories.ledger import balance
from tests.factories.partners import PartnerFactory
from tests.factories.promotions import promotion

URL = "/api/v1/transactions/file/"
pytestmark = pytest.mark.usefixtures("member")


@pytest.fixture(autouse=True)
def folders(tmp_path, settings):
    settings.LAUREL_UPLOAD_FOLDER = tmp_path / "uploads"
    settings.LAUREL_IMPORT_FOLDER = tmp_path / "import"
    settings.LAUREL_IMPORT_FOLDER.mkdir()
    settings.FILE_UPLOAD_TEMP_DIR = str(tmp_path)
    return tmp_path


@pytest.fixture(autouse=True)
def base(program):
    promotion()


def lines(*bodies):
    return b"".join((b if isinstance(b, bytes) else json.dumps(b).encode()) + b"\n" for b in bodies)


def send(api, data, **headers):
    parts = {"mapping": "{}", "file": SimpleUploadedFile("sales.jsonl", data)}
    return api.client.post(URL, parts, headers={**api.headers, **headers})


def run(answer):
    assert answer.status_code == 202, answer.content
    import_purchases(job_id=answer.json()["id"])
    return Job.objects.get(pk=answer.json()["id"])


def errors(api, job):
    text = api.get(f"/jobs/{job.pk}/errors/").getvalue().decode()
    return [line.split(",")[:3] for line in text.splitlines()[1:]]


def test_each_line_is_posted_as_earn_would(till, member, purchase):
    job = run(send(till, lines(*(purchase(reference=f"R-{n}") for n in range(3)))))

    assert (job.status, job.result) == ("DONE", {"posted": 3, "known": 0, "rejected": 0})
    assert (job.done, job.total) == (job.total, job.parameters["size"])
    assert balance(member).available == 3 * 4
    one = till.get("/transactions/", reference="R-1", kind="EARN").json()
    assert one["points"][0]["points"] == 4
    assert one["awards"][0]["promotion"] == "BASE"


def test_what_a_till_sent_by_itself_is_known(till, member, purchase):
    body = purchase(reference="R-1")
    till.post("/transactions/earn/", body)

    job = run(send(till, lines(body, purchase(reference="R-2"))))

    assert job.result == {"posted": 1, "known": 1, "rejected": 0}
    assert balance(member).available == 8


def test_a_file_may_be_sent_twice(till, member, purchase):
    data = lines(*(purchase(reference=f"R-{n}") for n in range(3)))
    run(send(till, data))

    job = run(send(till, data))

    assert job.result == {"posted": 0, "known": 3, "rejected": 0}
    assert balance(member).available == 12


def test_what_cannot_be_posted_is_told_by_line_and_the_rest_is_posted(till, member, purchase):
    data = lines(
        purchase(reference="R-1"),
        b"{",
        b"",
        purchase(reference="R-2", outlet="MOON"),
        purchase(reference="R-3", member={"card": "6275000000000025"}),
        purchase(reference="R-4", tenders=[{"type": "CARD", "amount": "1.00"}]),
        purchase(reference="R-5", member=None),
        purchase(reference="R-1", coupons=["SPRING"]),
        {**purchase(reference="R-6"), "surprise": True},
        b"x" * (256 * 1024 + 1),
        purchase(reference="R-7"),
    )

    job = run(send(till, data))

    assert job.result == {"posted": 2, "known": 0, "rejected": 8}
    assert errors(till, job) == [
        ["2", "", "VALIDATION_FAILED"],
        ["4", "R-2", "OUTLET_UNKNOWN"],
        ["5", "R-3", "MEMBER_NOT_FOUND"],
        ["6", "R-4", "TENDERS_MISMATCH"],
        ["7", "", "VALIDATION_FAILED"],
        ["8", "R-1", "REFERENCE_CONFLICT"],
        ["9", "", "VALIDATION_FAILED"],
        ["10", "", "VALIDATION_FAILED"],
    ]
    assert balance(member).available == 8


def test_a_sum_that_no_book_can_hold_stops_no_file(till, member, purchase):
    huge = [{"line": n, "amount": "9999999999.99"} for n in range(1, 201)]

    job = run(send(till, lines(purchase(reference="R-1"), purchase(lines=huge, discount="0"))))

    assert (job.status, job.result) == ("DONE", {"posted": 1, "known": 0, "rejected": 1})


def test_points_that_no_book_can_hold_stop_no_file(till, member, purchase):
    promotion("RICH", award={"kind": "PER_AMOUNT", "type": "PTS", "points": 10**9, "per": "0.01"})
    huge = purchase(lines=[{"line": 1, "amount": "9999999999.99"}], discount="0")

    job = run(send(till, lines(purchase(reference="R-1"), huge)))

    assert (job.status, job.result) == ("DONE", {"posted": 1, "known": 0, "rejected": 1})


def test_a_field_that_cannot_be_stored_stops_no_file(till, member, purchase):
    job = run(send(till, lines(b'{"a\\u0000b": 1}', purchase(reference="R-1"))))

    assert (job.status, job.result) == ("DONE", {"posted": 1, "known": 0, "rejected": 1})
    assert errors(till, job) == [["1", "", "VALIDATION_FAILED"]]


@pytest.mark.parametrize("chunk", [1, 2, 5])
def test_a_job_killed_and_run_again_ends_the_same(chunk, till, member, purchase, monkeypatch):
    monkeypatch.setattr(purchase_file, "CHUNK", chunk)
    answer = send(till, lines(*(purchase(reference=f"R-{n}") for n in range(5))))
    whole, calls = batch.post_together, []

    def killed(*arguments, **named):
        calls.append(whole(*arguments, **named))
        if len(calls) == min(2, 5 // chunk):
            raise SystemExit  # After the commit, before the job has noted it.
        return calls[-1]

    monkeypatch.setattr(batch, "post_together", killed)
    with pytest.raises(SystemExit):
        import_purchases(job_id=answer.json()["id"])
    monkeypatch.setattr(batch, "post_together", whole)

    job = run(answer)

    assert job.status == "DONE"
    assert job.result["posted"] + job.result["known"] == 5
    assert Transaction.objects.filter(kind="EARN").count() == 5
    assert balance(member).available == 20


def test_a_file_of_the_import_folder_is_read_by_the_command(folders, partner, member, purchase):
    (folders / "import" / "sales.jsonl").write_bytes(lines(purchase(), purchase()))

    call_command("import_purchases", "sales.jsonl", partner="GROCER")

    assert balance(member).available == 8
    assert Job.objects.get().result == {"posted": 2, "known": 0, "rejected": 0}


def test_a_partner_names_files_of_its_own_folder(till, house, folders, member, purchase):
    own, foreign = folders / "import" / "GROCER", folders / "import" / "FUEL"
    for folder, reference in ((own, "OWN"), (foreign, "FOREIGN")):
        folder.mkdir()
        (folder / "sales.jsonl").write_bytes(lines(purchase(reference=reference)))
    (own / "over").symlink_to(foreign)

    for path in ("FUEL/sales.jsonl", "none.jsonl"):
        answer = till.post("/transactions/file/", {"path": path})
        assert (answer.status_code, answer.json()["code"]) == (404, "FILE_NOT_FOUND"), path
    for path in ("../FUEL/sales.jsonl", "over/sales.jsonl", "over/none.jsonl", "/etc/passwd"):
        answer = till.post("/transactions/file/", {"path": path})
        assert answer.json()["errors"][0]["code"] == "NOT_A_PATH", path
    assert not Job.objects.exists()

    job = run(till.post("/transactions/file/", {"path": "sales.jsonl"}))
    assert (job.result, balance(member).available) == (
        {"posted": 1, "known": 0, "rejected": 0},
        4,
    )
    assert house.post("/transactions/file/", {"path": "FUEL/sales.jsonl"}).status_code == 202


def test_a_key_makes_one_job_and_keeps_one_file(till, purchase, folders):
    data = lines(purchase())
    first = send(till, data, **{"Idempotency-Key": "night-1"})

    again = send(till, data, **{"Idempotency-Key": "night-1"})

    assert again.json()["id"] == first.json()["id"]
    assert Job.objects.count() == Upload.objects.count() == 1


def test_nothing_is_kept_of_what_is_refused(till, house, folders):
    assert send(till, b"").status_code == 400
    assert till.post("/transactions/file/", {"path": "../etc/passwd"}).status_code == 400
    assert (
        till.post("/transactions/file/", {"path": "none.jsonl"}).json()["code"] == "FILE_NOT_FOUND"
    )
    assert till.post("/transactions/file/", {}).json()["errors"][0]["pointer"] == "/path"

    assert not Upload.objects.exists()
    assert not Job.objects.exists()


def test_a_partner_reads_its_own_job_only(till, api_of, purchase):
    answer = send(till, lines(purchase()))

    assert till.get(f"/jobs/{answer.json()['id']}/").status_code == 200
    assert api_of(PartnerFactory()).get(f"/jobs/{answer.json()['id']}/").status_code == 404
