"""The back office shows what was sent to a subscriber, and sends it again."""

from datetime import UTC, datetime

import pytest
from django.urls import reverse

from loyalty.models import OutboxEvent, WebhookDelivery, WebhookSubscription
from tests.factories.ledger import give
from tests.factories.loyalty import UserFactory


@pytest.fixture
def delivery(house, member):
    wanted = {"url": "https://shop.example/hook", "events": ["points.*"]}
    assert house.put("/webhooks/SHOP/", wanted).status_code == 201
    give(member, 100)
    row = WebhookSubscription.objects.get()
    event = OutboxEvent.objects.latest("pk")
    return WebhookDelivery.objects.create(
        id=event.object_id,
        subscription=row,
        event=event,
        subject=member.pk,
        status="DEAD",
        attempts=9,
        next_at=datetime.now(UTC),
        created_at=datetime.now(UTC),
    )


def test_a_subscription_leads_to_its_log_and_keeps_its_secret(office, delivery):
    page = office.get(
        reverse("admin:loyalty_webhooksubscription_change", args=[delivery.subscription_id])
    ).content.decode()

    assert "1 in the log" in page
    assert "secret" not in page.lower()


def test_a_delivery_shows_what_it_tells(office, delivery):
    page = office.get(reverse("admin:loyalty_webhookdelivery_change", args=[delivery.pk]))

    assert "&quot;type&quot;: &quot;points.earn&quot;" in page.content.decode()


def test_a_delivery_is_sent_again_once_that_is_confirmed(office, delivery):
    url = reverse("admin:loyalty_webhookdelivery_send_this_again", args=[delivery.pk])

    asked = office.get(url)
    delivery.refresh_from_db()
    assert (asked.status_code, delivery.status) == (200, "DEAD")
    office.post(url)

    delivery.refresh_from_db()
    assert delivery.status == "PENDING"


def test_a_subscription_is_paused_and_goes_on(office, delivery):
    url = reverse("admin:loyalty_webhooksubscription_changelist")
    row = delivery.subscription

    office.post(url, {"action": "pause", "_selected_action": [row.pk]})
    row.refresh_from_db()
    assert (row.active, row.version) == (False, 2)
    office.post(url, {"action": "resume", "_selected_action": [row.pk]})

    row.refresh_from_db()
    assert (row.active, row.version) == (True, 3)


@pytest.mark.parametrize(("group", "paused"), [("Programme manager", True), ("Auditor", False)])
def test_who_may_pause(group, paused, client, delivery):
    client.force_login(UserFactory(groups=[group]))
    url = reverse("admin:loyalty_webhooksubscription_changelist")

    client.post(url, {"action": "pause", "_selected_action": [delivery.subscription_id]})

    delivery.subscription.refresh_from_db()
    assert delivery.subscription.active is not paused
