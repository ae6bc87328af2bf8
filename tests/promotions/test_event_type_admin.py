"""Event types in the back office."""

import json

import pytest
from django.urls import reverse

from loyalty.models import Program
from promotions.models import EventType
from tests.factories.events import EventTypeFactory
from tests.factories.loyalty import UserFactory
from tests.factories.partners import PartnerFactory

FORM = {
    "code": "QUIZ",
    "name": "Quiz",
    "description": "",
    "translations": "{}",
    "schema": json.dumps({"score": {"type": "INTEGER"}}),
    "cooldown": "P7D",
    "once_per": "",
    "active": "on",
}


@pytest.fixture
def manager(client, program):
    client.force_login(UserFactory(groups=["Programme manager"]))
    return client


def add(manager, **changes):
    return manager.post(reverse("admin:promotions_eventtype_add"), {**FORM, **changes})


def test_a_type_is_made_with_who_may_send_it(manager):
    partner = PartnerFactory(code="OTHER")
    before = Program.objects.get().epoch

    assert add(manager, partners=[partner.pk]).status_code == 302

    made = EventType.objects.get(code="QUIZ")
    assert (made.cooldown, made.schema) == ("P7D", {"score": {"type": "INTEGER"}})
    assert list(made.partners.all()) == [partner]
    assert Program.objects.get().epoch > before


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"schema": '{"score": {"type": "NUMBER"}}'}, "/score/type"),
        ({"schema": "[1]"}, "Give an object"),
        ({"schema": "{"}, "valid JSON"),
        ({"schema": '{"role": {"type": "TEXT"}}'}, "/role"),
        ({"cooldown": "a week"}, "ISO 8601"),
        ({"translations": '{"de": 1}'}, "for each language"),
        ({"code": "quiz"}, "Capitals"),
        ({"once_per": "HOUR"}, "not one of the available choices"),
    ],
)
def test_what_cannot_be_is_said_and_not_written(manager, changes, said):
    answer = add(manager, **changes)

    assert answer.status_code == 200
    assert said in answer.content.decode()
    assert not EventType.objects.filter(code__iexact="QUIZ").exists()


def test_a_type_keeps_its_code_and_laurels_own_its_form(manager):
    own, other = EventType.objects.get(code="ANNIVERSARY"), EventTypeFactory()

    for row, changed in ((own, "ANNIVERSARY"), (other, "QUIZ-2")):
        url = reverse("admin:promotions_eventtype_change", args=[row.pk])
        assert manager.get(url).status_code == 200
        answer = manager.post(url, {**FORM, "code": "OTHER-CODE", "name": changed})
        assert answer.status_code == 302

    own.refresh_from_db()
    other.refresh_from_db()
    assert (own.code, own.name, own.cooldown) == ("ANNIVERSARY", "ANNIVERSARY", "")
    assert "years" in own.schema
    assert (other.code, other.name, other.cooldown) == ("SURVEY", "QUIZ-2", "P7D")


def test_the_helpdesk_reads_and_does_not_write(client, program):
    client.force_login(UserFactory(groups=["Helpdesk"]))

    assert client.get(reverse("admin:promotions_eventtype_changelist")).status_code == 200
    assert add(client).status_code == 403
