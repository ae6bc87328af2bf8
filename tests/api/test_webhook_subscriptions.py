"""Webhooks as they are subscribed to: by whom, where to, and of what."""

import pytest

from loyalty.models import WebhookSubscription
from loyalty.services import receivers
from tests.factories.partners import PartnerFactory

EVENTS = ["points.*", "voucher.issued"]
URL = "https://shop.example/hooks/laurel"


def put(api, code="SHOP", **changes):
    return api.put(f"/webhooks/{code}/", {"url": URL, "events": EVENTS, **changes})


def test_put_is_safe_to_repeat_and_guarded_by_its_version(till):
    first = put(till)
    same = put(till)
    other = put(till, events=["points.earn"])
    stale = till.put(
        "/webhooks/SHOP/",
        {"url": URL, "events": ["points.earn"], "active": False},
        **{"If-Match": first.headers["ETag"]},
    )

    assert (first.status_code, same.status_code, other.status_code) == (201, 200, 200)
    assert [first.headers["ETag"], same.headers["ETag"], other.headers["ETag"]] == [
        '"1"',
        '"1"',
        '"2"',
    ]
    assert (stale.status_code, stale.json()["version"]) == (412, 2)
    assert [row["code"] for row in till.get("/webhooks/").json()["results"]] == ["SHOP"]


def test_another_partners_webhook_is_not_there(till, api_of):
    put(till)
    other = api_of(PartnerFactory())

    assert other.get("/webhooks/SHOP/").status_code == 404
    assert other.get("/webhooks/SHOP/deliveries/").status_code == 404
    assert other.delete("/webhooks/SHOP/").status_code == 404
    assert other.get("/webhooks/").json()["results"] == []
    assert WebhookSubscription.objects.count() == 1


@pytest.mark.parametrize(
    ("url", "events", "pointer"),
    [
        ("http://example.org/", EVENTS, "/url"),
        ("ftp://example.org/", EVENTS, "/url"),
        ("https://user:secret@example.org/", EVENTS, "/url"),
        ("https:///path", EVENTS, "/url"),
        ("https://example.org:99999/", EVENTS, "/url"),
        ("https://[::1/", EVENTS, "/url"),
        ("https://example.org/ x", EVENTS, "/url"),
        ("https://example.org/", [], "/events"),
        ("https://example.org/", ["points.nothing"], "/events/0"),
        ("https://example.org/", ["*"], "/events/0"),
    ],
)
def test_what_cannot_be_subscribed_is_named(till, url, events, pointer):
    answer = till.put("/webhooks/SHOP/", {"url": url, "events": events})

    assert answer.status_code == 400
    assert answer.json()["errors"][0]["pointer"] == pointer
    assert not WebhookSubscription.objects.exists()


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.0.0.1",
        "172.16.9.9",
        "192.168.1.1",
        "169.254.169.254",
        "0.0.0.0",
        "::1",
        "fe80::1",
        "fd00::1",
        "::ffff:127.0.0.1",
        "224.0.0.1",
    ],
)
def test_private_addresses_are_not_public(address):
    assert not receivers.is_public(address)


def test_public_addresses_are_public():
    assert receivers.is_public("93.184.216.34")
    assert receivers.is_public("2606:2800:220:1:248:1893:25c8:1946")
