"""Member Identity: a value binds one member, and is not given away too soon."""

import uuid
from datetime import timedelta

import pytest

from loyalty.models import IdentityProvider, OutboxEvent, Program
from members.models import Activity, Alias, Member, ReleasedAlias, Verification
from members.services import aliases
from tests.factories.members import AliasFactory, MemberFactory
from tests.factories.partners import PartnerFactory

EMAIL = "ann@example.org"


@pytest.fixture
def ann(member, partner):
    Program.objects.update(phone_region="AT")
    Member.objects.filter(pk=member.pk).update(enrolled_by=partner)
    member.refresh_from_db()
    return member


def bind(api, member, value, provider="email", number=None, **more):
    path = f"/members/{number or member.number}/aliases/{provider}/"
    return api.put(path, {"value": value, **more})


def remove(api, member, value, provider="email", number=None):
    return api.delete(f"/members/{number or member.number}/aliases/{provider}/", {"value": value})


def values(member, provider="email"):
    found = Alias.objects.filter(member=member, provider__code=provider).order_by("pk")
    return [alias.value for alias in found]


def is_refused(answer, status, code):
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.content
    return True


def test_a_value_is_bound_in_the_one_form(till, ann):
    answer = bind(till, ann, " Ann@EXAMPLE.org ")

    assert answer.status_code == 200
    bound = answer.json()["aliases"]
    assert answer.json() == {
        "member": ann.number,
        "aliases": [
            {
                "provider": "email",
                "value": EMAIL,
                "added_at": bound[0]["added_at"],
                "verified_at": None,
            }
        ],
    }
    line = Activity.objects.get()
    assert line.kind == "ALIAS_ADDED"
    assert line.data == {"provider": "email", "value": "a***@example.org", "verified": False}
    event = OutboxEvent.objects.get()
    assert (event.type, event.payload) == ("member.updated", {"fields": ["aliases"]})


@pytest.mark.parametrize(
    ("provider", "value", "stored"),
    [("phone", "0664 123 45 67", "+436641234567"), ("app", "Ab-1", "Ab-1")],
)
def test_each_kind_has_its_own_form(provider, value, stored, till, ann):
    bind(till, ann, value, provider)

    assert values(ann, provider) == [stored]


@pytest.mark.parametrize(("provider", "value"), [("email", "ann"), ("phone", "call me")])
def test_what_is_no_contact_is_refused(provider, value, till, ann):
    answer = bind(till, ann, value, provider)

    assert is_refused(answer, 400, "VALIDATION_FAILED")
    assert answer.json()["errors"][0]["pointer"] == "/value"
    assert not Alias.objects.exists()


@pytest.mark.parametrize(("value", "fits"), [("AB12", True), ("AB123", False), ("xAB12", False)])
def test_the_whole_value_has_the_form_of_the_provider(value, fits, till, ann):
    IdentityProvider.objects.filter(code="app").update(pattern="[A-Z]{2}[0-9]{2}")

    answer = bind(till, ann, value, "app")

    assert answer.status_code == (200 if fits else 400)
    assert values(ann, "app") == ([value] if fits else [])


def test_no_pattern_keeps_a_process_busy(till, ann):
    IdentityProvider.objects.filter(code="app").update(pattern="(a+)+b")

    assert bind(till, ann, "a" * 200, "app").status_code == 400


def test_the_same_again_changes_nothing(till, ann):
    bind(till, ann, EMAIL)

    assert bind(till, ann, EMAIL.upper()).status_code == 200
    assert values(ann) == [EMAIL]
    assert Activity.objects.count() == OutboxEvent.objects.count() == 1


def test_a_value_of_another_member_is_taken_and_it_is_not_told_whose(till, ann):
    other = AliasFactory(value=EMAIL).member

    answer = bind(till, ann, EMAIL)

    assert is_refused(answer, 409, "ALIAS_TAKEN")
    assert other.number not in answer.content.decode()
    assert values(ann) == []
    assert not Activity.objects.exists()


def test_when_full_one_goes_for_the_new(till, ann):
    bind(till, ann, EMAIL)
    answer = bind(till, ann, "lee@example.org")
    assert is_refused(answer, 422, "ALIAS_LIMIT_REACHED")
    assert answer.json()["at_most"] == 1
    assert values(ann) == [EMAIL]

    assert bind(till, ann, "lee@example.org", replaces="Ann@example.org").status_code == 200

    assert values(ann) == ["lee@example.org"]
    assert list(Activity.objects.order_by("pk").values_list("kind", flat=True)) == [
        "ALIAS_ADDED",
        "ALIAS_REMOVED",
        "ALIAS_ADDED",
    ]


def test_a_provider_may_allow_several(till, ann):
    IdentityProvider.objects.filter(code="email").update(max_per_member=2)
    bind(till, ann, EMAIL)
    bind(till, ann, "lee@example.org")

    assert values(ann) == [EMAIL, "lee@example.org"]
    assert is_refused(bind(till, ann, "third@example.org"), 422, "ALIAS_LIMIT_REACHED")


def test_what_is_to_go_has_to_be_there(till, ann):
    AliasFactory(value="lee@example.org")

    answer = bind(till, ann, EMAIL, replaces="lee@example.org")

    assert is_refused(answer, 404, "ALIAS_NOT_FOUND")
    assert values(ann) == []


def test_a_refused_replacement_gives_up_nothing(till, ann):
    bind(till, ann, EMAIL)
    AliasFactory(value="lee@example.org")

    assert is_refused(bind(till, ann, "lee@example.org", replaces=EMAIL), 409, "ALIAS_TAKEN")
    assert values(ann) == [EMAIL]
    assert not ReleasedAlias.objects.exists()


def test_a_value_that_was_given_up_is_kept_from_others(till, ann, now):
    bind(till, ann, EMAIL)
    removed = remove(till, ann, "ANN@example.org")
    assert (removed.status_code, removed.json()["aliases"]) == (200, [])
    other = MemberFactory(enrolled_by=ann.enrolled_by)

    assert is_refused(bind(till, other, EMAIL), 409, "ALIAS_TAKEN")
    held = ReleasedAlias.objects.get()
    assert held.masked == "a***@example.org"
    assert held.until - held.released_at == timedelta(days=90)

    ReleasedAlias.objects.update(until=now)
    assert bind(till, other, EMAIL).status_code == 200
    assert values(other) == [EMAIL]
    assert not ReleasedAlias.objects.exists()


def test_who_gave_a_value_up_may_take_it_back(till, ann):
    bind(till, ann, EMAIL)
    remove(till, ann, EMAIL)

    assert bind(till, ann, EMAIL).status_code == 200
    assert not ReleasedAlias.objects.exists()


def test_a_provider_may_keep_nothing(till, ann):
    IdentityProvider.objects.update(quarantine=timedelta(0))
    bind(till, ann, EMAIL)
    remove(till, ann, EMAIL)

    assert bind(till, MemberFactory(enrolled_by=ann.enrolled_by), EMAIL).status_code == 200


def test_what_is_past_its_quarantine_is_forgotten(till, ann, now):
    bind(till, ann, EMAIL)
    remove(till, ann, EMAIL)

    assert aliases.forget_released(at=now) == 0
    assert aliases.forget_released(at=now + timedelta(days=91)) == 1


def test_a_provider_that_is_off_takes_none_and_gives_up_its_own(till, ann):
    bind(till, ann, EMAIL)
    IdentityProvider.objects.update(active=False)

    assert is_refused(bind(till, ann, "lee@example.org"), 422, "PROVIDER_INACTIVE")
    assert remove(till, ann, EMAIL).status_code == 200
    assert values(ann) == []


def test_an_unknown_provider_is_not_found(till, ann):
    assert is_refused(bind(till, ann, EMAIL, "nobody"), 404, "PROVIDER_NOT_FOUND")
    assert is_refused(remove(till, ann, EMAIL, "nobody"), 404, "PROVIDER_NOT_FOUND")


def test_what_is_not_there_is_not_removed(till, ann):
    AliasFactory(value=EMAIL)

    assert is_refused(remove(till, ann, EMAIL), 404, "ALIAS_NOT_FOUND")
    assert Alias.objects.count() == 1


def test_a_partner_binds_nothing_to_members_of_others(api_of, ann):
    foreign = api_of(PartnerFactory())

    assert is_refused(bind(foreign, ann, EMAIL), 404, "MEMBER_NOT_FOUND")
    assert is_refused(remove(foreign, ann, EMAIL), 404, "MEMBER_NOT_FOUND")
    assert not Alias.objects.exists()


@pytest.mark.parametrize("stage", ["DISABLED", "CLOSED"])
def test_a_membership_that_is_over_gets_no_alias(stage, till, ann):
    Member.objects.filter(pk=ann.pk).update(stage=stage)

    assert is_refused(bind(till, ann, EMAIL), 422, "STAGE_FORBIDS")


def confirmed(whom, now, **changes):
    facts = {
        "member": whom,
        "purpose": "CONTACT",
        "channel": "EMAIL",
        "to": EMAIL,
        "used_at": now,
        **changes,
    }
    return Verification.objects.create(
        id=uuid.uuid4(), created_at=now, expires_at=now + timedelta(minutes=5), **facts
    )


def test_a_member_proves_a_contact(session_of, ann, now):
    session = session_of(ann)
    assert is_refused(bind(session, ann, EMAIL, number="me"), 422, "ALIAS_PROOF_NEEDED")
    assert values(ann) == []

    proof = str(confirmed(ann, now).pk)
    answer = bind(session, ann, EMAIL, number="me", proof=proof)

    assert answer.status_code == 200
    assert answer.json()["aliases"][0]["verified_at"] is not None
    assert Activity.objects.get().data["verified"] is True
    assert remove(session, ann, EMAIL, number="me").status_code == 200


@pytest.mark.parametrize(
    "changes",
    [
        {"used_at": None},
        {"to": "lee@example.org"},
        {"purpose": "SIGN_IN"},
        {"member": None},
    ],
)
def test_what_proves_nothing_is_refused(changes, session_of, ann, now):
    proof = str(confirmed(ann, now, **changes).pk)

    answer = bind(session_of(ann), ann, EMAIL, number="me", proof=proof)

    assert is_refused(answer, 422, "ALIAS_PROOF_INVALID")
    assert values(ann) == []


def test_an_old_proof_proves_nothing(till, ann, now):
    proof = str(confirmed(ann, now, used_at=now - timedelta(days=1)).pk)

    assert is_refused(bind(till, ann, EMAIL, proof=proof), 422, "ALIAS_PROOF_INVALID")
    assert is_refused(bind(till, ann, "Ab", "app", proof=proof), 422, "ALIAS_PROOF_INVALID")


def test_a_contact_that_the_profile_confirmed_needs_no_proof(session_of, ann, now):
    Member.objects.filter(pk=ann.pk).update(email=EMAIL, email_confirmed_at=now)

    answer = bind(session_of(ann), ann, EMAIL, number="me")

    assert answer.json()["aliases"][0]["verified_at"] is not None


def test_a_known_alias_is_noted_as_verified_later(till, ann, now):
    bind(till, ann, EMAIL)

    answer = bind(till, ann, EMAIL, proof=str(confirmed(ann, now).pk))

    assert answer.json()["aliases"][0]["verified_at"] is not None


def test_a_member_binds_what_cannot_be_confirmed_without_proof(session_of, ann):
    assert bind(session_of(ann), ann, "device-1", "app", number="me").status_code == 200


@pytest.mark.parametrize("value", ["", "x" * 201, "a\nb", "\0", 5, None])
def test_a_value_is_plain_text(value, till, ann):
    answer = bind(till, ann, value)

    assert answer.status_code == 400
    assert answer.json()["errors"][0]["pointer"] == "/value"


@pytest.mark.parametrize("provider", ["Email", "e mail", "-", "x" * 65])
def test_no_provider_in_an_address_is_a_fault_of_ours(provider, till, ann):
    assert bind(till, ann, EMAIL, provider).status_code == 404


def test_binding_and_removing_send_few_statements(till, ann, statements):
    bind(till, ann, "first@example.org")
    statements.sent.clear()
    assert bind(till, ann, EMAIL, replaces="first@example.org").status_code == 200
    assert len(statements.sent) <= 21, statements.sent

    statements.sent.clear()
    assert remove(till, ann, EMAIL).status_code == 200
    assert len(statements.sent) <= 13, statements.sent
