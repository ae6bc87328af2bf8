"""Folders for files, and a segment to fill."""

from datetime import UTC, datetime

import pytest

from members.services import segment_import
from tests.factories.segments import SegmentFactory


@pytest.fixture
def folders(tmp_path, settings):
    settings.LAUREL_UPLOAD_FOLDER = tmp_path / "uploads"
    settings.LAUREL_IMPORT_FOLDER = tmp_path / "import"
    settings.LAUREL_IMPORT_FOLDER.mkdir()
    return tmp_path


@pytest.fixture
def no_tables(transactional_db):
    """Drop what jobs of other tests left: their tables outlive the rows."""
    segment_import.forget_tables(at=datetime.now(UTC))


@pytest.fixture
def vip():
    return SegmentFactory(code="VIP")
