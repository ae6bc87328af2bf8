"""A member is found by number, card and alias, and a merged one by its survivor."""

import json

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from loyalty.errors import MemberNotFound
from loyalty.models import IdentityProvider
from members.models import Member, Tier
from members.queries import resolve
from tests.factories.members import AliasFactory, CardFactory, MemberFactory


def merge(member, survivor):
    Member.objects.filter(pk=member.pk).update(stage="MERGED", merged_into=survivor)


@pytest.fixture
def ann(program):
    """A member with a card and an e-mail address, and somebody else beside her."""
    member = MemberFactory(first_name="Ann")
    CardFactory(member=member, number="6275000000000017")
    AliasFactory(member=member, value="ann@example.org")
    AliasFactory()
    return member


def ways(member):
    return [
        {"number": member.number},
        {"card": "6275000000000017"},
        {"alias": {"provider": "email", "value": "ann@example.org"}},
    ]


@pytest.mark.parametrize("way", [0, 1, 2])
def test_each_way_leads_to_the_member_and_her_tier_in_two_queries(way, ann):
    resolve(ways(ann)[way])  # A process keeps the providers that it has read.
    with CaptureQueriesContext(connection) as queries:
        found = resolve(ways(ann)[way])
        tier = found.tier.code

    assert (found, tier) == (ann, "BASE")
    assert len(queries) == 2


@pytest.mark.parametrize("way", [0, 1, 2])
def test_a_merged_member_leads_to_the_last_survivor(way, ann):
    first, last = MemberFactory(), MemberFactory()
    merge(ann, first)
    merge(first, last)

    assert resolve(ways(ann)[way]) == last


@pytest.mark.parametrize(
    "reference",
    [
        {"number": "1"},
        {"number": ""},
        {"card": "6275000000000018"},
        {"alias": {"provider": "phone", "value": "ann@example.org"}},
        {"alias": {"provider": "nobody", "value": "ann@example.org"}},
        {"alias": {"provider": "email", "value": "' OR 1=1 --"}},
    ],
)
def test_what_names_nobody_is_refused(reference, ann):
    with pytest.raises(MemberNotFound):
        resolve(reference)


def test_postings_resolve_to_the_same_member(ann):
    """The statement that locks a book resolves by itself; both must agree."""
    last = MemberFactory()
    references = [*ways(ann), {"number": last.number}]
    merge(ann, last)

    for reference in references:
        with connection.cursor() as cursor:
            cursor.execute("SELECT ledger_resolve(%s)", [json.dumps(reference)])
            assert cursor.fetchone()[0] == resolve(reference).pk


def test_an_alias_has_one_member(ann):
    email = IdentityProvider.objects.get(code="email")
    with pytest.raises(IntegrityError, match="members_alias_value"), transaction.atomic():
        AliasFactory(provider=email, value="ann@example.org")


@pytest.mark.parametrize(("stage", "merged"), [("MERGED", False), ("ACTIVE", True)])
def test_a_member_is_merged_into_somebody_or_not_merged(stage, merged, ann):
    other = MemberFactory()
    with pytest.raises(IntegrityError, match="members_member_merged_into"), transaction.atomic():
        Member.objects.filter(pk=ann.pk).update(stage=stage, merged_into=other if merged else None)


def test_there_is_one_base_tier(program):
    with pytest.raises(IntegrityError, match="members_tier_one_base"), transaction.atomic():
        Tier.objects.create(code="ENTRY", name="Entry", rank=9, is_base=True)
