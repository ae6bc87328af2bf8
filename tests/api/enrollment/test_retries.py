"""Enrolments sent again, by public clients, and what they cost."""

from loyalty.models import Attempt
from members.models import (
    Activity,
    Member,
)
from tests.api.enrollment.calls import enroll, made, refused, settings, wrong
from tests.factories.members import MemberFactory
from tests.factories.partners import PartnerFactory


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
