"""Promotions as the builder's form sends them."""

import re
from datetime import UTC, datetime
from html import unescape
from zoneinfo import ZoneInfo

from django.db import transaction
from django.utils import timezone

from loyalty.models import Program
from promotions.admin.promotion_form import PromotionForm
from promotions.services.writing.authoring import write_promotion

ADD = "admin:promotions_promotion_add"


POINTS = {"kind": "PER_AMOUNT", "type": "PTS", "points": 1, "per": "1.00"}


TEST = {
    "name": "two coffees",
    "basket": {
        "occurred_at": "2026-01-05T12:00:00Z",
        "lines": [{"amount": "5.98", "quantity": "2", "sku": "1095275", "category": "COFFEE"}],
    },
    "member": {"tier": "BASE"},
    "points": [{"type": "PTS", "points": 5}],
}


WHOLE = {
    "name": "Coffee, everything",
    "active_from": "2026-01-01T00:00:00.123456+01:00",
    "active_to": "2031-01-01T00:00:00Z",
    "weekdays": ["MON", "SUN"],
    "hours": {"from": "08:00:00", "to": "20:30:00"},
    "audience": {
        "segments": ["VIP"],
        "not_segments": ["STAFF"],
        "tiers": ["BASE"],
        "stages": ["ACTIVE"],
        "partners": ["GROCER"],
        "outlets": ["S1", "S2"],
        "channels": ["POS"],
    },
    "coupons": ["SPRING", "MAY"],
    "not_tenders": ["GIFT_CARD"],
    "lines": {
        "include": {"category": ["COFFEE"], "brand": ["Own brand"]},
        "exclude": {"sku": ["1"]},
    },
    "minimum": {"amount": "2.00", "quantity": "1"},
    "condition": "basket.amount >= 2.0",
    "award": {**POINTS, "rounding": "HALF_UP", "scope": "BASKET"},
    "combination": {"priority": 7, "group": "G", "stackable": False, "base": True},
    "limits": [
        {"per": "MEMBER", "period": "DAY", "measure": "USES", "at_most": 1, "then": "SKIP"},
        {"per": "TRANSACTION", "measure": "AMOUNT", "at_most": "9.50"},
    ],
    "budget": {"measure": "POINTS", "at_most": 1000, "then": "SKIP"},
    "funded_by": "GROCER",
    "pending": "P14D",
    "expiry": {"after": "P12M", "from": "AVAILABLE", "round_up": "MONTH"},
    "texts": {"en": {"title": "Coffee", "body": "Two lines\nof text", "terms": ""}},
    "visible": False,
    "tests": [
        TEST,
        {**TEST, "name": "a guest", "member": None, "points": []},
        {
            "name": "an amount",
            "basket": {"occurred_at": "2026-01-05T12:00:00Z", "amount": "9.00"},
            "member": {"segments": [], "attributes": {"size": 3}},
            "rewards": [{"kind": "VOUCHER", "code": "FIVE", "quantity": 1}],
        },
    ],
}


OTHERS = [
    {"name": "Bands", "award": {"kind": "BANDED", "type": "PTS",
        "bands": [{"from": "10.00", "points": 5}, {"from": "50.00", "points": 1, "per": "2.00"}]}},
    {"name": "Twice", "award": {"kind": "MULTIPLIER", "type": "PTS", "factor": "2"}},
    {"name": "Voucher", "award": {"kind": "VOUCHER", "voucher_type": "FIVE", "quantity": 2}},
    {"name": "Event", "trigger": "EVENT", "event": "SURVEY",
        "award": {"kind": "FIXED", "type": "PTS", "points": 9}},
]  # fmt: skip


def sent(form):
    """Return what a browser sends of a form that nobody touched."""
    data = {}
    with timezone.override(ZoneInfo(Program.objects.get().time_zone)):
        fields = [unescape(str(field)) for field in form]
    for html in fields:
        for tag, body in re.findall(r"<(input|select|textarea)\b([^>]*)>", html):
            attributes = dict(re.findall(r'(\S+?)="([^"]*)"', body))
            name = attributes.get("name")
            if name is None or "__place__" in name:
                continue
            kind = attributes.get("type")
            if tag == "input" and (
                kind not in ("checkbox", "radio") or re.search(r"\schecked(=|\s|$)", body)
            ):
                box = "on" if kind in ("checkbox", "radio") else ""
                data.setdefault(name, []).append(attributes.get("value", box))
        for name, text in re.findall(
            r'<textarea[^>]*name="([^"]*)"[^>]*>\r?\n?(.*?)</textarea>', html, re.S
        ):
            data[name] = [text]
        for start, body in re.findall(r"<select([^>]*)>(.*?)</select>", html, re.S):
            name = re.search(r'name="([^"]*)"', start)[1]
            data[name] = re.findall(r'<option value="([^"]*)" selected', body)
            if not data[name] and " multiple" not in start:
                data[name] = re.findall(r'<option value="([^"]*)"', body)[:1]
    return {name: values for name, values in data.items() if "__place__" not in name}


def form_data(**definition):
    """Return what the form of a new promotion with this definition would send."""
    with transaction.atomic():
        made = write_promotion("FORM", definition, status="DRAFT", at=datetime.now(UTC))
        data = sent(PromotionForm(instance=made.promotion))
        transaction.set_rollback(True)
    return data


def inlines():
    return {
        f"{name}-{part}": "0"
        for name in ("versions", "statuses")
        for part in ("TOTAL_FORMS", "INITIAL_FORMS")
    }


def text_of(page):
    return unescape(page.content.decode())
