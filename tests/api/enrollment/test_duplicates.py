"""Whoever is there already, and who brought whom."""

import json

import pytest

from members.models import (
    Activity,
    Card,
    DuplicateFlag,
    Member,
)
from tests.api.enrollment.calls import PERSON, enroll, made, refused, settings, wrong
from tests.factories.members import MemberFactory
from tests.factories.partners import PartnerFactory


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
