"""A member is found by an alias however it is written."""

import pytest

from loyalty.models import IdentityProvider, Program
from members.models import Alias
from tests.factories.ledger import give


@pytest.fixture
def known(member):
    Program.objects.update(phone_region="AT")
    for code, value in (
        ("email", "ann@example.org"),
        ("phone", "+436641234567"),
        ("app", "Ab-1"),
    ):
        provider = IdentityProvider.objects.get(code=code)
        Alias.objects.create(member=member, provider=provider, value=value)
    give(member, 50)
    return member


@pytest.mark.parametrize(
    ("provider", "value"),
    [
        ("email", "ann@example.org"),
        ("email", "  ANN@Example.ORG "),
        ("phone", "+43 664 123 45 67"),
        ("phone", "0664/1234567"),
        ("phone", "0043 664 1234567"),
        ("app", "Ab-1"),
    ],
)
def test_every_way_of_writing_finds_the_member(provider, value, known, till, purchase, now):
    alias = {"alias": {"provider": provider, "value": value}}
    IdentityProvider.objects.update(active=False)  # Known aliases still name their member.

    earned = till.post("/transactions/earn/", purchase(member=alias))
    batch = till.post(
        "/transactions/batch/", {"items": [{"operation": "earn", "body": purchase(member=alias)}]}
    )
    evaluated = till.post("/transactions/evaluate/", purchase(member=alias, reference=None))

    assert earned.status_code == 201
    assert earned.json()["member"] == known.number
    assert batch.json()["items"][0]["body"]["member"] == known.number
    assert evaluated.status_code == 200


@pytest.mark.parametrize(
    ("provider", "value"),
    [
        ("app", "ab-1"),
        ("phone", "call me"),
        ("email", "ann"),
        ("nobody", "ann@example.org"),
        ("email", "+436641234567"),
    ],
)
def test_what_is_written_otherwise_finds_nobody(provider, value, known, till, purchase):
    answer = till.post(
        "/transactions/earn/", purchase(member={"alias": {"provider": provider, "value": value}})
    )

    assert answer.status_code == 404
    assert answer.json()["code"] == "MEMBER_NOT_FOUND"
