"""The last points, the same reference, the first account: with real threads on real PostgreSQL."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import connection, transaction
from django.db.utils import IntegrityError, OperationalError

from ledger.models import Transaction
from ledger.services import posting, redemption
from loyalty.errors import LoyaltyError
from partners.models import Partner
from tests.factories.ledger import balance, give
from tests.factories.members import MemberFactory

TILLS = 20
pytestmark = pytest.mark.django_db(transaction=True)


def race(act: Callable[[int], Any], tills: int = TILLS) -> list[str]:
    """Let many tills act at once, each on a connection of its own; return the sorted outcomes."""
    barrier, outcomes = threading.Barrier(tills), []

    def run(till: int) -> None:
        try:
            barrier.wait()
            act(till)
            outcomes.append("done")
        except LoyaltyError as error:
            outcomes.append(error.code)
        except (IntegrityError, OperationalError) as error:
            outcomes.append(type(error).__name__)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(till,)) for till in range(tills)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sorted(outcomes)


def redeem(member: Any, points: int, reference: str) -> Any:
    now = datetime.now(UTC)
    request = redemption.RedemptionRequest(
        member={"id": member.pk},
        partner_id=Partner.objects.get(is_house=True).pk,
        reference=reference,
        digest=b"one",
        occurred_at=now,
        point_type="PTS",
        points=points,
    )
    return redemption.redeem_points(request, at=now)


@pytest.fixture
def spender(committed_program):
    member = MemberFactory()
    give(member, 100)
    return member


def test_twenty_tills_on_a_balance_that_covers_one(spender):
    outcomes = race(lambda till: redeem(spender, 60, f"T{till}"))

    assert outcomes == ["INSUFFICIENT_POINTS"] * (TILLS - 1) + ["done"]
    assert balance(spender).available == 40


def test_exactly_what_the_balance_covers_goes_through(spender):
    outcomes = race(lambda till: redeem(spender, 20, f"T{till}"))

    assert outcomes.count("done") == 5
    assert balance(spender).available == 0


@pytest.mark.broken_books
def test_without_the_lock_the_race_is_lost(spender, monkeypatch):
    """Prove that the races above are real: without the row lock the version check stops them."""
    loaded = threading.Barrier(TILLS)

    def unlocked(member, *, at, **options):
        book = posting.LockedBook(posting.opened_book(_load(member["id"], at), at))
        loaded.wait()
        return book

    monkeypatch.setattr(posting, "lock", unlocked)
    outcomes = race(lambda till: redeem(spender, 60, f"T{till}"))

    assert (
        "OperationalError" in outcomes or "IntegrityError" in outcomes or outcomes.count("done") > 1
    )


def _load(member_id, at):
    import msgspec

    from ledger.queries.books import LoadedBook, execute

    row = execute("SELECT ledger_load_book(%s, %s, 'ALL', NULL, NULL)::text", (member_id, at))
    return msgspec.json.decode(row[0], type=LoadedBook)


def test_the_same_reference_at_once_posts_once(spender):
    outcomes = race(lambda till: redeem(spender, 30, "SAME"))

    assert outcomes == ["done"] * TILLS
    assert Transaction.objects.filter(kind="REDEMPTION").count() == 1
    assert balance(spender).available == 70


def test_one_reference_for_two_members_posts_once(spender):
    other = MemberFactory()
    give(other, 100)
    members = [spender, other]

    outcomes = race(lambda till: redeem(members[till % 2], 10, "SHARED"), tills=2)

    assert outcomes in (["REFERENCE_CONFLICT", "done"], ["done", "done"])
    assert Transaction.objects.filter(kind="REDEMPTION").count() == 1


def test_the_first_postings_of_a_member_open_one_book(committed_program):
    member = MemberFactory()

    outcomes = race(lambda till: give(member, 10))

    assert outcomes == ["done"] * TILLS
    assert balance(member).available == 200


def test_a_lock_is_captured_while_other_tills_try_to_spend_the_same_points(spender):
    from ledger.services import point_lock

    now = datetime.now(UTC)
    house = Partner.objects.get(is_house=True).pk
    lock = point_lock.lock_points(
        point_lock.LockRequest(
            partner_id=house,
            house=True,
            reference="HOLD",
            digest=b"x",
            occurred_at=now,
            member={"id": spender.pk},
            point_type="PTS",
            points=80,
        ),
        at=now,
    ).lock
    assert lock is not None

    def act(till: int) -> Any:
        if till:
            return redeem(spender, 30, f"T{till}")
        request = redemption.RedemptionRequest(
            member={"id": spender.pk},
            partner_id=house,
            reference="CAPTURE",
            digest=b"x",
            occurred_at=now,
            point_type="PTS",
            points=80,
            lock=lock.id,
        )
        return redemption.redeem_points(request, at=now)

    outcomes = race(act)

    assert outcomes == ["INSUFFICIENT_POINTS"] * (TILLS - 1) + ["done"]
    assert (balance(spender).available, balance(spender).locked) == (20, 0)


def test_opposite_orders_of_many_books_do_not_deadlock(committed_program):
    members = [MemberFactory() for _ in range(6)]
    for member in members:
        give(member, 10)
    ids = [member.pk for member in members]

    def act(till: int) -> None:
        order = ids if till % 2 else ids[::-1]
        with transaction.atomic():
            posting.lock_many(order, at=datetime.now(UTC))

    assert race(act, tills=8) == ["done"] * 8


def test_without_the_order_they_do_deadlock(committed_program):
    """Prove that the race above is a real one: in the callers' own orders, one side is the victim."""
    members = [MemberFactory() for _ in range(2)]
    for member in members:
        give(member, 10)
    ids = [member.pk for member in members]
    first_taken = threading.Barrier(2)

    def act(till: int) -> None:
        first, second = ids if till else ids[::-1]
        with transaction.atomic():
            posting.lock({"id": first}, at=datetime.now(UTC))
            first_taken.wait()
            posting.lock({"id": second}, at=datetime.now(UTC))

    assert race(act, tills=2) == ["OperationalError", "done"]


@pytest.mark.broken_books
def test_without_looking_for_the_reference_only_the_constraint_stops_a_second(spender, monkeypatch):
    """Prove that the same reference at once is a real race: unseen, it meets the constraint."""
    monkeypatch.setattr(posting, "replayed", lambda book, digest: None)

    outcomes = race(lambda till: redeem(spender, 30, "SAME"))

    assert outcomes == ["REFERENCE_CONFLICT"] * (TILLS - 1) + ["done"]
    assert balance(spender).available == 70
