"""Replaying the history of evaluations: what was stored comes out again, or the command fails."""

import pytest
from django.core.management import CommandError, call_command

from promotions.models import Evaluation
from tests.factories.promotions import promotion
from tests.factories.vouchers import VoucherTypeFactory

pytestmark = pytest.mark.usefixtures("member")


@pytest.fixture
def history(till, purchase, now):
    """Two sales and a return, under a limit and a budget that ran out."""
    promotion("A", limits=[{"per": "MEMBER", "period": "DAY", "measure": "POINTS", "at_most": 6}])
    promotion("B", budget={"measure": "POINTS", "at_most": 7}, condition="member.joined_days >= 0")
    sale = till.post("/transactions/earn/", purchase()).json()
    till.post("/transactions/earn/", purchase())
    back = {"original": {"id": sale["id"]}, "reference": "R", "occurred_at": now.isoformat()}
    lines = [{"line": 1, "quantity": "1"}]
    assert till.post("/transactions/return-items/", {**back, "lines": lines}).status_code == 201


def test_the_whole_history_comes_out_the_same(history, capsys):
    call_command("replay_evaluations", "--quiet")

    assert capsys.readouterr().out == "3 the same, 0 without their facts, 0 differ.\n"


def test_emptied_facts_are_counted_and_not_judged(history, capsys):
    Evaluation.objects.update(inputs=None)

    call_command("replay_evaluations", "--quiet")

    assert "0 the same, 3 without their facts" in capsys.readouterr().out


def test_one_that_comes_out_otherwise_fails_the_command(history):
    row = Evaluation.objects.order_by("pk").first()
    row.result["awards"][0]["points"] += 1
    row.save()

    with pytest.raises(CommandError, match="1 evaluations come out otherwise"):
        call_command("replay_evaluations", "--quiet")


def test_what_was_given_beside_points_is_held_against_it_too(till, purchase, now, capsys):
    VoucherTypeFactory(code="TENNER", stock=1)
    voucher = {"kind": "VOUCHER", "voucher_type": "TENNER", "quantity": 1}
    promotion("GIFT", award=voucher)
    sales = [till.post("/transactions/earn/", purchase()).json() for _ in range(2)]
    back = {"original": {"id": sales[0]["id"]}, "reference": "R", "occurred_at": now.isoformat()}
    lines = [{"line": 1, "quantity": "1"}]
    assert till.post("/transactions/return-items/", {**back, "lines": lines}).status_code == 201

    call_command("replay_evaluations", "--quiet")

    assert capsys.readouterr().out == "3 the same, 0 without their facts, 0 differ.\n"
    row = Evaluation.objects.get(pk=sales[0]["id"])
    row.result["rewards"][0]["wanted"] = 2
    row.save()
    with pytest.raises(CommandError, match="1 evaluations come out otherwise"):
        call_command("replay_evaluations", "--quiet")
