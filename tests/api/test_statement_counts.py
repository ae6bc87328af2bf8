"""How many statements each endpoint sends, counted at the driver, BEGIN and COMMIT aside."""

from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone

from promotions.services.celebrations import celebrate_chunk, is_celebrated
from tests.factories.ledger import give
from tests.factories.members import MemberFactory
from tests.factories.promotions import promotion

pytestmark = pytest.mark.usefixtures("member")


def test_an_earn_sends_two(till, purchase, statements):
    for number in range(20):
        promotion(f"P{number}")
    till.post("/transactions/earn/", purchase())
    statements.sent.clear()

    assert till.post("/transactions/earn/", purchase()).status_code == 201

    assert len(statements.sent) == 2, statements.sent


@pytest.mark.parametrize(
    ("content", "sent"),
    [
        ({"limits": [{"per": "MEMBER", "period": "DAY", "measure": "USES", "at_most": 9}]}, 2),
        ({"condition": "member.tier != '' && lines.exists(l, l.amount > 1.0)"}, 2),
        ({"condition": "member.joined_days >= 0"}, 2),
        ({"budget": {"measure": "POINTS", "at_most": 10_000}}, 3),
        ({"budget": {"measure": "POINTS", "at_most": 110}}, 3),
        ({"budget": {"measure": "POINTS", "at_most": 10_000}, "audience": {"channels": ["WEB"]}}, 2),
    ],
)  # fmt: skip
def test_an_earn_sends_two_statements_and_one_more_for_a_budget(
    till, purchase, statements, content, sent
):
    promotion(award={"kind": "FIXED", "type": "PTS", "points": 100}, **content)
    till.post("/transactions/earn/", purchase())
    statements.sent.clear()

    assert till.post("/transactions/earn/", purchase()).status_code == 201

    assert len(statements.sent) == sent, statements.sent


def test_a_redemption_sends_two(till, member, now, statements):
    for _ in range(5):
        give(member, 100)
    body = {
        "member": {"card": "6275000000000017"},
        "occurred_at": now.isoformat(),
        "outlet": "S1",
        "type": "PTS",
        "points": 30,
    }
    till.post("/transactions/redeem/", {**body, "reference": "X1"})
    statements.sent.clear()

    assert till.post("/transactions/redeem/", {**body, "reference": "X2"}).status_code == 201

    assert len(statements.sent) == 2, statements.sent


@pytest.mark.parametrize(
    ("path", "most"),
    [("points/", 2), ("points/expiry/", 2), ("transactions/", 5)],
)
def test_a_read_sends_few_however_long_the_history(path, most, till, member, purchase, statements):
    promotion()
    for _ in range(8):
        till.post("/transactions/earn/", purchase())
    url = f"/members/{member.number}/{path}"
    till.get(url)
    statements.sent.clear()

    assert till.get(url).status_code == 200

    assert len(statements.sent) <= most, statements.sent


def test_an_evaluation_sends_two(till, purchase, statements):
    promotion()
    till.post("/transactions/evaluate/", purchase())
    statements.sent.clear()

    assert till.post("/transactions/evaluate/", purchase()).status_code == 200

    assert len(statements.sent) == 2, statements.sent


@pytest.mark.parametrize("members", [3, 40])
def test_a_chunk_of_birthdays_sends_eight_however_many_celebrate(members, statements):
    gift = {"kind": "FIXED", "type": "PTS", "points": 100}
    promotion("CAKE", trigger="BIRTHDAY", award=gift, condition="member.age > 1")
    at = timezone.now()
    day = at.astimezone(ZoneInfo("Europe/Vienna")).date()
    for _ in range(members):
        MemberFactory(birth_date=day.replace(year=1988), joined_at=at - timedelta(days=400))
    assert is_celebrated("BIRTHDAY", [day])  # The promotions are in memory, as in a night.
    statements.sent.clear()

    assert celebrate_chunk("BIRTHDAY", [day], after=0, at=at).rewarded == members

    assert len(statements.sent) == 8, statements.sent
