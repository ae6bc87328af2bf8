"""Find and Update Member Stage: one member, some by criteria, many as a job."""

from datetime import timedelta

import pytest

from ledger.models import PointType, Transaction
from ledger.tasks import change_stages
from loyalty.models import OutboxEvent, Program
from members.models import Activity, Member, Session
from tests.api.stage.calls import ask, one, stage_of
from tests.factories.ledger import balance, give
from tests.factories.members import MemberFactory
from tests.factories.promotions import promotion

pytestmark = pytest.mark.usefixtures("member")


def test_a_member_is_suspended_with_reason_and_announcement(house, member):
    answer = one(house, member, "SUSPENDED", reason="Looks odd.")

    assert answer.status_code == 200
    assert answer.json() == {
        "dry_run": False,
        "stage": "SUSPENDED",
        "matched": 1,
        "changed": 1,
        "refused": 0,
        "members": [
            {
                "member": member.number,
                "before": "ACTIVE",
                "after": "SUSPENDED",
                "changed": True,
                "points": [],
                "problem": None,
            }
        ],
    }
    member.refresh_from_db()
    line = Activity.objects.get(member=member)
    assert (member.stage, member.stage_since) == ("SUSPENDED", line.at)
    assert (line.kind, line.reason, line.actor_kind) == ("STAGE_CHANGED", "Looks odd.", "CLIENT")
    assert line.data == {"from": "ACTIVE", "to": "SUSPENDED"}
    event = OutboxEvent.objects.get(type="member.stage_changed")
    assert (event.member_id, event.payload["to"]) == (member.pk, "SUSPENDED")


def test_being_there_already_is_success_and_changes_nothing(house, member):
    one(house, member, "SUSPENDED")

    again = one(house, member, "SUSPENDED")

    assert again.status_code == 200
    assert (again.json()["changed"], again.json()["refused"]) == (0, 0)
    assert Activity.objects.count() == 1


@pytest.mark.parametrize(
    ("before", "after"),
    [("CLOSED", "ACTIVE"), ("ACTIVE", "PENDING"), ("EXPIRED", "PENDING"), ("ACTIVE", "MERGED")],
)
def test_a_stage_that_does_not_lead_there_refuses_and_nothing_changes(before, after, house, member):
    Member.objects.filter(pk=member.pk).update(stage=before)

    for dry_run in (True, False):
        answer = one(house, member, after, dry_run=dry_run)

        assert answer.status_code == 422
        problem = answer.json()
        assert problem["code"] == "STAGE_TRANSITION_FORBIDDEN"
        assert (problem["stage"], problem["wanted"]) == (before, after)
    assert stage_of(member) == before
    assert not Activity.objects.exists()
    assert not OutboxEvent.objects.exists()


def test_the_number_of_a_merged_member_does_not_move_its_survivor(house, member):
    survivor = MemberFactory()
    Member.objects.filter(pk=member.pk).update(stage="MERGED", merged_into=survivor)

    answer = one(house, member, "CLOSED")

    assert (answer.status_code, answer.json()["stage"]) == (422, "MERGED")
    assert stage_of(survivor) == "ACTIVE"


def test_sessions_end_where_the_stage_forbids_signing_in(house, member, session_of):
    api = session_of(member)
    one(house, member, "SUSPENDED")
    assert api.get("/members/me/points/").status_code == 200

    one(house, member, "DISABLED")

    assert api.get("/members/me/points/").status_code == 401
    assert Session.objects.get().ended_at is not None


def test_a_retry_under_one_key_changes_once(house, member):
    key = {"Idempotency-Key": "K1"}
    body = {"member": {"number": member.number}, "stage": "SUSPENDED", "reason": "Odd."}
    first = house.post("/members/stage/", body, **key)
    one(house, member, "ACTIVE")

    again = house.post("/members/stage/", body, **key)

    assert (again.status_code, again.content) == (200, first.content)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert stage_of(member) == "ACTIVE"


def test_closing_forfeits_all_states_and_the_books_balance(house, till, member, partner, now):
    give(member, 100)
    give(member, 50, pending=timedelta(days=9))
    PointType.objects.create(code="STATUS", name="Status", redeemable=False)
    give(member, 7, point_type="STATUS")
    hold = till.post(
        "/transactions/lock/",
        {"member": {"number": member.number}, "type": "PTS", "points": 60, "reference": "L1"},
    )
    dry = one(house, member, "CLOSED", dry_run=True).json()
    assert stage_of(member) == "ACTIVE"

    answer = one(house, member, "CLOSED", reason="Wants to leave.").json()

    points = [
        {"type": "PTS", "forfeited": 150, "debt": 0},
        {"type": "STATUS", "forfeited": 7, "debt": 0},
    ]
    assert answer["members"][0]["points"] == points
    assert dry["members"][0]["points"] == points
    account = balance(member)
    assert (account.available, account.pending, account.locked, account.expired) == (0, 0, 0, 150)
    kinds = Transaction.objects.filter(member=member).order_by("version")
    assert [t.kind for t in kinds][-3:] == ["UNLOCK", "RELEASE", "EXPIRY"]
    late = till.post("/transactions/unlock/", {"lock": hold.json()["lock"], "reference": "U1"})
    assert late.json()["code"] == "LOCK_RESOLVED"


def test_what_is_forfeited_pays_debt_first_and_the_rest_stays_owed(house, till, member, partner):
    sale = give(member, 100, partner=partner)
    spend = {"member": {"number": member.number}, "type": "PTS", "points": 90, "reference": "X1"}
    till.post("/transactions/redeem/", {**spend, "occurred_at": sale.posted_at.isoformat()})
    back = {"original": {"id": str(sale.id)}, "occurred_at": sale.posted_at.isoformat()}
    till.post("/transactions/reverse-earn/", {**back, "reference": "B1"})
    give(member, 20, pending=timedelta(days=9))
    assert balance(member).debt == 90

    answer = one(house, member, "CLOSED").json()

    assert answer["members"][0]["points"] == []
    account = balance(member)
    assert (account.debt, account.pending, account.available) == (70, 0, 0)


def test_the_programme_may_let_the_closed_keep_their_points(house, member):
    Program.objects.update(closing_balance="KEEP")
    give(member, 100)

    answer = one(house, member, "CLOSED").json()

    assert answer["members"][0]["points"] == []
    assert (stage_of(member), balance(member).available) == ("CLOSED", 100)


def test_a_reversal_works_when_the_membership_is_closed(house, till, member, partner):
    sale = give(member, 100, partner=partner)
    one(house, member, "CLOSED")
    body = {"original": {"id": str(sale.id)}, "reference": "B1"}

    answer = till.post(
        "/transactions/reverse-earn/", {**body, "occurred_at": sale.posted_at.isoformat()}
    )

    assert answer.status_code == 201
    assert answer.json()["shortfall"] == []  # What expired is not taken twice.


def test_an_earn_makes_an_expired_member_active_and_says_so(till, member, purchase):
    promotion()
    Member.objects.filter(pk=member.pk).update(stage="EXPIRED")

    assert till.post("/transactions/earn/", purchase()).status_code == 201

    assert stage_of(member) == "ACTIVE"
    line = Activity.objects.get(member=member, kind="STAGE_CHANGED")
    assert (line.actor_kind, line.data["from"]) == ("SYSTEM", "EXPIRED")


def test_criteria_take_those_who_fit_and_a_dry_run_tells_before(house, member):
    quiet = [MemberFactory(stage="SUSPENDED") for _ in range(3)]
    MemberFactory(stage="CLOSED")
    criteria = {"stages": ["SUSPENDED"]}

    dry = ask(house, "DISABLED", criteria=criteria, dry_run=True).json()
    assert (dry["matched"], dry["changed"], dry["refused"]) == (3, 3, 0)
    assert [row["member"] for row in dry["members"]] == [each.number for each in quiet]
    assert {stage_of(each) for each in quiet} == {"SUSPENDED"}

    done = ask(house, "DISABLED", criteria=criteria).json()

    assert (done["matched"], done["changed"]) == (3, 3)
    assert {stage_of(each) for each in quiet} == {"DISABLED"}
    assert stage_of(member) == "ACTIVE"
    assert Activity.objects.filter(kind="STAGE_CHANGED").count() == 3


def test_inactive_are_those_who_neither_earned_nor_redeemed_since(house, now, program):
    Member.objects.update(joined_at=now)
    long_ago, since = now - timedelta(days=800), (now - timedelta(days=365)).isoformat()
    never, quiet, settled, active, fresh = (MemberFactory(joined_at=long_ago) for _ in range(5))
    give(quiet, 10, at=now - timedelta(days=500), lives=None)
    give(settled, 10, at=now - timedelta(days=500), lives=timedelta(days=200))
    house.get(f"/members/{settled.number}/points/")
    give(active, 10, at=now - timedelta(days=500), lives=None)
    give(active, 10, at=now - timedelta(days=5), lives=None)
    Member.objects.filter(pk=fresh.pk).update(joined_at=now - timedelta(days=30))
    from ledger.services.settlement import settle_chunk

    settle_chunk(after=0, at=now)  # The expiry is written now, and is no activity.

    answer = ask(house, "EXPIRED", criteria={"stages": ["ACTIVE"], "inactive_since": since}).json()

    assert {row["member"] for row in answer["members"]} == {
        each.number for each in (never, quiet, settled)
    }
    assert stage_of(active) == stage_of(fresh) == "ACTIVE"


def test_named_members_are_judged_one_by_one(house, member):
    closed = MemberFactory(stage="CLOSED")
    there = MemberFactory(stage="SUSPENDED")
    numbers = [member.number, closed.number, there.number, "9999999999"]

    answer = ask(house, "SUSPENDED", criteria={"members": numbers})

    assert answer.status_code == 200
    assert (answer.json()["matched"], answer.json()["changed"]) == (3, 1)
    assert answer.json()["refused"] == 2
    rows = {row["member"]: row for row in answer.json()["members"]}
    assert rows[member.number]["changed"]
    assert rows[closed.number]["problem"]["code"] == "STAGE_TRANSITION_FORBIDDEN"
    assert rows[closed.number]["after"] == "CLOSED"
    assert (rows[there.number]["changed"], rows[there.number]["problem"]) == (False, None)
    assert rows["9999999999"]["problem"]["code"] == "MEMBER_NOT_FOUND"


def test_the_night_expires_the_inactive_if_the_programme_wants_it(now, member):
    from ledger.tasks import expire_inactive

    quiet = MemberFactory(joined_at=now - timedelta(days=800))
    assert expire_inactive(at=now) is None
    Program.objects.update(expires_after_inactivity=timedelta(days=730))

    job = expire_inactive(at=now)
    assert expire_inactive(at=now + timedelta(minutes=1)).pk == job.pk
    change_stages(job_id=str(job.pk))

    assert (stage_of(quiet), stage_of(member)) == ("EXPIRED", "ACTIVE")
    line = Activity.objects.get(member=quiet)
    assert (line.actor_kind, line.actor) == ("SYSTEM", "inactivity")


@pytest.mark.parametrize(
    ("body", "pointer", "code"),
    [
        ({}, "/member", "EXACTLY_ONE"),
        ({"member": {"number": "1"}, "criteria": {"stages": ["ACTIVE"]}}, "/member", "EXACTLY_ONE"),
        ({"criteria": {}}, "/criteria", "TOO_FEW"),
        ({"criteria": {"stages": []}}, "/criteria/stages", "TOO_FEW"),
        ({"criteria": {"members": []}}, "/criteria/members", "TOO_FEW"),
        ({"criteria": {"members": ["x"]}}, "/criteria/members/0", "NOT_IN_FORM"),
        ({"criteria": {"members": ["1"] * 1001}}, "/criteria/members", "TOO_MANY"),
        (
            {"criteria": {"inactive_since": "1999-01-01T00:00:00Z"}},
            "/criteria/inactive_since",
            "OUT_OF_RANGE",
        ),
        ({"member": {"number": "1"}, "stage": "VIP"}, "/stage", "NOT_A_CHOICE"),
    ],
)
def test_bad_input_is_told_where(body, pointer, code, house, member):
    answer = house.post("/members/stage/", {"stage": "CLOSED", "reason": "x", **body})

    assert answer.status_code == 400
    error = answer.json()["errors"][0]
    assert (error["pointer"], error["code"]) == (pointer, code)
    assert stage_of(member) == "ACTIVE"


def test_nobody_of_this_name(house):
    assert ask(house, "CLOSED", member={"number": "9999999999"}).status_code == 404
