"""How many statements a posting sends, BEGIN and COMMIT aside, counted at the driver."""

import secrets
from datetime import UTC, datetime
from typing import Any

import psycopg

from ledger.services.redemption import RedemptionRequest, redeem_points
from partners.models import Partner
from promotions.engine.basket import Basket, BasketLine
from promotions.services.earning import EarnRequest, earn


def count() -> dict[str, int]:
    """Return the statements of one earn and one redemption, each after a first of its kind."""
    house = Partner.objects.get(is_house=True)
    now = datetime.now(UTC)

    def common() -> dict[str, Any]:
        return {
            "member": {"id": 1},
            "partner_id": house.pk,
            "reference": f"COUNT-{secrets.token_hex(8)}",
            "digest": b"count",
        }

    def earns() -> None:
        lines = tuple(BasketLine(n, f"SKU{n}", "1", "4.99") for n in (1, 2, 3))
        basket = Basket(occurred_at=now, currency="EUR", lines=lines)
        earn(EarnRequest(partner_code=house.code, basket=basket, **common()), at=now)

    def redeems() -> None:
        wanted = RedemptionRequest(occurred_at=now, point_type="PTS", points=1, **common())
        redeem_points(wanted, at=now)

    counts = {}
    for name, act in (("earn", earns), ("redeem", redeems)):
        act()
        sent: list[str] = []
        whole = psycopg.Cursor.execute

        def counted(self: Any, query: Any, *arguments: Any, **options: Any) -> Any:
            sent.append(str(query))  # noqa: B023 used before the next round
            return whole(self, query, *arguments, **options)  # noqa: B023

        psycopg.Cursor.execute = counted  # type: ignore[method-assign]
        try:
            act()
        finally:
            psycopg.Cursor.execute = whole  # type: ignore[method-assign]
        counts[name] = len(sent)
    return counts
