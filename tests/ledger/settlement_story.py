"""The month of four partners in docs/settlement.md, played through the services."""

import hashlib
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from ledger.models import StatementLine
from ledger.services.adjustments import AdjustmentRequest, adjust_points
from ledger.services.exchange import ExchangeRequest
from ledger.services.originals import Original
from ledger.services.redemption import RedemptionRequest, redeem_points
from ledger.services.reversal import ReversalRequest
from ledger.services.settlement import settle_chunk
from partners.models import ExchangeTerms, Partner, PartnerRate
from promotions.services.reversals import reverse_earn
from promotions.services.rewarding.redemption_reversals import reverse_redemption
from tests.factories.ledger import give
from tests.factories.members import MemberFactory
from tests.factories.partners import PartnerFactory

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
CHANGE = datetime(2026, 10, 15, tzinfo=UTC)


def rate(partner: Any, kind: str, amount: str, since: datetime = LONG_AGO, until: Any = None):
    PartnerRate.objects.create(
        partner=partner,
        kind=kind,
        point_type="PTS",
        rate=amount,
        valid_from=since,
        valid_to=until,
    )


def digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


class Story:
    """Four partners and two members, and what they do on the days of October 2026."""

    def __init__(self) -> None:
        self.house = Partner.objects.get(is_house=True)
        self.grocer = PartnerFactory(code="GROCER", currency="EUR", outlets=["S1"])
        self.cafe = PartnerFactory(code="CAFE", currency="EUR", outlets=["C1"])
        self.air = PartnerFactory(code="AIR", currency="EUR", kind="EXCHANGE")
        rate(self.grocer, "EARN", "0.012", until=CHANGE)
        rate(self.grocer, "EARN", "0.015", CHANGE)
        rate(self.grocer, "BURN", "0.01")
        rate(self.cafe, "SETTLEMENT", "0.011")
        rate(self.air, "BURN", "0.008")
        rate(self.air, "EXCHANGE", "0.5")
        ExchangeTerms.objects.create(partner=self.air, unit="miles", account_format="[0-9]{9}")
        self.ann, self.bob = MemberFactory(), MemberFactory()

    def day(self, number: int) -> datetime:
        return datetime(2026, 10, number, 12, tzinfo=UTC)

    def earn(self, day: int, member: Any, partner: Any, points: int, days: int = 365) -> Any:
        lives = timedelta(days=days)
        return give(member, points, at=self.day(day), lives=lives, partner=partner)

    def redeem(self, day: int, member: Any, partner: Any, points: int, **more: Any) -> Any:
        reference = more.pop("reference", f"PAY-{day}")
        request = RedemptionRequest(
            member={"id": member.pk},
            partner_id=partner.pk,
            reference=reference,
            digest=digest(reference),
            occurred_at=self.day(day),
            point_type="PTS",
            points=points,
            **more,
        )
        return redeem_points(request, at=self.day(day)).transaction

    def back(self, day: int, earlier: Any, partner: Any, **more: Any) -> ReversalRequest:
        return ReversalRequest(
            original=Original(partner.pk, id=earlier.id),
            partner_id=partner.pk,
            reference=f"BACK-{day}",
            digest=digest(f"BACK-{day}"),
            occurred_at=self.day(day),
            **more,
        )

    def adjust(self, day: int, member: Any, direction: str, points: int) -> None:
        request = AdjustmentRequest(
            member={"id": member.pk},
            partner_id=self.house.pk,
            reference=f"{direction}-{day}",
            digest=digest(f"{direction}-{day}"),
            occurred_at=self.day(day),
            point_type="PTS",
            direction=direction,
            points=points,
            reason="By hand",
        )
        adjust_points(request, at=self.day(day))

    def play(self) -> "Story":
        self.earn(2, self.ann, self.grocer, 1000)
        self.earn(3, self.bob, self.grocer, 50, days=10)
        paid = self.redeem(5, self.ann, self.cafe, 300)
        coffee = self.earn(6, self.bob, self.cafe, 200)
        settle_chunk(after=0, at=self.day(14))
        self.earn(16, self.ann, self.grocer, 333)
        self.redeem(
            18,
            self.ann,
            self.grocer,
            400,
            purpose="EXCHANGE",
            exchange=ExchangeRequest("AIR", "123456789"),
        )
        reverse_earn(self.back(20, coffee, self.cafe), at=self.day(20))
        reverse_redemption(self.back(21, paid, self.cafe, points=100), at=self.day(21))
        self.adjust(26, self.bob, "CREDIT", 70)
        self.adjust(27, self.ann, "DEBIT", 20)
        return self


OCTOBER = date(2026, 10, 1)
NOW = datetime(2026, 11, 3, 8, tzinfo=UTC)
DOCS = Path(__file__).parent.parent.parent / "docs" / "settlement.md"


def lines(month=OCTOBER):
    """Return the lines of a month as the documentation writes them."""
    rows = StatementLine.objects.filter(statement__month=month).select_related("statement__partner")
    found = [
        (
            row.statement.partner.code,
            row.movement,
            row.points,
            row.rate and row.rate.normalize(),
            row.amount,
        )
        for row in rows
    ]
    return sorted(found, key=lambda row: (row[0], row[1], row[3] or 0))


def documented():
    text = DOCS.read_text().split("The statements of October:")[1]
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in text.splitlines()
        if line.startswith("| ") and not line.startswith("| Partner")
    ]
    return [
        (partner, movement, int(points), Decimal(rate) if rate else None, Decimal(amount))
        for partner, movement, points, rate, amount in rows
    ]
