"""How the tests subscribe and read subscriptions."""

from datetime import UTC, datetime, timedelta

from loyalty.models import OutboxEvent

DAY = timedelta(days=1)


START = datetime(2026, 1, 31, 9, tzinfo=UTC)


def body(plan="GOLD", **changes):
    content = {
        "plan": plan,
        "reference": "SUB-1",
        "payment": {"status": "PAID", "reference": "PAY-1", "method": "CARD"},
    }
    return {key: value for key, value in {**content, **changes}.items() if value is not None}


def states(house, member, **query):
    answer = house.get(f"/members/{member.number}/subscriptions/", **query)
    return [(each["plan"], each["status"]) for each in answer.json()["results"]]


def events():
    return list(
        OutboxEvent.objects.filter(type__startswith="subscription.")
        .order_by("pk")
        .values_list("type", flat=True)
    )


def cancel(house, member, *ids, **changes):
    content = {"subscriptions": list(ids), "reference": "CAN-1", **changes}
    return house.post(f"/members/{member.number}/subscriptions/cancel/", content)
