"""The partner's page keeps rates apart and their past as it was; masters keep to their schema."""

from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
from django.urls import reverse

from loyalty.models import Master, MasterEntity, Program, User
from partners.models import Exchange, PartnerRate
from partners.services.clients import create_client
from tests.factories.ledger import give
from tests.factories.loyalty import UserFactory

PARTS = ["outlets", "rates", "exchange", "contacts", "clients"]


@pytest.fixture
def office(client, program):
    client.force_login(User.objects.create_superuser("boss", password="secret"))
    return client


@pytest.fixture
def save(office, partner):
    def send(*rates, kept=0):
        form = {
            "name": "The Grocer",
            "kind": "MERCHANT",
            "status": "ACTIVE",
            "currency": "EUR",
            **{f"{each}-{count}_FORMS": 0 for each in PARTS for count in ("TOTAL", "INITIAL")},
            "rates-TOTAL_FORMS": len(rates),
            "rates-INITIAL_FORMS": kept,
        }
        for place, rate in enumerate(rates):
            for name, value in rate.items():
                if name in ("valid_from", "valid_to"):
                    local = value.astimezone(ZoneInfo(Program.objects.get().time_zone))
                    form[f"rates-{place}-{name}_0"] = local.date().isoformat()
                    form[f"rates-{place}-{name}_1"] = local.time().isoformat()
                else:
                    form[f"rates-{place}-{name}"] = value
        return office.post(reverse("admin:partners_partner_change", args=[partner.pk]), form)

    return send


def earn(since, rate="0.01", **more):
    return {"kind": "EARN", "point_type": "PTS", "rate": rate, "valid_from": since, **more}


def test_rates_are_entered_and_never_overlap(save, partner, now):
    first = earn(now, valid_to=now + timedelta(days=1))
    overlapping = earn(now + timedelta(hours=23), rate="0.02")
    following = earn(now + timedelta(days=1), rate="0.02")

    refused = save(first, overlapping)
    assert refused.status_code == 200
    assert "in force at the same time" in refused.content.decode()
    assert PartnerRate.objects.count() == 0

    assert save(first, following).status_code == 302
    assert PartnerRate.objects.count() == 2
    partner.refresh_from_db()
    assert partner.version == 2


def test_a_rate_of_the_past_stands_in_the_back_office_too(save, partner, now):
    PartnerRate.objects.create(
        partner=partner,
        kind="EARN",
        point_type="PTS",
        rate="0.01",
        valid_from=now - timedelta(days=5),
    )
    row = PartnerRate.objects.get()

    refused = save(earn(row.valid_from, rate="0.5", id=row.pk, partner=partner.pk), kept=1)
    ended = save(
        earn(
            row.valid_from,
            rate="0.01",
            valid_to=now + timedelta(days=1),
            id=row.pk,
            partner=partner.pk,
        ),
        kept=1,
    )

    assert "was in force" in refused.content.decode()
    assert ended.status_code == 302
    row.refresh_from_db()
    assert row.valid_to == now + timedelta(days=1)


def test_an_entity_is_changed_by_a_schema_that_is_one(office):
    entity = MasterEntity.objects.get(code="product")
    page = reverse("admin:loyalty_masterentity_change", args=[entity.pk])
    form = {"name": "Product", "parent_entity": entity.parent_entity_id}

    refused = office.post(page, {**form, "schema": '{"brand": {"type": "WORD"}}'})
    accepted = office.post(page, {**form, "schema": '{"brand": {"type": "TEXT"}}'})

    assert "/brand/type" in refused.content.decode()
    assert accepted.status_code == 302
    entity.refresh_from_db()
    assert (entity.schema, entity.version) == ({"brand": {"type": "TEXT"}}, 2)


def test_a_record_keeps_to_its_schema_in_the_back_office(office):
    entity = MasterEntity.objects.get(code="product")
    page = reverse("admin:loyalty_master_add")
    form = {"entity": entity.pk, "code": "1", "name": "One", "translations": "{}"}

    refused = office.post(page, {**form, "attributes": '{"brand": 7}'})
    accepted = office.post(page, {**form, "attributes": '{"brand": "Own"}'})

    assert "/brand" in refused.content.decode()
    assert accepted.status_code == 302
    assert Master.objects.get().attributes == {"brand": "Own"}


@pytest.mark.parametrize(("group", "allowed"), [("Partner manager", True), ("Auditor", False)])
def test_an_exchange_is_settled_in_the_back_office(group, allowed, client, member, partner, till):
    from tests.api.test_exchange import make_airline

    give(member, 500)
    now = member.joined_at
    make_airline(now)
    till.post(
        "/transactions/redeem/",
        {
            "member": {"card": "6275000000000017"},
            "reference": "X",
            "occurred_at": now.isoformat(),
            "type": "PTS",
            "points": 500,
            "purpose": "EXCHANGE",
            "exchange": {"partner": "AIR", "account": "123456789"},
        },
    )
    row = Exchange.objects.get()
    client.force_login(UserFactory(groups=[group]))

    client.post(
        reverse("admin:partners_exchange_changelist"),
        {"action": "say_failed", "_selected_action": [row.pk]},
    )

    row.refresh_from_db()
    assert row.status == ("FAILED" if allowed else "SENT")


def test_a_secret_is_rotated_on_the_clients_page_once_that_is_confirmed(office, partner):
    made = create_client("till", partner=partner)
    url = reverse("admin:partners_apiclient_rotate_this", args=[made.client.pk])

    asked = office.get(url)
    made.client.refresh_from_db()
    assert (asked.status_code, made.client.second_secret) == (200, "")
    shown = office.post(url, follow=True)

    made.client.refresh_from_db()
    assert made.client.second_secret != ""
    assert "The secret is shown this once." in shown.content.decode()


@pytest.mark.parametrize("group", ["Auditor", "Helpdesk", "Finance"])
def test_who_may_not_change_clients_rotates_no_secret(group, client, partner):
    made = create_client("till", partner=partner)
    client.force_login(UserFactory(groups=[group]))

    url = reverse("admin:partners_apiclient_rotate_this", args=[made.client.pk])

    assert client.post(url).status_code == 403
    made.client.refresh_from_db()
    assert made.client.second_secret == ""


def test_a_partner_manager_rotates_no_secret_of_the_house(client, program):
    made = create_client("house", partner=None)
    client.force_login(UserFactory(groups=["Partner manager"]))

    url = reverse("admin:partners_apiclient_rotate_this", args=[made.client.pk])

    assert client.post(url).status_code == 403
