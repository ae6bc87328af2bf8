"""One value for many members, and a value that is given up while others want it."""

import threading
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import transaction

from loyalty.caller import Actor
from loyalty.models import IdentityProvider
from members.models import Alias, ReleasedAlias
from members.services import aliases
from tests.concurrency.test_redemption import race
from tests.factories.members import AliasFactory, MemberFactory

DESKS = 8
DESK = Actor.staff("desk")
EMAIL = "ann@example.org"
pytestmark = pytest.mark.django_db(transaction=True)


def bind(member: Any, value: str = EMAIL) -> Any:
    with transaction.atomic():
        return aliases.bind_alias(member, "email", value, by=DESK, at=datetime.now(UTC))


def test_one_value_binds_one_member(committed_program):
    members = [MemberFactory() for _ in range(DESKS)]

    outcomes = race(lambda desk: bind(members[desk]), tills=DESKS)

    assert outcomes == ["ALIAS_TAKEN"] * (DESKS - 1) + ["done"]
    assert Alias.objects.count() == 1


def test_looking_first_and_storing_then_only_meets_the_constraint(committed_program, monkeypatch):
    """Prove that the race above is a real one: all see the value free, and all but one fail."""
    members = [MemberFactory() for _ in range(DESKS)]
    looked = threading.Barrier(DESKS)

    def look_and_store(member, provider, value, *, verified_at, at):
        assert not Alias.objects.filter(provider=provider, value=value).exists()
        looked.wait()
        return Alias.objects.create(member=member, provider=provider, value=value)

    monkeypatch.setattr(aliases, "store_alias", look_and_store)
    outcomes = race(lambda desk: bind(members[desk]), tills=DESKS)

    assert outcomes == ["IntegrityError"] * (DESKS - 1) + ["done"]


def test_a_member_gets_no_more_than_the_provider_allows(committed_program):
    IdentityProvider.objects.update(max_per_member=3)
    member = MemberFactory()

    outcomes = race(lambda desk: bind(member, f"a{desk}@example.org"), tills=DESKS)

    assert outcomes == ["ALIAS_LIMIT_REACHED"] * (DESKS - 3) + ["done"] * 3
    assert Alias.objects.filter(member=member).count() == 3


def test_without_the_lock_of_the_member_she_gets_more(committed_program, monkeypatch):
    """Prove that the race above is a real one."""
    member = MemberFactory()
    read = threading.Barrier(DESKS)

    def unlocked(member_id):
        return member

    stored = aliases.store_alias

    def wait_and_store(*arguments, **options):
        read.wait()
        return stored(*arguments, **options)

    monkeypatch.setattr(aliases, "lock_member", unlocked)
    monkeypatch.setattr(aliases, "store_alias", wait_and_store)
    outcomes = race(lambda desk: bind(member, f"a{desk}@example.org"), tills=DESKS)

    assert outcomes == ["done"] * DESKS
    assert Alias.objects.filter(member=member).count() == DESKS


def test_a_value_given_up_at_this_moment_is_kept_from_who_waits_for_it(committed_program):
    owner = AliasFactory(value=EMAIL).member
    other = MemberFactory()
    released, waiting = threading.Event(), []

    def give_up() -> None:
        with transaction.atomic():
            aliases.remove_alias(owner, "email", EMAIL, by=DESK, at=datetime.now(UTC))
            released.set()
            waiting[0].join(0.5)  # The other stands at the unique value by now.

    def act(till: int) -> Any:
        if not till:
            return give_up()
        waiting.append(threading.current_thread())
        released.wait(5)
        return bind(other)

    outcomes = race(act, tills=2)

    assert outcomes == ["ALIAS_TAKEN", "done"]
    assert not Alias.objects.exists()
    assert ReleasedAlias.objects.get().member == owner
