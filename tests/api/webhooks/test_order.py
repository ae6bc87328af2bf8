"""Webhooks beside open transactions and other workers."""

import threading
from datetime import UTC, datetime

from django.db import connection, transaction

from loyalty.models import WebhookDelivery, WebhookSubscription
from loyalty.services import deliveries, outbox
from tests.api.webhooks.calls import fan_out, put, run
from tests.factories.ledger import give
from tests.factories.members import MemberFactory


def test_what_an_open_transaction_may_still_write_is_waited_for(world, receiver):
    """Ids are not in the order of commits: an earlier one may still be on its way."""
    put(world, receiver, events=["member.updated"])
    begun, go_on = threading.Event(), threading.Event()

    def slowly():
        with transaction.atomic():
            tell("first")
            begun.set()
            go_on.wait(10)
        connection.close()

    def tell(name):
        outbox.record(
            "member.updated",
            at=datetime.now(UTC),
            member_id=world.member.pk,
            partner_id=world.partner.pk,
            payload={"name": name},
        )

    thread = threading.Thread(target=slowly)
    thread.start()
    begun.wait(10)
    with transaction.atomic():
        tell("second")
    deliveries.fan_out(at=datetime.now(UTC))
    assert not WebhookDelivery.objects.exists()
    go_on.set()
    thread.join()

    run()

    told = [row["data"]["object"]["name"] for row in receiver.bodies()]
    assert told == ["first", "second"]


def test_two_workers_send_each_once(world, receiver):
    put(world, receiver)
    receiver.hang = 0.05
    members = [MemberFactory() for _ in range(6)]
    for member in members:
        give(member, 10, partner=world.partner)
        give(member, 10, partner=world.partner)
    fan_out(datetime.now(UTC))

    def work():
        deliveries.deliver()
        connection.close()

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    ids = [headers["webhook-id"] for headers, _ in receiver.got]
    assert (len(ids), len(set(ids))) == (12, 12)


def test_without_the_subjects_lock_they_would_send_twice(world, receiver, monkeypatch):
    """Prove that the race above is a real one."""
    put(world, receiver)
    receiver.hang = 0.3
    give(world.member, 10, partner=world.partner)
    fan_out(datetime.now(UTC))
    key = WebhookSubscription.objects.get().pk

    def work():
        deliveries._send_next(key, world.member.pk, datetime.now(UTC))
        connection.close()

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(receiver.got) == 2
