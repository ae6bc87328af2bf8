"""What each stage allows, row by row as the contract has it (API.md 1), and where it leads."""

import pytest

from members import stages
from members.models import Member, StagePermission
from members.queries.stages import contact_of, permissions

TABLE = {
    "PENDING": (True, False, True, "SERVICE"),
    "ACTIVE": (True, True, True, "CONSENT"),
    "SUSPENDED": (False, False, True, "SERVICE"),
    "DISABLED": (False, False, False, "NO"),
    "EXPIRED": (True, False, True, "CONSENT"),
    "MERGED": (False, False, False, "NO"),  # Its survivor is asked in its place.
    "CLOSED": (False, False, False, "NO"),
}


@pytest.mark.parametrize("stage", Member.Stage.values)
def test_a_stage_allows_what_the_contract_says(stage, program):
    for allowed in (stages.DEFAULTS, permissions()):
        row = (
            stages.may_earn(stage, allowed),
            stages.may_redeem(stage, allowed),
            stages.may_sign_in(stage, allowed),
            allowed[stage].contact,
        )
        assert row == TABLE[stage]
    assert contact_of(stage) == TABLE[stage][3]


@pytest.mark.parametrize("stage", ["MERGED", "CLOSED"])
def test_what_is_final_leads_nowhere(stage):
    assert not any(stages.may_change(stage, other) for other in Member.Stage.values)
    assert stage in stages.FINAL


def test_only_a_merge_leads_to_merged():
    assert stages.leading_to("MERGED") == []


def test_every_stage_stands_in_the_tables():
    assert set(stages.TRANSITIONS) == set(stages.DEFAULTS) == set(Member.Stage.values)


def test_the_programme_lets_expired_members_spend(house, till, member, office, now):
    from tests.factories.ledger import give

    give(member, 100)
    Member.objects.filter(pk=member.pk).update(stage="EXPIRED")
    spend = {
        "member": {"number": member.number},
        "reference": "X1",
        "occurred_at": now.isoformat(),
        "type": "PTS",
        "points": 30,
    }
    assert till.post("/transactions/redeem/", spend).json()["code"] == "STAGE_FORBIDS"

    page = "/admin/members/stagepermission/EXPIRED/change/"
    saved = office.post(page, {"earn": "on", "redeem": "on", "sign_in": "on", "contact": "NO"})

    assert saved.status_code == 302
    assert StagePermission.objects.get(pk="EXPIRED").redeem
    assert till.post("/transactions/redeem/", spend).status_code == 201
    status = till.get(f"/members/{member.number}/points/").json()
    assert status["may"] == {"earn": True, "redeem": True}


def test_the_programme_keeps_suspended_members_from_signing_in(session_of, member):
    Member.objects.filter(pk=member.pk).update(stage="SUSPENDED")
    assert session_of(member).get("/members/me/points/").status_code == 200

    StagePermission.objects.filter(pk="SUSPENDED").update(sign_in=False)

    assert session_of(member).get("/members/me/points/").status_code == 401


@pytest.mark.parametrize("stage", ["ACTIVE", "CLOSED", "VIP"])
def test_the_other_stages_are_not_the_programmes_to_change(stage, program):
    from django.db import IntegrityError, transaction

    row = StagePermission(stage=stage, earn=True, redeem=True, sign_in=True, contact="NO")
    with pytest.raises(IntegrityError), transaction.atomic():
        row.save(force_insert=True)
