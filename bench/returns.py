"""A partial return beside the earn that it takes a part of, both in this process."""

import hashlib
import random
import statistics
import time
from datetime import UTC, datetime
from typing import Any


def measure(count: int, numbers: list[str]) -> list[dict[str, Any]]:
    """Return a row: the median time of a return of one line of ten, and of the earn before it."""
    from ledger.services.originals import Original
    from ledger.services.reversal import ReversalRequest
    from partners.models import Partner
    from promotions.engine.basket import Basket, BasketLine
    from promotions.engine.types import PIECE
    from promotions.services.earning import EarnRequest, earn
    from promotions.services.returns import ReturnLine, ReturnRequest, return_items

    chance, partner = random.Random(1), Partner.objects.get(code="SHOP")
    earns, returns = [], []
    for place in range(count):
        now = datetime.now(UTC)
        lines = tuple(
            BasketLine(n, f"SKU{chance.randrange(2000)}", "1", "4.99") for n in range(1, 11)
        )
        sale = EarnRequest(
            member={"number": chance.choice(numbers)},
            partner_id=partner.pk,
            partner_code=partner.code,
            reference=f"RET-{place}",
            digest=hashlib.sha256(b"sale").digest(),
            basket=Basket(occurred_at=now, currency="EUR", outlet="S1", lines=lines),
        )
        began = time.perf_counter()
        earn(sale, at=now)
        earns.append(time.perf_counter() - began)
        back = ReversalRequest(
            original=Original(partner.pk, reference=sale.reference),
            partner_id=partner.pk,
            reference=f"RET-{place}-BACK",
            digest=hashlib.sha256(b"back").digest(),
            occurred_at=now,
        )
        began = time.perf_counter()
        return_items(ReturnRequest(back, (ReturnLine(3, PIECE, None),)), at=now)
        returns.append(time.perf_counter() - began)
    earned, returned = statistics.median(earns), statistics.median(returns)
    return [
        {
            "work": "return of one line of ten, in process",
            "figure": f"{returned * 1000:.1f} ms",
            "yardstick": f"{earned * 1000:.1f} ms its earn",
            "ratio": round(earned / returned, 3),
            "bar": None,
            "goal": None,
        }
    ]
