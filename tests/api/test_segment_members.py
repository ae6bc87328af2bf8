"""Segment Member Mapping: members put into a static segment, and taken out."""

from datetime import timedelta

import pytest

from members.models import Activity, Member, Segment, SegmentMember
from tests.factories.members import AliasFactory, CardFactory, MemberFactory
from tests.factories.segments import SegmentFactory, inside

URL = "/segments/VIP/members/"


@pytest.fixture
def vip(program):
    return SegmentFactory(code="VIP")


def number(member):
    return {"number": member.number}


def outcomes(answer):
    return [(item["action"], item["index"], item["outcome"]) for item in answer.json()["items"]]


def test_members_are_put_in_by_number_card_and_alias(house, vip, member, now):
    carded, known = CardFactory(), AliasFactory(value="ann@example.org")
    body = {
        "add": [
            number(member),
            {"card": carded.number},
            {"alias": {"provider": "email", "value": " Ann@Example.org "}},
        ]
    }

    answer = house.post(URL, body)

    assert answer.status_code == 200, answer.content
    assert inside(vip) == {member.pk, carded.member_id, known.member_id}
    assert answer.json() == {
        "segment": "VIP",
        "added": 3,
        "updated": 0,
        "removed": 0,
        "unchanged": 0,
        "unknown": 0,
        "refused": 0,
        "items": [
            {"action": "add", "index": place, "member": each.number, "outcome": "ADDED"}
            for place, each in enumerate((member, carded.member, known.member))
        ],
    }
    vip.refresh_from_db()
    assert vip.size == 3


def test_in_or_out_already_is_success_and_changes_nothing(house, vip, member):
    other = MemberFactory()
    house.post(URL, {"add": [number(member)]})
    since = SegmentMember.objects.get().since

    answer = house.post(URL, {"add": [number(member)] * 2, "remove": [number(other)]})

    assert outcomes(answer) == [
        ("add", 0, "ALREADY_IN"),
        ("add", 1, "ALREADY_IN"),
        ("remove", 0, "ALREADY_OUT"),
    ]
    assert SegmentMember.objects.get().since == since
    assert Activity.objects.filter(kind__startswith="SEGMENT").count() == 1


def test_members_are_taken_out_and_both_are_history(house, vip, member):
    house.post(URL, {"add": [number(member)]})

    answer = house.post(URL, {"remove": [number(member)]})

    assert outcomes(answer) == [("remove", 0, "REMOVED")]
    assert inside(vip) == set()
    vip.refresh_from_db()
    assert vip.size == 0
    told = Activity.objects.filter(kind__startswith="SEGMENT").order_by("pk")
    assert [(each.kind, each.data) for each in told] == [
        ("SEGMENT_ENTERED", {"segment": "VIP"}),
        ("SEGMENT_LEFT", {"segment": "VIP"}),
    ]


def test_unknown_and_closed_members_are_told_and_the_others_put_in(house, vip, member):
    closed = MemberFactory(stage="CLOSED")

    answer = house.post(URL, {"add": [{"number": "1"}, number(closed), number(member)]})

    assert outcomes(answer) == [
        ("add", 0, "UNKNOWN_MEMBER"),
        ("add", 1, "STAGE_FORBIDS"),
        ("add", 2, "ADDED"),
    ]
    assert inside(vip) == {member.pk}
    assert (answer.json()["unknown"], answer.json()["refused"]) == (1, 1)


def test_a_merged_member_is_its_survivor(house, vip, member):
    gone = MemberFactory(stage="MERGED", merged_into=member)

    answer = house.post(URL, {"add": [number(gone), number(member)]})

    assert [item["member"] for item in answer.json()["items"]] == [member.number] * 2
    assert outcomes(answer) == [("add", 0, "ADDED"), ("add", 1, "ALREADY_IN")]


def test_an_end_is_set_and_lifted(house, vip, member, now):
    until = now + timedelta(days=7)

    first = house.post(URL, {"add": [number(member)], "until": until.isoformat()})
    again = house.post(URL, {"add": [number(member)], "until": until.isoformat()})
    lifted = house.post(URL, {"add": [number(member)]})

    assert [outcomes(each)[0][2] for each in (first, again, lifted)] == [
        "ADDED",
        "ALREADY_IN",
        "UPDATED",
    ]
    assert SegmentMember.objects.get().until is None


def test_who_was_in_until_yesterday_comes_in_anew(house, vip, member, now):
    yesterday = now - timedelta(days=1)
    SegmentMember.objects.create(
        segment=vip, member=member, since=yesterday - timedelta(days=9), until=yesterday
    )

    out = house.post(URL, {"remove": [number(member)]})
    SegmentMember.objects.create(
        segment=vip, member=member, since=yesterday - timedelta(days=9), until=yesterday
    )
    back = house.post(URL, {"add": [number(member)]})

    assert outcomes(out) == [("remove", 0, "ALREADY_OUT")]
    assert outcomes(back) == [("add", 0, "ADDED")]
    assert SegmentMember.objects.get().since > yesterday


def test_a_dynamic_segment_refuses(house, member, program):
    segment = SegmentFactory(code="VIP", condition="member.age > 17")

    answer = house.post(URL, {"add": [number(member)]})

    assert (answer.status_code, answer.json()["code"]) == (422, "SEGMENT_IS_DYNAMIC")
    assert inside(segment) == set()


@pytest.mark.parametrize(
    ("_case", "body", "pointer", "code"),
    [
        ("nobody", {}, "/add", "TOO_FEW"),
        ("two ways", {"add": [{"number": "1", "card": "2"}]}, "/add/0", "EXACTLY_ONE"),
        ("a list of text", {"add": ["1"]}, "/add/0", "WRONG_TYPE"),
        ("past", {"add": [{"number": "1"}], "until": "2020-01-01T00:00:00Z"}, "/until", "IN_PAST"),
        (
            "an end for nobody",
            {"remove": [{"number": "1"}], "until": "2090-01-01T00:00:00Z"},
            "/until",
            "NOT_HERE",
        ),
        ("too many", {"add": [{"number": "1"}] * 1001}, "/add", "TOO_MANY"),
        (
            "too many in all",
            {"add": [{"number": "1"}] * 600, "remove": [{"number": "1"}] * 401},
            "/remove",
            "TOO_MANY",
        ),
    ],
)
def test_what_is_wrong_is_named_and_changes_nothing(_case, body, pointer, code, house, vip):
    answer = house.post(URL, body)

    assert answer.status_code == 400
    [error] = answer.json()["errors"]
    assert (error["pointer"], error["code"]) == (pointer, code)


def test_one_member_cannot_be_both_put_in_and_taken_out(house, vip, member):
    CardFactory(member=member, number="6275000000000025")
    body = {"add": [number(member)], "remove": [{"card": "6275000000000025"}]}

    answer = house.post(URL, body)

    assert answer.json()["errors"][0]["pointer"] == "/remove/0"
    assert inside(vip) == set()


def test_the_same_key_is_answered_again_and_does_nothing_more(house, vip, member):
    body = {"add": [number(member)]}
    first = house.post(URL, body, **{"Idempotency-Key": "a"})
    house.post(URL, {"remove": [number(member)]})

    again = house.post(URL, body, **{"Idempotency-Key": "a"})

    assert again.json() == first.json()
    assert again["Idempotent-Replayed"] == "true"
    assert inside(vip) == set()


def test_an_unknown_segment_is_not_found(house, program):
    answer = house.post("/segments/NONE/members/", {"add": [{"number": "1"}]})

    assert (answer.status_code, answer.json()["code"]) == (404, "SEGMENT_NOT_FOUND")


def test_a_thousand_cost_as_many_statements_as_one(house, vip, statements):
    members = Member.objects.bulk_create(
        MemberFactory.build(
            number=str(2_000_000_000 + n),
            tier=MemberFactory().tier if n == 0 else Member.objects.first().tier,
            enrolled_by_id=Member.objects.first().enrolled_by_id,
        )
        for n in range(100)
    )
    house.post(URL, {"add": [number(members[0])]})
    sent = []
    for some in (members[1:2], members[2:]):
        statements.sent.clear()
        assert house.post(URL, {"add": [number(each) for each in some]}).status_code == 200
        sent.append(len(statements.sent))

    assert sent == [6, 6], statements.sent
    assert Segment.objects.get().size == 100
