"""Enrollment: one member of a person, with everything that comes along, or nothing at all."""

import json
from datetime import UTC, date, datetime, timedelta

import pytest

from ledger.models import Transaction
from loyalty.models import Attempt, OutboxEvent, Program
from members.models import (
    Activity,
    Card,
    Consent,
    Credential,
    DuplicateFlag,
    Enrolment,
    Member,
)
from tests.factories.ledger import balance
from tests.factories.members import AliasFactory, CardRangeFactory, MemberFactory
from tests.factories.partners import PartnerFactory
from tests.factories.promotions import promotion

PERSON = {
    "first_name": " Ann ",
    "last_name": "Lee",
    "birth_date": "1990-02-03",
    "email": "Ann@Example.ORG",
    "phone": "0660 1234567",
    "address": {"lines": ["Ring 1", "Top 2"], "postal_code": "1010", "country": "AT"},
    "language": "en",
}


def settings(**changes):
    Program.objects.update(**changes)


def enroll(api, profile=None, **more):
    headers = more.pop("headers", {})
    body = {"profile": PERSON if profile is None else profile, **more}
    return api.post("/members/", body, **headers)


def made(answer):
    assert answer.status_code == 201, answer.content
    return Member.objects.get(number=answer.json()["number"])


def refused(answer, status, code):
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.content
    return answer.json()


def wrong(answer):
    problem = refused(answer, 400, "VALIDATION_FAILED")
    return [(each["pointer"], each["code"]) for each in problem["errors"]]


@pytest.fixture
def nothing_written(program):
    """Assert after the test that it made no member, and nothing that hangs on one."""
    tables = (Member, Card, Consent, Credential, Activity, Enrolment, OutboxEvent, DuplicateFlag)
    before = [table.objects.count() for table in tables]
    yield
    assert [table.objects.count() for table in tables] == before


def test_a_member_is_made_with_the_profile_in_one_form(till, partner):
    answer = enroll(till)

    member = made(answer)
    assert answer.headers["ETag"] == '"1"'
    assert answer.json() == {
        "number": member.number,
        "card": None,
        "stage": "ACTIVE",
        "tier": "BASE",
        "created": True,
        "version": 1,
        "points": [],
        "to_confirm": [],
    }
    assert (member.first_name, member.last_name) == ("Ann", "Lee")
    assert member.birth_date == date(1990, 2, 3)
    assert (member.email, member.phone) == ("ann@example.org", "+436601234567")
    assert member.address == {"lines": ["Ring 1", "Top 2"], "postal_code": "1010", "country": "AT"}
    assert (member.language, member.enrolled_by, member.referrer) == ("en", partner, None)


def test_a_profile_may_be_empty(till):
    member = made(till.post("/members/", {}))

    assert (member.first_name, member.email, member.address) == ("", "", {})


def test_history_and_event_tell_of_it_without_contacts(till, partner):
    member = made(enroll(till))

    line = Activity.objects.get(member=member)
    event = OutboxEvent.objects.get(type="member.enrolled")
    assert (line.kind, line.actor_kind, line.partner, line.data) == (
        "ENROLLED",
        "CLIENT",
        partner,
        {"stage": "ACTIVE"},
    )
    assert (event.member_id, event.partner_id, event.payload) == (member.pk, partner.pk, None)


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        ("first_name", "A" * 201, "TOO_LONG"),
        ("first_name", "A\nB", "NOT_IN_FORM"),
        ("birth_date", "03.02.1990", "NOT_A_DATE"),
        ("birth_date", "1899-12-31", "OUT_OF_RANGE"),
        ("birth_date", "2999-01-01", "OUT_OF_RANGE"),
        ("email", "ann", "NOT_IN_FORM"),
        ("email", "ann@example", "NOT_IN_FORM"),
        ("email", "", "NOT_IN_FORM"),
        ("phone", "12", "NOT_IN_FORM"),
        ("phone", "CALL-ANN", "NOT_IN_FORM"),
        ("language", "tlh", "NOT_A_CHOICE"),
        ("language", "", "NOT_A_CHOICE"),
        ("stage", "ACTIVE", "UNKNOWN_FIELD"),
    ],
)
def test_what_is_wrong_with_a_profile_is_named(field, value, code, till, nothing_written):
    answer = enroll(till, {**PERSON, field: value})

    assert wrong(answer) == [(f"/profile/{field}", code)]


@pytest.mark.parametrize(
    ("address", "pointer", "code"),
    [
        ({"country": "ZZ"}, "/profile/address/country", "NOT_A_CHOICE"),
        ({"country": "at"}, "/profile/address/country", "NOT_IN_FORM"),
        ({"lines": ["x"] * 5}, "/profile/address/lines", "TOO_MANY"),
        ({"street": "Ring"}, "/profile/address/street", "UNKNOWN_FIELD"),
        ("Ring 1", "/profile/address", "WRONG_TYPE"),
    ],
)
def test_an_address_is_bounded(address, pointer, code, till, nothing_written):
    answer = enroll(till, {**PERSON, "address": address})

    assert wrong(answer)[0][0] == pointer


def test_everything_wrong_is_named_at_once(till, nothing_written):
    answer = enroll(till, {"email": "ann", "phone": "1", "language": "tlh"})

    assert wrong(answer) == [
        ("/profile/email", "NOT_IN_FORM"),
        ("/profile/phone", "NOT_IN_FORM"),
        ("/profile/language", "NOT_A_CHOICE"),
    ]


def years_ago(years, days=0):
    today = datetime.now(UTC).date()
    return (
        today.replace(year=today.year - years, day=min(today.day, 28)) + timedelta(days)
    ).isoformat()


def test_a_minimum_age_is_kept(till, nothing_written):
    settings(minimum_age=16)

    young = enroll(till, {"birth_date": years_ago(16, days=3)})
    unknown = enroll(till, {"email": "ann@example.org"})

    assert wrong(young) == [("/profile/birth_date", "TOO_YOUNG")]
    assert wrong(unknown) == [("/profile/birth_date", "MISSING_FIELD")]


def test_who_is_old_enough_enrols(till):
    settings(minimum_age=16)

    assert enroll(till, {"birth_date": years_ago(16)}).status_code == 201


def test_where_contacts_are_confirmed_a_member_waits(till):
    settings(confirm_contact=True)

    answer = enroll(till)

    assert made(answer).stage == "PENDING"
    assert answer.json()["to_confirm"] == ["email", "phone"]


def test_where_contacts_are_confirmed_there_must_be_one(till, nothing_written):
    settings(confirm_contact=True)

    assert wrong(enroll(till, {"last_name": "Lee"})) == [("/profile/email", "MISSING_FIELD")]


class TestDuplicates:
    """One person, one member: refused, returned or flagged, as the programme has it."""

    @pytest.fixture
    def ann(self, till):
        return made(enroll(till))

    @pytest.mark.parametrize("profile", [{"email": "ANN@example.org"}, {"phone": "+436601234567"}])
    def test_a_contact_of_a_member_is_refused(self, profile, till, ann):
        problem = refused(enroll(till, profile), 409, "DUPLICATE_MEMBER")

        assert problem["matched"] == list(profile)
        assert problem["member"] == ann.number
        assert Member.objects.count() == 1

    def test_the_number_is_for_those_who_may_see_the_member(self, api_of, ann):
        problem = refused(enroll(api_of(PartnerFactory())), 409, "DUPLICATE_MEMBER")

        assert problem["matched"] == ["email", "phone"]
        assert "member" not in problem
        assert ann.number not in json.dumps(problem)

    @pytest.mark.parametrize("policy", ["REFUSE", "RETURN"])
    def test_a_public_client_is_told_nothing_of_the_member(self, policy, app, ann):
        settings(duplicate_policy=policy)

        problem = refused(enroll(app), 409, "DUPLICATE_MEMBER")

        assert set(problem) == {
            "type",
            "title",
            "status",
            "detail",
            "instance",
            "code",
            "request_id",
        }
        assert Member.objects.count() == 1

    def test_the_one_who_is_there_may_be_returned(self, till, ann):
        settings(duplicate_policy="RETURN")

        answer = enroll(till, {**PERSON, "first_name": "Bob"}, issue_card=True)

        assert (answer.status_code, answer.json()["number"]) == (200, ann.number)
        assert answer.json()["created"] is False
        ann.refresh_from_db()
        assert (ann.first_name, Member.objects.count(), Card.objects.count()) == ("Ann", 1, 0)

    def test_one_who_is_not_seen_is_not_returned(self, api_of, ann):
        settings(duplicate_policy="RETURN")

        refused(enroll(api_of(PartnerFactory())), 409, "DUPLICATE_MEMBER")

    def test_two_who_match_are_not_returned(self, till, ann):
        settings(duplicate_policy="RETURN")
        bob = made(enroll(till, {"email": "bob@example.org"}))

        answer = enroll(till, {"email": bob.email, "phone": PERSON["phone"]})

        assert "member" not in refused(answer, 409, "DUPLICATE_MEMBER")

    def test_both_may_be_flagged_for_a_merge(self, app, ann):
        settings(duplicate_policy="FLAG")

        member = made(enroll(app, {"email": PERSON["email"]}))

        flag = DuplicateFlag.objects.get()
        assert (flag.earlier, flag.later, flag.matched, flag.status) == (
            ann,
            member,
            "email",
            "OPEN",
        )

    @pytest.mark.parametrize("stage", ["CLOSED", "MERGED"])
    def test_who_left_may_come_again(self, stage, till, ann):
        survivor = MemberFactory() if stage == "MERGED" else None
        Member.objects.filter(pk=ann.pk).update(stage=stage, merged_into=survivor)

        assert made(enroll(till)).pk != ann.pk


class TestReferrer:
    """Who sent a friend."""

    def test_both_histories_know(self, till):
        referrer = MemberFactory()

        member = made(enroll(till, referrer=referrer.number))

        assert member.referrer == referrer
        assert [
            (line.member_id, line.kind, line.data)
            for line in Activity.objects.exclude(kind="ENROLLED").order_by("pk")
        ] == [
            (member.pk, "REFERRED", {"referrer": referrer.number}),
            (referrer.pk, "REFERRED_SOMEBODY", {}),
        ]

    def test_any_reference_names_one(self, till):
        referrer = MemberFactory(card="6275000000000017")

        member = made(enroll(till, referrer={"card": "6275000000000017"}))

        assert member.referrer == referrer

    @pytest.mark.parametrize("referrer", ["1000000016", {"card": "1"}])
    def test_nobody_refers_nobody(self, referrer, till, nothing_written):
        assert wrong(enroll(till, referrer=referrer)) == [("/referrer", "UNKNOWN")]

    def test_who_left_refers_nobody(self, till):
        gone = MemberFactory(stage="CLOSED")

        assert wrong(enroll(till, referrer=gone.number)) == [("/referrer", "UNKNOWN")]

    def test_nobody_refers_themselves(self, till):
        settings(duplicate_policy="FLAG")
        ann = made(enroll(till))

        assert wrong(enroll(till, referrer=ann.number)) == [("/referrer", "ONESELF")]
        assert Member.objects.count() == 1


class TestWhatComesAlong:
    """Card, aliases, consents and credential."""

    def test_a_printed_card(self, till):
        source = CardRangeFactory(first="627500000000001", last="627500000000001")

        answer = enroll(till, card="6275000000000013")

        assert answer.json()["card"] == "6275000000000013"
        card = Card.objects.get()
        assert (card.member, card.range, card.status) == (made(answer), source, "ACTIVE")

    def test_the_next_card_of_a_range(self, till):
        answer = enroll(till, issue_card=True)

        assert Card.objects.get().number == answer.json()["card"]
        assert Card.objects.get().member == made(answer)

    @pytest.mark.parametrize(
        ("number", "status", "code"),
        [("6275000000000013", 409, "CARD_TAKEN"), ("6275000000000021", 404, "CARD_NOT_FOUND")],
    )
    def test_a_card_that_is_taken_or_not_there_makes_no_member(self, number, status, code, till):
        CardRangeFactory(first="627500000000001", last="627500000000001")
        enroll(till, card="6275000000000013")

        refused(enroll(till, {"last_name": "Ray"}, card=number), status, code)

        assert (Member.objects.count(), Card.objects.count()) == (1, 1)

    def test_consents_with_time_source_and_proof(self, till, now):
        said = {"category": "marketing", "channel": "email", "given": True, "source": "WEB"}
        earlier = (now - timedelta(days=1)).isoformat()

        member = made(
            enroll(
                till,
                consents=[
                    {**said, "at": earlier, "proof": "form 7"},
                    {"category": "partner-sharing", "given": False},
                ],
            )
        )

        rows = Consent.objects.filter(member=member).order_by("category")
        assert [(row.category, row.channel, row.given, row.source, row.proof) for row in rows] == [
            ("marketing", "email", True, "WEB", "form 7"),
            ("partner-sharing", "", False, "", ""),
        ]
        assert rows[0].at == now - timedelta(days=1)
        assert [line.kind for line in Activity.objects.order_by("pk")] == [
            "ENROLLED",
            "CONSENT_GIVEN",
            "CONSENT_WITHDRAWN",
        ]

    @pytest.mark.parametrize(
        ("consent", "error"),
        [
            ({"category": "nope", "given": True}, ("/consents/0/category", "NOT_A_CHOICE")),
            (
                {"category": "marketing", "channel": "pigeon", "given": True},
                ("/consents/0/channel", "NOT_A_CHOICE"),
            ),
            (
                {"category": "marketing", "given": True, "at": "2099-01-01T00:00:00Z"},
                ("/consents/0/at", "IN_FUTURE"),
            ),
            (
                {"category": "marketing", "given": True, "at": "1999-01-01T00:00:00Z"},
                ("/consents/0/at", "OUT_OF_RANGE"),
            ),
            ({"category": "marketing"}, ("/consents/0/given", "MISSING_FIELD")),
            ({"category": "NEWS", "given": True}, ("/consents/0/category", "NOT_IN_FORM")),
        ],
    )
    def test_a_consent_that_makes_no_sense_is_named(self, consent, error, till, nothing_written):
        assert wrong(enroll(till, consents=[consent])) == [error]

    def test_a_consent_is_given_once(self, till, nothing_written):
        both = [{"category": "marketing", "given": True}, {"category": "marketing", "given": False}]

        assert wrong(enroll(till, consents=both)) == [("/consents/1", "REPEATED")]

    def test_aliases(self, till):
        member = made(enroll(till, aliases=[{"provider": "email", "value": "Lee@Example.org"}]))

        answer = till.get("/members/by-alias/email/lee@example.org/")
        assert answer.json()["number"] == member.number
        assert [each["value"] for each in answer.json()["aliases"]] == ["lee@example.org"]

    def test_an_alias_that_is_taken_makes_no_member(self, till):
        AliasFactory(value="lee@example.org")

        answer = enroll(till, aliases=[{"provider": "email", "value": "lee@example.org"}])

        refused(answer, 409, "ALIAS_TAKEN")
        assert Member.objects.count() == 1

    def test_an_alias_in_no_form_is_named(self, till, nothing_written):
        answer = enroll(till, aliases=[{"provider": "email", "value": "lee"}])

        assert wrong(answer) == [("/aliases/0/value", "NOT_IN_FORM")]

    def test_a_password_signs_in(self, till, app):
        enroll(till, password="correct horse battery")

        body = {"login": "ann@example.org", "password": "correct horse battery"}
        assert app.post("/sessions/", body).status_code == 200

    def test_a_weak_password_makes_no_member(self, till, nothing_written):
        refused(enroll(till, password="12345678"), 422, "PASSWORD_REFUSED")

    def test_a_pin_steps_up(self, till):
        member = made(enroll(till, pin="2580"))

        body = {"pin": "2580", "purpose": "REDEEM", "points": 10, "type": "PTS"}
        answer = till.post(f"/members/{member.number}/pin/verify/", body)
        assert answer.status_code == 200
        assert answer.json()["step_up"]

    def test_a_weak_pin_makes_no_member(self, till, nothing_written):
        refused(enroll(till, pin="1111"), 422, "PIN_REFUSED")


def fixed(points):
    return {"kind": "FIXED", "type": "PTS", "points": points}


class TestWelcome:
    """Points for enrolling, and on both sides for a referral."""

    def test_promotions_reward_who_enrols(self, till):
        promotion("WELCOME", trigger="ENROLMENT", award=fixed(100))
        promotion("WEB", trigger="ENROLMENT", award=fixed(20), condition="event.channel == 'WEB'")

        web, desk = enroll(till, {}, channel="WEB"), enroll(till, {}, channel="POS")

        assert web.json()["points"] == [{"type": "PTS", "points": 120}]
        assert desk.json()["points"] == [{"type": "PTS", "points": 100}]
        assert balance(made(web)).available == 120
        row = till.get(f"/members/{web.json()['number']}/transactions/").json()["results"][0]
        assert (row["kind"], row["partner"]) == ("BONUS", "GROCER")
        assert sorted(award["promotion"] for award in row["awards"]) == ["WEB", "WELCOME"]

    def test_both_sides_of_a_referral_are_rewarded(self, till):
        referrer = MemberFactory()
        for role, points in (("REFERRED", 50), ("REFERRER", 200)):
            condition = f"event.role == '{role}'"
            promotion(role, trigger="REFERRAL", award=fixed(points), condition=condition)

        answer = enroll(till, referrer=referrer.number)

        assert answer.json()["points"] == [{"type": "PTS", "points": 50}]
        assert balance(made(answer)).available == 50
        assert balance(referrer).available == 200

    def test_nobody_is_rewarded_twice(self, till):
        promotion("WELCOME", trigger="ENROLMENT", award=fixed(100))

        first, again = (enroll(till, reference="E-1") for _ in range(2))

        assert again.json() == first.json()
        assert balance(Member.objects.get()).available == 100

    def test_a_refused_enrolment_gives_nothing(self, till):
        promotion("WELCOME", trigger="ENROLMENT", award=fixed(100))

        refused(enroll(till, password="12345678"), 422, "PASSWORD_REFUSED")

        assert Transaction.objects.count() == 0

    def test_where_nothing_is_given_nothing_is_posted(self, till):
        promotion()

        assert enroll(till).json()["points"] == []
        assert Transaction.objects.count() == 0


class TestReferences:
    """An enrolment that is sent again is answered again."""

    def test_the_first_answer_comes_again(self, till):
        first = enroll(till, reference="E-1")
        Member.objects.update(stage="SUSPENDED")

        again = enroll(till, reference="E-1")

        assert again.status_code == 200
        assert again.headers["Idempotent-Replayed"] == "true"
        assert again.json() == first.json()
        assert Member.objects.count() == 1

    def test_other_content_is_a_conflict(self, till):
        enroll(till, reference="E-1")

        refused(enroll(till, {"last_name": "Lee"}, reference="E-1"), 409, "REFERENCE_CONFLICT")

        assert Member.objects.count() == 1

    def test_each_partner_has_its_own(self, till, api_of):
        enroll(till, {"last_name": "Lee"}, reference="E-1")

        other = enroll(api_of(PartnerFactory()), {"last_name": "Ray"}, reference="E-1")

        assert other.status_code == 201

    def test_a_refusal_leaves_it_free(self, till):
        wrong(enroll(till, {"email": "ann"}, reference="E-1"))

        assert enroll(till, reference="E-1").status_code == 201

    def test_one_who_was_returned_is_returned_again(self, till):
        settings(duplicate_policy="RETURN")
        enroll(till)

        first, again = (enroll(till, reference="E-2") for _ in range(2))

        assert first.json() == again.json()
        assert (first.status_code, again.status_code) == (200, 200)
        assert "Idempotent-Replayed" not in first.headers
        assert again.headers["Idempotent-Replayed"] == "true"

    def test_a_key_serves_as_well(self, till):
        first, again = (enroll(till, headers={"Idempotency-Key": "K"}) for _ in range(2))

        assert (first.status_code, again.status_code) == (201, 201)
        assert again.headers["Idempotent-Replayed"] == "true"
        assert Member.objects.count() == 1

    def test_no_digest_is_made_of_a_secret(self, till):
        enroll(till, reference="E-1", password="correct horse battery")

        again = enroll(till, reference="E-1", password="another horse battery")

        assert again.headers["Idempotent-Replayed"] == "true"


class TestPublicClients:
    """An app that keeps no secret enrols people, who learns from refusals as little as can be."""

    def test_an_app_enrols_for_the_programme(self, app):
        member = made(enroll(app))

        line = Activity.objects.get(member=member)
        assert member.enrolled_by.is_house
        assert "@" not in line.actor  # The address it was counted by.

    def test_refusals_in_a_row_lock_it_out(self, app, till):
        enroll(till)
        for _ in range(10):
            enroll(app)

        assert enroll(app).status_code == 423
        assert enroll(app, {"email": "new@example.org"}).status_code == 423
        assert Member.objects.count() == 1

    def test_success_forgets_them(self, app, till):
        enroll(till)
        for number in range(12):
            enroll(app)
            assert enroll(app, {"email": f"{number}@example.org"}).status_code == 201

        assert not Attempt.objects.filter(kind="ENROLLMENT").exists()

    def test_it_binds_no_alias(self, app, nothing_written):
        answer = enroll(app, aliases=[{"provider": "app", "value": "1"}])

        assert wrong(answer) == [("/aliases", "NOT_HERE")]

    def test_it_names_no_member(self, app, member):
        answer = app.post("/members/", {"member": {"number": member.number}})

        assert wrong(answer) == [("/member", "UNKNOWN_FIELD")]


def test_an_enrolment_costs_the_same_however_many_members_there_are(till, statements):
    enroll(till, {"email": "first@example.org"})
    for number in range(5):
        MemberFactory(email=f"{number}@example.org")
    statements.sent.clear()

    enroll(till)

    assert len(statements.sent) == 10, statements.sent
