"""Whatever is sent: a 4xx problem document that changes nothing, or a posting; never a 500.

Valid bodies of every operation are damaged in random places with values that have broken systems
before: wrong types, absurd numbers, odd times, NUL, lone surrogates, deep and long things.
"""

import copy
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger.models import Entry, Transaction
from tests.factories.ledger import give
from tests.factories.promotions import promotion
from tests.factories.sweepstakes import sweepstake

ID = "0198c0de-0000-7000-8000-000000000000"
NOW = "2026-11-20T10:00:00Z"
NASTY = [
    None, True, False, 0, -1, 1, 2**31, 2**63, -(2**63) - 1, 10**40, 1.5, -0.0, 1e308,
    "", " ", "0", "-1", "-0.00", "1e5", "NaN", "Infinity", "0.00001", "99999999999.99", "１２.50",
    "\x00", "a\x00b", "\ud800", "\udfff\ud800", "💥", "\u202e", "'; DROP TABLE x; --", "%s%s%n", "../../etc",
    "x" * 300, "9" * 400, [], {}, [[]], [None], {"": ""}, {"number": "1"}, {"id": 7}, [{}] * 3,
    "1999-12-31T23:59:59Z", "2100-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "0000-00-00T00:00:00Z",
    "2026-02-30T00:00:00Z", "2026-11-20T10:00:00", "2026-11-20T25:00:00Z", "2026-11-20T10:00:00+99:00",
    "EUR", "eur", "XXX", "PTS", "pts", ID, "not-a-uuid",
]  # fmt: skip

MEMBER = {"card": "6275000000000017"}
BODIES: dict[str, dict[str, Any]] = {
    "/transactions/earn/": {
        "member": MEMBER,
        "reference": "R",
        "occurred_at": NOW,
        "outlet": "S1",
        "channel": "POS",
        "currency": "EUR",
        "lines": [
            {
                "line": 1,
                "sku": "A",
                "quantity": "2",
                "amount": "5.98",
                "discount": "0.50",
                "tax": "0.10",
                "category": "TEA",
                "brand": "B",
                "earns": True,
                "attributes": {"color": "red"},
            }
        ],
        "discount": "1.00",
        "tenders": [{"type": "CARD", "amount": "4.48"}],
        "coupons": ["SPRING"],
        "offline": False,
    },
    "/transactions/redeem/": {
        "member": MEMBER,
        "reference": "X",
        "occurred_at": NOW,
        "type": "PTS",
        "points": 5,
        "purpose": "PAYMENT",
        "lock": ID,
        "keep": False,
    },
    "/transactions/lock/": {
        "member": MEMBER,
        "type": "PTS",
        "points": 5,
        "reference": "L",
        "class": "HOLD",
        "until": "2027-01-01T00:00:00Z",
        "reason": "Odd.",
    },
    "/transactions/unlock/": {"lock": ID, "points": 5, "reference": "U"},
    "/transactions/adjust/": {
        "member": MEMBER,
        "type": "PTS",
        "direction": "CREDIT",
        "points": 5,
        "expiry": "P1M/EARNED/NONE",
        "reference": "A",
        "reason": "By hand.",
    },
    "/transactions/reverse-redemption/": {
        "original": {"reference": "X", "kind": "REDEMPTION"},
        "reference": "V",
        "occurred_at": NOW,
        "points": 5,
    },
    "/transactions/reverse-earn/": {
        "original": {"id": ID},
        "reference": "W",
        "occurred_at": NOW,
        "reason": "Back.",
    },
    "/transactions/return-items/": {
        "original": {"id": ID},
        "reference": "RI",
        "occurred_at": NOW,
        "lines": [{"line": 1, "quantity": "1", "amount": "0.50"}],
        "reason": "Back.",
    },
    "/transactions/batch/": {
        "items": [
            {"operation": "earn", "body": {"member": MEMBER, "reference": "B", "occurred_at": NOW}}
        ]
    },
}
BODIES["/cards/validate/"] = {"card": "6275000000000017", "outlet": "S1"}
BODIES["/cards/replace/"] = {
    "card": "6275000000000017",
    "new_card": "6275000000000025",
    "reason": "LOST",
    "note": "At the desk.",
}
BODIES["/cards/block/"] = {"card": "6275000000000017", "status": "BLOCKED", "reason": "Odd."}
BODIES["/sweepstakes/SPRING/tickets/"] = {
    "member": MEMBER,
    "reference": "T",
    "occurred_at": NOW,
    "quantity": 2,
    "source": "POINTS",
    "type": "PTS",
    "outlet": "S1",
}
BODIES["/transactions/evaluate/"] = BODIES["/transactions/earn/"]
BODIES["/transactions/"] = {
    **BODIES["/transactions/earn/"],
    "mode": "commit",
    "tenders": [{"type": "CARD", "amount": "4.43"}],
    "returns": [
        {
            "original": {"id": ID},
            "lines": [{"line": 1, "quantity": "1", "amount": "0.50"}],
            "reason": "Back.",
        }
    ],
    "vouchers": [{"code": "ABCD-EFGH", "amount": "1.00", "original": {"reference": "H"}}],
    "benefits": [{"code": "PARKING", "quantity": 1}],
    "burn": [
        {"type": "PTS", "points": 5, "lock": ID, "keep": True},
        {"type": "PTS", "value": {"amount": "0.05", "currency": "EUR"}},
    ],
    "step_up": "msu_x",
    "quote": "x:y:z",
}
BODIES["/transactions/void/"] = BODIES["/transactions/reverse-earn/"]


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the path of everything in a body."""
    found = [path] if path else []
    if isinstance(value, dict):
        for key, each in value.items():
            found += places(each, (*path, key))
    elif isinstance(value, list):
        for place, each in enumerate(value):
            found += places(each, (*path, place))
    return found


@st.composite
def damaged(draw: Any) -> tuple[str, dict[str, Any]]:
    url = draw(st.sampled_from(sorted(BODIES)))
    body = copy.deepcopy(BODIES[url])
    for path in draw(st.lists(st.sampled_from(places(body)), min_size=1, max_size=2)):
        part: Any = body
        try:
            for key in path[:-1]:
                part = part[key]
            if draw(st.booleans()):
                part[path[-1]] = draw(st.sampled_from(NASTY))
            elif isinstance(part, dict):
                del part[path[-1]]
                part[draw(st.sampled_from(["", "é", "x" * 99, "points ", "__proto__"]))] = 1
        except (KeyError, TypeError, IndexError):
            continue
    return url, body


@pytest.fixture
def world(member, house):
    promotion()
    sweepstake()
    give(member, 1000)
    return house


@settings(
    max_examples=200,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(sent=damaged())
def test_a_damaged_body_is_refused_or_posted_and_never_a_fault(sent, world):
    url, body = sent
    before = (Transaction.objects.count(), Entry.objects.count())

    response = world.post(url, json.dumps(body))

    assert response.status_code < 500, (url, body, response.content)
    if response.status_code >= 400:
        assert response.headers["Content-Type"] == "application/problem+json"
        assert response.json()["code"]
        assert (Transaction.objects.count(), Entry.objects.count()) == before


def test_foreign_transactions_are_not_found(till, api_of, member, partner, now):
    from tests.factories.partners import PartnerFactory

    other = PartnerFactory()
    sale = give(member, 100, partner=other)
    common = {"original": {"id": str(sale.id)}, "reference": "F"}

    answers = [
        till.get(f"/transactions/{sale.id}/"),
        till.post("/transactions/lock/", common),
        till.post("/transactions/unlock/", common),
        till.post("/transactions/reverse-earn/", {**common, "occurred_at": now.isoformat()}),
    ]

    assert [answer.status_code for answer in answers] == [404] * 4
    assert Transaction.objects.count() == 1
