"""Master data stands in a hierarchy that knows its way up, whatever moves."""

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from loyalty.errors import ValidationFailed
from loyalty.models import Master, MasterEntity, User
from loyalty.services import masters
from tests.factories.loyalty import MasterFactory


@pytest.fixture
def tree(program):
    """FOOD > DRINKS > COFFEE > product 1095275, and HOME beside FOOD."""
    food = MasterFactory(code="FOOD")
    drinks = MasterFactory(code="DRINKS", parent=food)
    coffee = MasterFactory(code="COFFEE", parent=drinks)
    product = MasterEntity.objects.get(code="product")
    MasterFactory(code="1095275", entity=product, parent=coffee)
    MasterFactory(code="HOME")


def path_of(code):
    return Master.objects.get(code=code).path


def move(code, parent):
    master = Master.objects.get(code=code)
    master.parent = parent and Master.objects.get(code=parent)
    with transaction.atomic():
        masters.save(master)


def test_a_path_leads_from_the_root_to_the_parent(tree):
    assert path_of("FOOD") == []
    assert path_of("1095275") == ["FOOD", "DRINKS", "COFFEE"]


def test_what_stands_below_moves_along(tree):
    move("DRINKS", "HOME")

    assert path_of("DRINKS") == ["HOME"]
    assert path_of("COFFEE") == ["HOME", "DRINKS"]
    assert path_of("1095275") == ["HOME", "DRINKS", "COFFEE"]


def test_a_branch_can_become_a_root(tree):
    move("DRINKS", None)

    assert path_of("1095275") == ["DRINKS", "COFFEE"]


@pytest.mark.parametrize("parent", ["DRINKS", "COFFEE", "1095275"])
def test_nothing_stands_below_itself(parent, tree):
    with pytest.raises(ValidationFailed) as refused:
        move("DRINKS", parent)

    error = refused.value.errors[0]
    assert (error.pointer, error.code) == ("/parent", "LOOP")
    assert error.message == f"{parent} is DRINKS itself or stands below it."
    assert path_of("1095275") == ["FOOD", "DRINKS", "COFFEE"]


def test_a_move_costs_the_same_whatever_stands_below(tree):
    with CaptureQueriesContext(connection) as few:
        move("COFFEE", "HOME")
    coffee = Master.objects.get(code="COFFEE")
    for _ in range(20):
        MasterFactory(parent=coffee)

    with CaptureQueriesContext(connection) as many:
        move("COFFEE", "FOOD")

    assert len(many) == len(few)
    assert path_of("1095275") == ["FOOD", "COFFEE"]


def test_the_back_office_refuses_a_loop_in_a_sentence(tree, client):
    client.force_login(User.objects.create_superuser("boss"))
    drinks, coffee = Master.objects.get(code="DRINKS"), Master.objects.get(code="COFFEE")
    form = {"name": "Drinks", "attributes": "{}", "translations": "{}"}
    url = reverse("admin:loyalty_master_change", args=[drinks.pk])

    refused = client.post(url, {**form, "parent": coffee.pk})
    accepted = client.post(url, {**form, "parent": Master.objects.get(code="HOME").pk})

    assert "COFFEE is DRINKS itself or stands below it." in refused.content.decode()
    assert accepted.status_code == 302
    assert path_of("1095275") == ["HOME", "DRINKS", "COFFEE"]


def test_a_master_keeps_its_code(tree, client):
    client.force_login(User.objects.create_superuser("boss"))
    home = Master.objects.get(code="HOME")
    form = {"name": "Home and garden", "code": "GARDEN", "attributes": "{}", "translations": "{}"}

    client.post(reverse("admin:loyalty_master_change", args=[home.pk]), form)

    home.refresh_from_db()
    assert (home.code, home.name) == ("HOME", "Home and garden")
