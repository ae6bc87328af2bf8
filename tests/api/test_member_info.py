"""Member Info, and Member Info by Alias ID: all about one member, to each caller what it may see."""

import logging
from datetime import UTC, datetime

import pytest

from loyalty.models import IdentityProvider
from members.models import Card, Consent, Member, RedemptionThreshold, Segment, SegmentMember
from tests.factories.ledger import give
from tests.factories.members import AliasFactory, MemberFactory
from tests.factories.partners import PartnerFactory

AT = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
SECRETS = ("Ann", "Lee", "ann@example.org", "+43", "1990", "Vienna", "6275000000000017")


def consent(member, given, category="partner-sharing", channel="", at=AT):
    return Consent.objects.create(
        member=member,
        category=category,
        channel=channel,
        given=given,
        at=at,
        source="WEB",
        recorded_at=at,
    )


@pytest.fixture
def ann(partner):
    """A member of the grocer's with everything."""
    ann = MemberFactory(
        card="6275000000000017",
        enrolled_by=partner,
        first_name="Ann",
        last_name="Lee",
        birth_date="1990-02-03",
        email="ann@example.org",
        email_confirmed_at=AT,
        phone="+43660123456",
        address={"city": "Vienna"},
        language="en",
        attributes={"household": 3},
        joined_at=AT,
        stage_since=AT,
        tier_since=AT,
    )
    AliasFactory(member=ann, value="ann@example.org")
    give(ann, 300)
    return ann


def silent(category, *, given):
    """Return what is shown of a category of which a member said nothing."""
    return {
        "category": category,
        "channel": None,
        "given": given,
        "at": None,
        "source": None,
        "default": True,
    }


def info(api, member, **query):
    answer = api.get(f"/members/{member.number}/", **query)
    assert answer.status_code == 200, answer.content
    return answer.json()


PROFILE = {
    "first_name": "Ann",
    "last_name": "Lee",
    "birth_date": "1990-02-03",
    "email": "ann@example.org",
    "email_confirmed_at": "2026-11-23T12:00:00Z",
    "phone": "+43660123456",
    "phone_confirmed_at": None,
    "address": {"city": "Vienna"},
    "language": "en",
    "attributes": {"household": 3},
    "enrolled_by": "GROCER",
    "referrer": None,
}
CARD = {
    "number": "6275000000000017",
    "status": "ACTIVE",
    "replaced_by": None,
    "issued_at": "2026-11-23T12:00:00Z",
    "closed_at": None,
}


def test_everything_about_a_member(till, ann):
    consent(ann, False, "marketing", "email")
    consent(ann, True, "marketing", "email", at=AT.replace(hour=13))
    for code, active, until in (("VIP", True, None), ("OLD", False, None), ("GONE", True, AT)):
        segment = Segment.objects.create(code=code, name="Best", active=active, created_at=AT)
        SegmentMember.objects.create(segment=segment, member=ann, since=AT, until=until)
    RedemptionThreshold.objects.create(member=ann, per_transaction="20.00", set_at=AT)

    answer = till.get(f"/members/{ann.number}/")

    assert answer.headers["ETag"] == '"1"'
    assert answer.json() == {
        "number": ann.number,
        "stage": "ACTIVE",
        "stage_since": "2026-11-23T12:00:00Z",
        "name": "Ann Lee",
        "joined_at": "2026-11-23T12:00:00Z",
        "version": 1,
        "tier": {
            "code": "BASE",
            "name": "Base",
            "rank": 0,
            "since": "2026-11-23T12:00:00Z",
            "until": None,
            "given": False,
            "progress": None,
        },
        "balances": [{"type": "PTS", "available": 300, "pending": 0, "locked": 0, "debt": 0}],
        "profile": PROFILE,
        "cards": [CARD],
        "aliases": [{"provider": "email", "value": "ann@example.org", "verified_at": None}],
        "consents": [
            {
                "category": "marketing",
                "channel": "email",
                "given": True,
                "at": "2026-11-23T13:00:00Z",
                "source": "WEB",
                "default": False,
            },
            silent("partner-sharing", given=False),
            silent("service", given=True),
        ],
        "segments": [
            {"code": "VIP", "name": "Best", "since": "2026-11-23T12:00:00Z", "until": None}
        ],
        "merged_from": [],
        "thresholds": {
            "per_transaction": {"amount": "20.00", "currency": "EUR"},
            "per_day": None,
        },
    }


def test_a_stranger_sees_number_initials_stage_tier_and_balances(api_of, ann):
    stranger = api_of(PartnerFactory())

    answer = stranger.get(f"/members/{ann.number}/")

    seen = answer.json()
    assert (seen["name"], seen["stage"], seen["tier"]["code"]) == ("A*** L***", "ACTIVE", "BASE")
    assert seen["balances"][0]["available"] == 300
    hidden = ["profile", "cards", "aliases", "consents", "segments", "merged_from", "thresholds"]
    assert [seen[group] for group in hidden] == [None] * 7
    assert not [each for each in SECRETS if each in answer.content.decode()]


def test_who_agrees_to_be_shared_is_seen_until_she_takes_it_back(api_of, ann):
    stranger = api_of(PartnerFactory())
    consent(ann, True)
    assert info(stranger, ann)["profile"]["email"] == "ann@example.org"

    consent(ann, False, at=AT.replace(hour=13))

    assert info(stranger, ann)["profile"] is None


def test_the_house_and_the_member_see_it_all(house, session_of, ann):
    mine = session_of(ann).get("/members/me/").json()

    assert mine == info(house, ann)
    assert mine["profile"]["first_name"] == "Ann"


def test_a_public_client_sees_nobody(app, ann):
    assert app.get(f"/members/{ann.number}/").status_code == 403


def test_of_a_closed_member_little_is_told(house, ann):
    Member.objects.filter(pk=ann.pk).update(stage="CLOSED")

    seen = info(house, ann)

    assert (seen["stage"], seen["tier"], seen["profile"]) == ("CLOSED", None, None)
    assert seen["cards"] is None
    assert seen["name"] == "A*** L***"


def test_of_a_merged_member_the_survivor_answers(house, ann):
    survivor = MemberFactory()
    Member.objects.filter(pk=ann.pk).update(stage="MERGED", merged_into=survivor)

    seen = info(house, ann)

    assert (seen["number"], seen["merged_from"]) == (survivor.number, [ann.number])


def test_a_replaced_card_names_its_successor(house, ann):
    second = Card.objects.create(number="6275000000000025", member=ann, issued_at=AT)
    Card.objects.filter(number="6275000000000017").update(status="REPLACED", successor=second)

    cards = info(house, ann, include="cards")["cards"]

    assert [(card["status"], card["replaced_by"]) for card in cards] == [
        ("REPLACED", "6275000000000025"),
        ("ACTIVE", None),
    ]


def test_groups_narrow_the_answer(house, ann):
    seen = info(house, ann, include="balances,cards")

    assert set(seen) == {
        "number",
        "stage",
        "stage_since",
        "name",
        "joined_at",
        "version",
        "balances",
        "cards",
    }


@pytest.mark.parametrize("include", ["", "points", "cards,", "cards,,tier", "CARDS"])
def test_an_unknown_group_is_named(include, house, ann):
    answer = house.get(f"/members/{ann.number}/", include=include)

    assert answer.status_code == 400
    assert answer.json()["errors"][0]["pointer"] == "/include"


@pytest.mark.parametrize("value", ["ann@example.org", "Ann@Example.ORG"])
def test_an_alias_leads_to_the_same(value, till, ann):
    assert till.get(f"/members/by-alias/email/{value}/").json() == info(till, ann)


@pytest.mark.parametrize(
    "reference",
    [
        {"card": "6275000000000017"},
        {"alias": {"provider": "email", "value": "ann@example.org"}},
    ],
)
def test_any_reference_finds_the_same(reference, till, ann):
    answer = till.post("/members/find/", {"member": reference})

    assert answer.status_code == 200
    assert answer.json() == info(till, ann)


@pytest.mark.parametrize(
    "path",
    [
        "/members/9999999999/",
        "/members/by-alias/email/bob@example.org/",
        "/members/by-alias/nobody/ann@example.org/",
        "/members/by-alias/phone/ann@example.org/",
    ],
)
def test_who_is_not_there_is_not_found(path, till, ann):
    answer = till.get(path)

    assert (answer.status_code, answer.json()["code"]) == (404, "MEMBER_NOT_FOUND")


def test_a_reference_names_one_way(till, ann):
    answer = till.post("/members/find/", {"member": {"number": ann.number, "card": "1"}})

    assert answer.status_code == 400
    assert answer.json()["errors"][0]["pointer"] == "/member"


@pytest.mark.parametrize("method", ["get", "post"])
@pytest.mark.parametrize("value", ["secret@example.org", "se cret@example.org", "+43660999888777"])
def test_an_alias_stands_in_no_problem_and_no_log(value, method, till, caplog):
    from django.conf import settings
    from structlog.stdlib import ProcessorFormatter

    IdentityProvider.objects.filter(code="email").update(active=True)
    options = dict(settings.LOGGING["formatters"]["lines"])
    formatter = options.pop("()")(**options)
    assert isinstance(formatter, ProcessorFormatter)

    with caplog.at_level(logging.DEBUG):
        answer = getattr(till, method)(f"/members/by-alias/email/{value}/")

    lines = [formatter.format(record) for record in caplog.records]
    assert answer.status_code in (404, 405)
    assert answer.json()["instance"] == "/api/v1/members/by-alias/email/***/"
    assert any("/members/by-alias/email/***" in line for line in lines)
    assert not [
        line for line in [*lines, answer.content.decode()] if "cret@" in line or "999888777" in line
    ]


def test_the_statements_do_not_grow_with_what_a_member_has(till, ann, statements):
    till.get(f"/members/{ann.number}/")
    statements.sent.clear()
    till.get(f"/members/{ann.number}/")
    few = list(statements.sent)
    for number in range(5):
        Card.objects.create(number=f"62750000000001{number}", member=ann, issued_at=AT)
        AliasFactory(member=ann)
        consent(ann, True, f"news-{number}", "email")
        merged = MemberFactory()
        Member.objects.filter(pk=merged.pk).update(stage="MERGED", merged_into=ann)
    statements.sent.clear()

    till.get(f"/members/{ann.number}/")

    assert len(statements.sent) == len(few) == 9, statements.sent
