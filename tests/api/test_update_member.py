"""Updating a member: what is given changes, all else stays, and nobody overwrites another."""

import pytest

from loyalty.models import OutboxEvent, Program
from members.models import Activity, Consent, DuplicateFlag, Member
from tests.factories.members import MemberFactory
from tests.factories.partners import PartnerFactory


@pytest.fixture
def ann(partner, now):
    return MemberFactory(
        enrolled_by=partner,
        first_name="Ann",
        last_name="Lee",
        birth_date="1990-02-03",
        email="ann@example.org",
        email_confirmed_at=now,
        phone="+436601234567",
        phone_confirmed_at=now,
        address={"city": "Vienna"},
        language="en",
    )


def update(api, member, profile=None, *, number=None, headers=None, **more):
    body = {**({} if profile is None else {"profile": profile}), **more}
    return api.patch(f"/members/{number or member.number}/", body, **(headers or {}))


def as_stored(member):
    row = Member.objects.filter(pk=member.pk).values().get()
    return row, Consent.objects.count(), Activity.objects.count(), OutboxEvent.objects.count()


@pytest.fixture
def nothing_changes(ann):
    before = as_stored(ann)
    yield
    assert as_stored(ann) == before


def test_what_is_given_changes_and_all_else_stays(till, ann, partner):
    answer = update(till, ann, {"last_name": " Ray ", "phone": "0660 7654321"})

    assert answer.status_code == 200
    assert answer.headers["ETag"] == '"2"'
    assert answer.json() == {
        "number": ann.number,
        "card": None,
        "stage": "ACTIVE",
        "tier": "BASE",
        "created": False,
        "version": 2,
        "points": [],
        "to_confirm": [],
    }
    before = Member.objects.get(pk=ann.pk)
    assert (before.first_name, before.last_name, before.phone) == ("Ann", "Ray", "+436607654321")
    assert (before.email, before.address, before.language) == (
        "ann@example.org",
        {"city": "Vienna"},
        "en",
    )


def test_history_and_event_name_the_fields_and_no_value(till, ann, partner):
    update(till, ann, {"phone": "0660 7654321", "last_name": "Ray"})

    line, event = Activity.objects.get(), OutboxEvent.objects.get()
    assert (line.kind, line.partner, line.data) == (
        "PROFILE_CHANGED",
        partner,
        {"fields": ["last_name", "phone"]},
    )
    assert (event.type, event.member_id, event.payload) == (
        "member.updated",
        ann.pk,
        {"fields": ["last_name", "phone"]},
    )


def test_a_contact_that_changes_is_no_longer_confirmed(till, ann):
    update(till, ann, {"phone": "0660 7654321"})

    ann.refresh_from_db()
    assert ann.phone_confirmed_at is None
    assert ann.email_confirmed_at is not None


def test_where_contacts_are_confirmed_it_says_so(till, ann):
    Program.objects.update(confirm_contact=True)

    answer = update(till, ann, {"phone": "0660 7654321"})

    assert answer.json()["to_confirm"] == ["phone"]


def test_null_clears_a_field(till, ann):
    update(till, ann, {"birth_date": None, "address": None, "phone": None, "last_name": None})

    ann.refresh_from_db()
    assert (ann.birth_date, ann.address, ann.phone, ann.last_name) == (None, {}, "", "")
    assert (ann.first_name, ann.phone_confirmed_at) == ("Ann", None)


@pytest.mark.parametrize(
    "profile",
    [None, {}, {"last_name": "Lee"}, {"email": "ANN@example.org"}, {"phone": "0660 1234567"}],
)
def test_the_same_again_changes_nothing(profile, till, ann, nothing_changes):
    answer = update(till, ann, profile)

    assert (answer.status_code, answer.json()["version"]) == (200, 1)
    assert answer.headers["ETag"] == '"1"'


def test_the_version_that_was_read_is_what_changes(till, ann):
    tag = till.get(f"/members/{ann.number}/").headers["ETag"]

    first = update(till, ann, {"last_name": "Ray"}, headers={"If-Match": tag})
    second = update(till, ann, {"last_name": "May"}, headers={"If-Match": tag})

    assert (first.status_code, second.status_code) == (200, 412)
    assert (second.json()["code"], second.json()["version"]) == ("VERSION_CONFLICT", 2)
    ann.refresh_from_db()
    assert ann.last_name == "Ray"


def test_an_etag_that_is_none_is_named(till, ann, nothing_changes):
    answer = update(till, ann, {"last_name": "Ray"}, headers={"If-Match": "seven"})

    assert answer.status_code == 400
    assert answer.json()["errors"][0]["pointer"] == "/headers/If-Match"


@pytest.mark.parametrize(
    ("profile", "pointer"),
    [
        ({"email": "ann"}, "/profile/email"),
        ({"language": "tlh"}, "/profile/language"),
        ({"birth_date": "2999-01-01"}, "/profile/birth_date"),
        ({"stage": "ACTIVE"}, "/profile/stage"),
        ({"attributes": {"shoes": 44}}, "/profile/attributes/shoes"),
        ({"attributes": []}, "/profile/attributes"),
    ],
)
def test_what_is_wrong_is_named(profile, pointer, till, ann, nothing_changes):
    answer = update(till, ann, {"last_name": "Ray", **profile})

    assert answer.status_code == 400
    assert answer.json()["errors"][0]["pointer"] == pointer


@pytest.mark.parametrize(
    "more", [{"card": "1"}, {"referrer": "1"}, {"password": "x"}, {"pin": "1"}]
)
def test_only_profile_and_consents_are_changed_here(more, till, ann, nothing_changes):
    answer = update(till, ann, **more)

    assert answer.json()["errors"][0]["code"] == "UNKNOWN_FIELD"


class TestAttributes:
    """Those the programme defined, merged one by one."""

    @pytest.fixture(autouse=True)
    def schema(self, program):
        Program.objects.update(
            member_schema={
                "household": {"type": "INTEGER", "minimum": 1, "maximum": 20},
                "diet": {"type": "CHOICE", "choices": ["ANY", "VEGAN"], "default": "ANY"},
                "store": {"type": "TEXT", "required": True},
            }
        )

    def test_each_is_put_in_and_the_others_stay(self, till, ann):
        update(till, ann, {"attributes": {"store": "S1", "household": 3}})
        update(till, ann, {"attributes": {"household": None, "diet": "VEGAN"}})

        ann.refresh_from_db()
        assert ann.attributes == {"store": "S1", "diet": "VEGAN"}

    def test_a_required_one_is_asked_of_who_enrols(self, till):
        missing = till.post("/members/", {})
        there = till.post("/members/", {"profile": {"attributes": {"store": "S1"}}})

        assert missing.json()["errors"] == [
            {
                "pointer": "/profile/attributes/store",
                "code": "MISSING_FIELD",
                "message": "The attribute is required.",
            }
        ]
        assert Member.objects.get().attributes == {"store": "S1", "diet": "ANY"}
        assert there.status_code == 201

    @pytest.mark.parametrize(
        "attributes", [{"store": None}, {"household": 21}, {"household": "3"}, {"diet": "MEAT"}]
    )
    def test_the_schema_rules(self, attributes, till, ann):
        update(till, ann, {"attributes": {"store": "S1"}})

        answer = update(till, ann, {"attributes": attributes})

        assert answer.status_code == 400
        ann.refresh_from_db()
        assert ann.attributes == {"store": "S1", "diet": "ANY"}


class TestConsents:
    """The last word counts, and every word is kept."""

    def say(self, api, member, given, **more):
        consent = {"category": "marketing", "channel": "email", "given": given, **more}
        return update(api, member, consents=[consent])

    def test_each_word_is_kept(self, till, ann):
        for given in (True, True, False):
            self.say(till, ann, given)

        assert list(Consent.objects.order_by("pk").values_list("given", flat=True)) == [True, False]
        assert [line.kind for line in Activity.objects.order_by("pk")] == [
            "CONSENT_GIVEN",
            "CONSENT_WITHDRAWN",
        ]
        assert Activity.objects.first().data == {"category": "marketing", "channel": "email"}
        ann.refresh_from_db()
        assert ann.version == 3

    def test_an_older_word_does_not_overrule(self, till, ann):
        self.say(till, ann, True)
        self.say(till, ann, False, at="2020-01-01T00:00:00Z")

        consents = till.get(f"/members/{ann.number}/", include="consents").json()["consents"]
        said = [each for each in consents if each["category"] == "marketing"]
        assert [each["given"] for each in said] == [True]
        assert Consent.objects.count() == 2


class TestDuplicates:
    """A contact of another member."""

    @pytest.fixture
    def bob(self):
        return MemberFactory(email="bob@example.org")

    @pytest.mark.parametrize("policy", ["REFUSE", "RETURN"])
    def test_it_is_refused(self, policy, till, ann, bob, nothing_changes):
        Program.objects.update(duplicate_policy=policy)

        answer = update(till, ann, {"email": "Bob@example.org"})

        assert (answer.status_code, answer.json()["code"]) == (409, "DUPLICATE_MEMBER")
        assert answer.json()["matched"] == ["email"]

    def test_or_flagged(self, till, ann, bob):
        Program.objects.update(duplicate_policy="FLAG")

        assert update(till, ann, {"email": "bob@example.org"}).status_code == 200

        flag = DuplicateFlag.objects.get()
        assert {flag.earlier_id, flag.later_id} == {ann.pk, bob.pk}


class TestWhoMay:
    """The house, who enrolled the member, and the member."""

    def test_the_house(self, house, ann):
        assert update(house, ann, {"last_name": "Ray"}).status_code == 200

    def test_the_member(self, session_of, ann):
        answer = update(session_of(ann), ann, {"last_name": "Ray"}, number="me")

        line = Activity.objects.get()
        assert answer.status_code == 200
        assert (line.actor_kind, line.actor) == ("MEMBER", ann.number)

    def test_no_other_partner_even_where_it_may_read(self, api_of, ann, now):
        stranger = api_of(PartnerFactory())
        Consent.objects.create(
            member=ann, category="partner-sharing", given=True, at=now, recorded_at=now
        )
        assert stranger.get(f"/members/{ann.number}/").json()["profile"]["last_name"] == "Lee"

        answer = update(stranger, ann, {"last_name": "Ray"})

        assert (answer.status_code, answer.json()["code"]) == (404, "MEMBER_NOT_FOUND")
        ann.refresh_from_db()
        assert ann.last_name == "Lee"

    def test_no_public_client(self, app, ann):
        assert update(app, ann, {"last_name": "Ray"}).status_code == 403

    def test_nobody_changes_who_left(self, house, ann):
        Member.objects.filter(pk=ann.pk).update(stage="CLOSED")

        answer = update(house, ann, {"last_name": "Ray"})

        assert (answer.status_code, answer.json()["code"]) == (422, "STAGE_FORBIDS")

    def test_of_a_merged_member_the_survivor_changes(self, house, ann):
        survivor = MemberFactory()
        Member.objects.filter(pk=ann.pk).update(stage="MERGED", merged_into=survivor)

        answer = update(house, ann, {"last_name": "Ray"})

        assert answer.json()["number"] == survivor.number
        survivor.refresh_from_db()
        assert survivor.last_name == "Ray"


def test_an_update_costs_little(till, ann, statements):
    update(till, ann, {"last_name": "May"})
    statements.sent.clear()

    update(till, ann, {"last_name": "Ray", "email": "ray@example.org"})

    assert len(statements.sent) == 10, statements.sent
