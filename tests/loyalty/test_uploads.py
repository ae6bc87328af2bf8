"""Files for jobs: kept where nobody guesses, for a while, and never from outside the folder."""

import os
from datetime import UTC, datetime, timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile, TemporaryUploadedFile

from loyalty.errors import FileMissing, ValidationFailed
from loyalty.models import Upload
from loyalty.services import jobs, uploads

AT = datetime.now(UTC)


@pytest.fixture(autouse=True)
def folders(tmp_path, settings):
    settings.LAUREL_UPLOAD_FOLDER = tmp_path / "uploads"
    settings.LAUREL_IMPORT_FOLDER = tmp_path / "import"
    settings.LAUREL_IMPORT_FOLDER.mkdir()
    return tmp_path


def test_a_file_is_kept_under_a_name_of_ours(db, folders):
    upload = uploads.keep(SimpleUploadedFile("../../etc/pass\nwd.csv", b"1\n"), at=AT)

    assert (upload.name, upload.size) == ("passwd.csv", 2)
    assert os.listdir(folders / "uploads") == [f"{upload.pk}.upload"]
    assert uploads.path_of(upload.pk).read_bytes() == b"1\n"


def test_what_lies_on_the_disk_already_is_moved(db):
    file = TemporaryUploadedFile("a.csv", "text/csv", 2, None)
    file.write(b"1\n")
    file.flush()
    there = file.temporary_file_path()

    upload = uploads.keep(file, at=AT)
    file.close()

    assert not os.path.exists(there)
    assert uploads.path_of(upload.pk).read_bytes() == b"1\n"


def test_it_is_deleted_after_a_week_unless_a_job_needs_it(db):
    old = [uploads.keep(SimpleUploadedFile("a.csv", b"1"), at=AT) for _ in range(3)]
    new = uploads.keep(SimpleUploadedFile("a.csv", b"1"), at=AT + timedelta(days=7))
    jobs.start("x.y", at=AT, parameters={"upload": str(old[0].pk)})

    forgotten = uploads.forget_old(at=AT + timedelta(days=8))

    assert forgotten == 2
    assert set(Upload.objects.all()) == {old[0], new}
    assert {path.name for path in uploads.path_of(new.pk).parent.iterdir()} == {
        f"{each.pk}.upload" for each in (old[0], new)
    }


def test_a_file_without_a_row_is_deleted_too(db, folders):
    kept = uploads.keep(SimpleUploadedFile("a.csv", b"1"), at=AT)
    (folders / "uploads" / "tmp123.upload").write_text("left by a crash")

    uploads.forget_old(at=AT + timedelta(days=1))
    assert len(os.listdir(folders / "uploads")) == 2
    uploads.forget_old(at=AT + timedelta(days=30))
    assert os.listdir(folders / "uploads") == []
    assert not Upload.objects.filter(pk=kept.pk).exists()


def test_a_path_names_a_file_below_the_import_folder(folders):
    (folders / "import" / "weekly").mkdir()
    (folders / "import" / "weekly" / "vip.csv").write_text("1")

    assert uploads.under_import_folder("weekly/vip.csv").read_text() == "1"


@pytest.mark.parametrize(
    "path", ["/etc/passwd", "../uploads/x", "weekly/../../x", "link/passwd", "a\0b"]
)
def test_a_path_that_leads_elsewhere_is_refused(path, folders):
    (folders / "import" / "link").symlink_to("/etc")

    with pytest.raises(ValidationFailed) as refusal:
        uploads.under_import_folder(path)

    assert refusal.value.errors[0].code == "NOT_A_PATH"


@pytest.mark.parametrize("path", ["none.csv", ".", "", "x" * 5000, "circle"])
def test_a_file_that_is_not_there_is_missing(path, folders):
    (folders / "import" / "circle").symlink_to("circle")

    with pytest.raises(FileMissing):
        uploads.under_import_folder(path)


def test_the_worker_loads_what_it_needs():
    """Annotations are only looked at when a module is loaded, and the web server never loads this."""
    from loyalty import tasks

    assert tasks.forget_old_files.name == "loyalty.tasks.forget_old_files"
