"""Whatever a call holds: an evaluation answers what a commit does, and a void leaves no trace."""

import itertools
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from ledger.models import Account
from members.models import Member, TierMeasure
from promotions.models import BudgetSlot, LimitCounter
from tests.api.all_transaction.calls import of_sale, state, voucher
from tests.factories.ledger import balance, give
from tests.factories.members import MemberFactory
from tests.factories.promotions import promotion
from tests.factories.tiers import ladder
from tests.factories.vouchers import BenefitFactory, VoucherTypeFactory
from vouchers.models import BenefitUse, Voucher, VoucherStock

__all__ = ["voucher"]
ALL, EARN, VOID = "/transactions/", "/transactions/earn/", "/transactions/void/"
FIXED = {"kind": "FIXED", "type": "PTS", "points": 40}
ONCE_A_DAY = {"per": "MEMBER", "period": "DAY", "measure": "USES", "at_most": 1, "then": "SKIP"}
A_DAY = {"per": "MEMBER", "period": "DAY", "measure": "POINTS", "at_most": 150}
counter = itertools.count()
cents = st.integers(0, 15000)
CALLS = st.fixed_dictionaries(
    {
        "lines": st.lists(st.tuples(cents, st.integers(1, 3)), max_size=3).map(sorted),
        "sales": st.lists(
            st.tuples(st.integers(100, 9000), st.integers(1, 3), st.integers(1, 3)), max_size=2
        ),
        "spend_first": st.booleans(),
        "seed": st.sampled_from([0, 500, 2000]),
        "vouchers": st.lists(st.tuples(st.booleans(), st.none() | st.integers(1, 900)), max_size=2),
        "benefit": st.integers(0, 2),
        "burn": st.none() | st.integers(1, 40) | st.integers(100, 1500),
        "coupon": st.booleans(),
        "known": st.booleans(),
    }
)
LENIENT = settings(
    max_examples=40,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.fixture
def world(member, till, purchase):
    """Promotions of every kind that remembers something, and a ladder that sales climb."""
    promotion("BASE", limits=[A_DAY], not_tenders=["VOUCHER"], combination={"base": True})
    promotion("THRESHOLD", award=FIXED, minimum={"amount": "50.00"}, limits=[ONCE_A_DAY])
    promotion(
        "LATER",
        award={"kind": "PER_ITEM", "type": "PTS", "points": 7},
        pending="P14D",
        budget={"measure": "POINTS", "at_most": 100_000},
    )
    promotion("GOLDEN", award=FIXED, audience={"tiers": ["GOLD"]}, coupons=["SPRING"])
    VoucherTypeFactory(code="GIFT", stock=100_000)
    promotion(
        "GIFTED",
        award={"kind": "VOUCHER", "voucher_type": "GIFT", "quantity": 2},
        minimum={"amount": "30.00"},
    )
    promotion("LIFTED", trigger="TIER_CHANGE", award=FIXED)
    ladder(silver="60.00", gold="140.00")
    BenefitFactory(code="PARKING", tiers=["BASE", "SILVER", "GOLD"], quota=100_000)
    till.post(EARN, purchase())  # A budget is laid out by who claims from it first.
    return member


def standing(member):
    """Return all that a call may change, as returns mean it: which lots hold it may differ."""
    held = {
        row.point_type_id: row.available + row.pending + row.locked - row.debt
        for row in Account.objects.filter(member=member.pk)
    }
    person = Member.objects.select_related("tier").get(pk=member.pk)
    return (
        {key: points for key, points in held.items() if points},
        {
            (each.promotion, each.period, each.start, each.measure): each.amount
            for each in LimitCounter.objects.filter(member_id=member.pk).exclude(amount=0)
        },
        sum(BudgetSlot.objects.values_list("rest", flat=True)),
        {
            (m.measure, m.point_type, m.day): m.amount
            for m in TierMeasure.objects.filter(member=member.pk).exclude(amount=0)
        },
        (person.tier.code, person.tier_since, person.tier_until),
        list(
            Voucher.objects.exclude(status="CANCELLED")
            .order_by("id")
            .values_list("id", "status", "left")
        ),
        sum(VoucherStock.objects.values_list("left", flat=True)),
        BenefitUse.objects.filter(undone_at=None).count(),
    )


def money(minor):
    return str(Decimal(minor).scaleb(-2))


class Till:
    """A till that makes calls as they were drawn."""

    def __init__(self, api, purchase, member, now, voucher):
        self.api, self.purchase, self.member, self.now = api, purchase, member, now
        self.voucher, self.named = voucher, {"number": member.number}

    def call(self, drawn):
        """Return the body of a call; what it returns, spends and shows is made first."""
        if drawn["seed"]:
            give(self.member, drawn["seed"])
        sales = [self._sale(*each) for each in drawn["sales"]]
        if drawn["spend_first"] and (points := balance(self.member).available):
            self._spend(points)
        body = self.purchase(
            member=self.named,
            discount="0",
            tenders=[],
            lines=self._lines(drawn["lines"]) if drawn["lines"] or not sales else None,
            reference=f"CALL-{next(counter)}",
            returns=[
                of_sale(sale, str(min(quantity, bought)))
                for sale, (_, bought, quantity) in zip(sales, drawn["sales"], strict=True)
            ],
            vouchers=[self._voucher(*each) for each in drawn["vouchers"]],
            coupons=["SPRING"] if drawn["coupon"] else [],
        )
        if drawn["benefit"]:
            body["benefits"] = [{"code": "PARKING", "quantity": drawn["benefit"]}]
        if drawn["burn"]:
            body["burn"] = [{"type": "PTS", "points": drawn["burn"]}]
        return body

    def _lines(self, lines):
        return [
            {"line": place, "sku": "A", "quantity": str(quantity), "amount": money(cost)}
            for place, (cost, quantity) in enumerate(lines or [(0, 1)], 1)
        ]

    def _sale(self, cost, bought, _):
        lines = self._lines([(cost, bought)])
        body = self.purchase(member=self.named, lines=lines, discount="0", tenders=[])
        return self.api.post(EARN, body).json()

    def _spend(self, points):
        body = {"member": self.named, "type": "PTS", "points": points}
        common = {"reference": f"SPENT-{next(counter)}", "occurred_at": self.now.isoformat()}
        assert self.api.post("/transactions/redeem/", {**body, **common}).status_code == 201

    def _voucher(self, in_parts, amount):
        kind = {"value": "9.00", "in_parts": True} if in_parts else {"value": "4.00"}
        shown = {"code": self.voucher(owner=self.member, **kind)}
        return {**shown, "amount": money(amount)} if in_parts and amount else shown


SAME = ("points", "due", "to_pay", "burned", "vouchers", "tier", "balances", "near_misses", "coupons")  # fmt: skip


def without_ids(answer):
    """Return what an evaluation and a commit have in common."""
    return {
        **{name: answer[name] for name in SAME if name != "points"},
        "points": [(each["type"], each["points"]) for each in answer["points"]],
        "awards": answer["awards"],
        "parts": [(part["kind"], part["original"], part["points"]) for part in answer["parts"]],
        "benefits": [(b["code"], b["quantity"], b["left"]) for b in answer["benefits"]],
    }


@LENIENT
@given(drawn=CALLS)
def test_an_evaluation_is_the_commit_and_a_void_leaves_no_trace(
    drawn, world, till, purchase, now, voucher
):
    member = world if drawn["known"] else MemberFactory()
    body = Till(till, purchase, member, now, voucher).call(drawn)
    before, written = standing(member), state()

    looked = till.post(ALL, {**body, "mode": "evaluate"})
    assert state() == written, "an evaluation writes nothing"
    made = till.post(ALL, {**body, "mode": "commit"})

    if made.status_code != 201:
        assert (looked.status_code, looked.json()["code"]) == (
            made.status_code,
            made.json()["code"],
        )
        assert state() == written
        return
    assert looked.status_code == 200, looked.json()
    assert without_ids(looked.json()) == without_ids(made.json())
    again = {"original": {"id": made.json()["id"]}, "reference": f"VOID-{next(counter)}"}
    voided = till.post(VOID, {**again, "occurred_at": now.isoformat()})
    assert voided.status_code == 201, voided.json()
    assert standing(member) == before
