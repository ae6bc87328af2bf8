"""All Transaction: what refuses a call, whichever of its parts it is."""

from datetime import timedelta

import pytest

from members.models import Card
from tests.api.all_transaction.calls import URL, refused, state
from tests.factories.ledger import give

pytestmark = pytest.mark.usefixtures("member")


class TestRefusals:
    def test_a_blocked_card_is_refused_by_commit_and_evaluation(self, till, visit, member):
        Card.objects.update(status="STOLEN")
        before = state()

        for mode in ("commit", "evaluate"):
            refused(till.post(URL, visit(mode)), 422, "CARD_BLOCKED")
        assert state() == before

    @pytest.mark.parametrize(
        ("content", "code"),
        [
            ({"occurred_at": -400}, "TOO_OLD"),
            ({"occurred_at": 2}, "IN_FUTURE"),
            ({"occurred_at": -30, "offline": True}, "TOO_OLD"),
            ({"outlet": "ELSEWHERE"}, "OUTLET_UNKNOWN"),
            ({"burn": [{"type": "MILES", "points": 1}]}, "POINT_TYPE_UNKNOWN"),
        ],
    )
    def test_so_is_what_comes_too_late_too_soon_or_from_nowhere(
        self, till, visit, member, now, content, code
    ):
        if days := content.get("occurred_at"):
            content = {**content, "occurred_at": (now + timedelta(days=days)).isoformat()}
        before = state()

        for mode in ("commit", "evaluate"):
            refused(till.post(URL, visit(mode, **content)), 422, code)
        assert state() == before

    @pytest.mark.parametrize("stage", ["SUSPENDED", "DISABLED"])
    def test_so_is_a_member_who_may_not_earn(self, till, visit, member, stage):
        type(member).objects.update(stage=stage)
        before = state()

        for mode in ("commit", "evaluate"):
            refused(till.post(URL, visit(mode)), 422, "STAGE_FORBIDS")
        assert state() == before

    def test_a_member_who_may_earn_and_not_redeem_burns_nothing(self, till, visit, member):
        give(member, 1000)
        type(member).objects.update(stage="EXPIRED")
        before = state()

        for mode in ("commit", "evaluate"):
            call = visit(mode, burn=[{"type": "PTS", "points": 100}])
            assert refused(till.post(URL, call), 422, "STAGE_FORBIDS")["action"] == "redeem"
        assert state() == before

    def test_an_expired_member_is_active_again_by_a_commit_alone(self, till, visit, member):
        type(member).objects.update(stage="EXPIRED")

        till.post(URL, visit("evaluate"))
        assert type(member).objects.get(pk=member.pk).stage == "EXPIRED"

        till.post(URL, visit())
        assert type(member).objects.get(pk=member.pk).stage == "ACTIVE"

    @pytest.mark.parametrize(
        ("content", "pointer"),
        [
            ({"mode": "maybe"}, "/mode"),
            ({"mode": None}, "/mode"),
            ({"reference": None}, "/reference"),
            ({"lines": None}, "/lines"),
            ({"burn": [{"type": "PTS"}]}, "/burn/0/points"),
            ({"burn": [{"type": "PTS", "points": 1, "value": {"amount": "1", "currency": "EUR"}}]}, "/burn/0/points"),
            ({"burn": [{"type": "PTS", "points": 0}]}, "/burn/0/points"),
            ({"burn": [{"type": "PTS", "points": 1}, {"type": "PTS", "points": 2}]}, "/burn/1"),
            ({"burn": [{"type": "PTS", "value": {"amount": "0.001", "currency": "EUR"}}]}, "/burn/0/value/amount"),
            ({"vouchers": [{"code": "?"}]}, "/vouchers/0/code"),
            ({"vouchers": [{"code": "ABCD", "original": {}}]}, "/vouchers/0/original"),
            ({"benefits": [{"code": "A", "quantity": 0}]}, "/benefits/0/quantity"),
            ({"benefits": [{"code": "A"}, {"code": "A"}]}, "/benefits/1/code"),
            ({"returns": [{"original": {}, "lines": [{"line": 1, "quantity": "1"}]}]}, "/returns/0/original"),
            ({"returns": [{"original": {"reference": "R"}, "lines": []}]}, "/returns/0/lines"),
            ({"returns": [{"original": {"reference": "R"}, "lines": [{"line": 1, "quantity": "0"}]}]}, "/returns/0/lines/0/amount"),
            ({"discount": "10.01"}, "/discount"),
            ({"quote": "forged"}, "/quote"),
        ],
    )  # fmt: skip
    def test_what_is_wrong_is_named_and_nothing_written(self, till, visit, content, pointer):
        before = state()

        document = refused(till.post(URL, visit(**{"mode": "commit", **content})), 400, "VALIDATION_FAILED")  # fmt: skip

        assert document["errors"][0]["pointer"] == pointer
        assert state() == before
