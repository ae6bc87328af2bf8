"""What comes along with an enrolment: card, aliases, consents, credentials, and the welcome."""

from datetime import timedelta

import pytest

from ledger.models import Transaction
from members.models import (
    Activity,
    Card,
    Consent,
    Member,
)
from tests.api.enrollment.calls import enroll, fixed, made, refused, wrong
from tests.factories.ledger import balance
from tests.factories.members import AliasFactory, CardRangeFactory, MemberFactory
from tests.factories.promotions import promotion


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
