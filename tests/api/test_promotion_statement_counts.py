"""How many statements writing, judging and mapping a promotion sends: with 20 live, as with one.

Most of them read the programme anew, because each of these calls moves its epoch.
"""

import pytest

from loyalty.models import Program
from tests.factories.promotions import promotion
from tests.factories.segments import SegmentFactory

URL = "/promotions/COFFEE/"
COFFEE = {
    "name": "Coffee",
    "status": "LIVE",
    "award": {"kind": "FIXED", "type": "PTS", "points": 5},
    "lines": {"include": {"category": ["COFFEE"]}},
}


@pytest.fixture
def crowd(program):
    for number in range(20):
        promotion(f"P{number}", lines={"include": {"category": [f"C{number}"]}})


def counted(statements, call, *, expecting):
    statements.sent.clear()
    answer = call()
    assert answer.status_code == expecting, answer.content
    return len(statements.sent)


def test_a_promotion_is_written_with_its_warnings(house, crowd, statements):
    house.put(URL, COFFEE)

    sent = counted(statements, lambda: house.put(URL, {**COFFEE, "name": "Other"}), expecting=200)

    assert sent <= 45, statements.sent


def test_what_waits_is_approved(house, api_of, crowd, statements):
    other = api_of(None)
    Program.objects.update(four_eyes=True)
    house.put(URL, COFFEE)

    body = {"approval": "APPROVED"}
    sent = counted(statements, lambda: other.patch(URL, body), expecting=200)

    assert sent <= 42, statements.sent


def test_segments_are_mapped(house, crowd, statements):
    SegmentFactory(code="VIP")
    house.put(URL, COFFEE)

    body = {"include": ["VIP"]}
    sent = counted(statements, lambda: house.post(f"{URL}segments/", body), expecting=200)

    assert sent <= 49, statements.sent


def test_a_file_is_taken(house, crowd, statements, tmp_path, settings):
    settings.LAUREL_IMPORT_FOLDER = tmp_path
    (tmp_path / "weekly.csv").write_text("1\n")
    SegmentFactory(code="VIP")
    house.put(URL, COFFEE)

    body = {"file": {"segment": "VIP", "mode": "ADD", "path": "weekly.csv"}}
    sent = counted(statements, lambda: house.post(f"{URL}segments/", body), expecting=202)

    assert sent <= 19, statements.sent
