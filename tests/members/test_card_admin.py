"""The back office's pages of cards, ranges and aliases: what they do, the services do."""

import pytest
from django.urls import reverse

from members.models import Activity, Alias, Card, CardRange, ReleasedAlias
from tests.factories.loyalty import UserFactory
from tests.factories.members import AliasFactory, CardFactory, CardRangeFactory, MemberFactory


@pytest.fixture
def desk(client, program):
    client.force_login(UserFactory(username="desk", groups=["Helpdesk"]))
    return client


@pytest.fixture
def manager(client, program):
    client.force_login(UserFactory(groups=["Programme manager"]))
    return client


def act(client, name, *cards):
    url = reverse("admin:members_card_changelist")
    body = {"action": name, "_selected_action": [card.pk for card in cards]}
    return client.post(url, body, follow=True).content.decode()


@pytest.mark.parametrize(
    ("name", "status", "kind"),
    [
        ("block", "BLOCKED", "CARD_BLOCKED"),
        ("report_lost", "LOST", "CARD_REPORTED"),
        ("report_stolen", "STOLEN", "CARD_REPORTED"),
        ("close", "CLOSED", "CARD_CLOSED"),
    ],
)
def test_the_desk_reports_cards(name, status, kind, desk):
    cards = [CardFactory(), CardFactory()]

    act(desk, name, *cards)

    assert [card.status for card in Card.objects.all()] == [status] * 2
    line = Activity.objects.filter(member=cards[0].member).get()
    assert (line.kind, line.actor_kind, line.actor) == (kind, "STAFF", "desk")


def test_the_desk_lets_a_card_work_again(desk):
    card = CardFactory(status="BLOCKED")

    act(desk, "unblock", card)

    assert Card.objects.get().status == "ACTIVE"


@pytest.mark.parametrize(
    ("name", "status"),
    [("replace_lost", "LOST"), ("replace_stolen", "STOLEN"), ("replace_damaged", "REPLACED")],
)
def test_the_desk_replaces_a_card(name, status, desk):
    card = CardFactory()

    page = act(desk, name, card)

    card.refresh_from_db()
    assert card.status == status
    assert f"{card.number} is replaced by {card.successor.number}." in page


def test_a_refusal_is_told_and_leaves_the_others(desk):
    replaced, good = CardFactory(status="CLOSED"), CardFactory()

    page = act(desk, "replace_lost", replaced, good)

    assert f"{replaced.number}: The card is CLOSED." in page
    assert Card.objects.get(pk=good.pk).status == "LOST"
    assert Card.objects.count() == 3


def test_who_may_only_look_has_no_actions(client, program):
    client.force_login(UserFactory(groups=["Auditor"]))
    card = CardFactory()

    act(client, "block", card)

    assert Card.objects.get().status == "ACTIVE"


def range_form(**changes):
    body = {
        "code": "NEW",
        "name": "New",
        "first": "7000000000",
        "last": "7000000099",
        "check_digit": "LUHN",
        "active": "on",
    }
    return {**body, **changes}


def test_a_manager_adds_a_range_and_sees_what_is_left(manager):
    answer = manager.post(reverse("admin:members_cardrange_add"), range_form())

    assert answer.status_code == 302
    page = manager.get(reverse("admin:members_cardrange_changelist")).content.decode()
    assert "100 of 100" in page


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"last": "70000000"}, "as long as the first"),
        ({"last": "6999999999"}, "not before it"),
        ({"first": "70000000a0"}, "4 to 31 digits"),
        ({"first": "6275100000", "last": "6275100009"}, None),
        ({"first": "627515000000000", "last": "627525000000000"}, "The range CARDS holds some"),
        (
            {"first": "6275199999999990", "last": "6275299999999990", "check_digit": "NONE"},
            "The range CARDS holds some",
        ),
    ],
)
def test_a_range_shares_no_number_with_another(changes, words, manager):
    answer = manager.post(reverse("admin:members_cardrange_add"), range_form(**changes))

    if words is None:  # Shorter numbers are other numbers.
        assert answer.status_code == 302
        return
    assert words in answer.content.decode()
    assert not CardRange.objects.filter(code="NEW").exists()


def test_a_range_in_use_keeps_what_its_cards_were_made_by(manager):
    source = CardRangeFactory(first="7000000000", last="7000000099")
    CardFactory(number="70000000001", range=source)
    url = reverse("admin:members_cardrange_change", args=[source.pk])

    manager.post(url, range_form(code="OTHER", first="8000000000", last="7000000199"))

    source.refresh_from_db()
    assert source.code != "OTHER"
    assert (source.first, source.last) == ("7000000000", "7000000199")
    page = manager.get(reverse("admin:members_cardrange_changelist")).content.decode()
    assert "199 of 200" in page


def test_the_desk_binds_and_removes_an_alias(desk):
    member = MemberFactory()
    provider = AliasFactory().provider
    body = {"member": member.pk, "provider": provider.pk, "value": "Ann@Example.org"}

    desk.post(reverse("admin:members_alias_add"), body)

    alias = Alias.objects.get(member=member)
    assert alias.value == "ann@example.org"
    desk.post(reverse("admin:members_alias_delete", args=[alias.pk]), {"post": "yes"})
    assert not Alias.objects.filter(member=member).exists()
    assert ReleasedAlias.objects.get().member == member
    kinds = list(Activity.objects.order_by("pk").values_list("kind", "actor"))
    assert kinds == [("ALIAS_ADDED", "desk"), ("ALIAS_REMOVED", "desk")]


def test_many_aliases_are_removed_by_the_service_too(desk):
    chosen = [AliasFactory(), AliasFactory()]
    body = {
        "action": "delete_selected",
        "_selected_action": [alias.pk for alias in chosen],
        "post": "yes",
    }

    desk.post(reverse("admin:members_alias_changelist"), body)

    assert not Alias.objects.exists()
    assert ReleasedAlias.objects.count() == 2


def test_a_value_that_is_taken_is_told(desk):
    taken = AliasFactory(value="ann@example.org")
    body = {"member": MemberFactory().pk, "provider": taken.provider_id, "value": "ANN@example.org"}

    page = desk.post(reverse("admin:members_alias_add"), body, follow=True).content.decode()

    assert "This value is in use" in page
    assert Alias.objects.count() == 1


def test_a_value_is_let_go_before_its_time(desk):
    alias = AliasFactory()
    desk.post(reverse("admin:members_alias_delete", args=[alias.pk]), {"post": "yes"})
    held = ReleasedAlias.objects.get()
    page = desk.get(reverse("admin:members_releasedalias_changelist")).content.decode()
    assert held.masked in page
    assert alias.value not in page

    desk.post(reverse("admin:members_releasedalias_delete", args=[held.pk]), {"post": "yes"})

    assert not ReleasedAlias.objects.exists()


@pytest.mark.parametrize("page", ["card", "cardrange", "alias", "releasedalias"])
def test_every_page_opens(page, client, program):
    client.force_login(UserFactory(is_superuser=True))
    card = CardFactory(range=CardRange.objects.get())
    alias = AliasFactory(member=card.member)
    objects = {"card": card, "cardrange": card.range, "alias": alias}

    assert client.get(reverse(f"admin:members_{page}_changelist")).status_code == 200
    if page in objects:
        url = reverse(f"admin:members_{page}_change", args=[objects[page].pk])
        assert client.get(url).status_code == 200
    member = reverse("admin:members_member_change", args=[card.member.pk])
    assert client.get(member).status_code == 200
