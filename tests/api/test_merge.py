"""Two members who are one person: merged, followed by what was posted before, and parted again."""

from datetime import timedelta

import pytest

from ledger.models import Lot, PointLock, Transaction
from loyalty.models import OutboxEvent
from members.models import (
    Activity,
    Alias,
    Card,
    Consent,
    DuplicateFlag,
    Member,
    Segment,
    SegmentMember,
    Session,
)
from tests.factories.ledger import balance, give
from tests.factories.members import AliasFactory, MemberFactory
from tests.factories.promotions import promotion
from tests.factories.tiers import ladder, measured


@pytest.fixture
def old(member):
    """The member who is merged: it has the card of every purchase in these tests."""
    return member


@pytest.fixture
def kept(program):
    return MemberFactory(first_name="Ann", card="6275000000000025")


def ask(house, old, kept, **more):
    body = {"from": {"number": old.number}, "into": {"number": kept.number}, "reason": "One."}
    return house.post("/members/merge/", {**body, **more})


def merge(house, old, kept):
    answer = ask(house, old, kept)
    assert answer.status_code == 200, answer.json()
    return answer.json()


def unmerge(house, old):
    return house.post("/members/unmerge/", {"number": old.number, "reason": "Two after all."})


def row(available=0, pending=0, locked=0, debt=0):
    states = {"available": available, "pending": pending, "locked": locked, "debt": debt}
    return {"type": "PTS", **states}


def figures(member, at=None):
    account = balance(member, at=at)
    return account.available, account.pending, account.locked, account.debt


def spend(till, member, points, reference, now, **more):
    body = {
        "member": {"number": member.number},
        "reference": reference,
        "occurred_at": now.isoformat(),
        "type": "PTS",
        "points": points,
    }
    return till.post("/transactions/redeem/", {**body, **more})


def undo(till, path, reference, original, now, **more):
    body = {"original": {"reference": original}, "reference": reference}
    return till.post(f"/transactions/{path}/", {**body, "occurred_at": now.isoformat(), **more})


def hold(till, member, points, reference):
    body = {"member": {"number": member.number}, "type": "PTS", "points": points}
    return till.post("/transactions/lock/", {**body, "reference": reference}).json()["lock"]


def test_a_preview_tells_what_would_move_and_changes_nothing(house, till, old, kept):
    give(old, 100)
    give(old, 30, pending=timedelta(days=9))
    hold(till, old, 25, "L1")
    give(kept, 7)
    AliasFactory(member=old)
    AliasFactory(member=kept)
    before = Transaction.objects.count()

    answer = ask(house, old, kept, dry_run=True)

    assert answer.status_code == 200
    assert answer.json() == {
        "dry_run": True,
        "from": old.number,
        "into": kept.number,
        "points": [row(available=75, pending=30, locked=25)],
        "balances": [row(available=82, pending=30, locked=25)],
        "moved": {"lots": 2, "locks": 1, "cards": 1, "aliases": 1},
        "conflicts": [{"kind": "ALIASES", "about": "email", "held": 2, "at_most": 1}],
        "transfers": [],
    }
    assert Transaction.objects.count() == before
    assert Member.objects.get(pk=old.pk).stage == "ACTIVE"
    assert not Activity.objects.exists()


def test_a_merge_moves_points_by_state_cards_aliases_and_sessions(
    house, till, old, kept, session_of
):
    sale = give(old, 100)
    give(old, 30, pending=timedelta(days=9))
    hold(till, old, 25, "L1")
    give(kept, 7)
    AliasFactory(member=old)
    session = session_of(old)

    answer = merge(house, old, kept)

    assert answer["points"] == [row(available=75, pending=30, locked=25)]
    assert figures(kept) == (82, 30, 25, 0)
    moved = Lot.objects.get(member=kept, origin=sale.id)
    first = Lot.objects.get(transaction_id=sale.id)
    assert (moved.expires_at, moved.available_at) == (first.expires_at, first.available_at)
    assert (moved.partner_id, moved.expiry) == (first.partner_id, first.expiry)
    assert (moved.moved_from, first.open) == (first.pk, False)
    out, into = (Transaction.objects.get(pk=key) for key in answer["transfers"])
    assert (out.kind, out.member_id, out.effects[0]["points"]) == ("TRANSFER", old.pk, -130)
    assert (into.kind, into.member_id, into.effects[0]["points"]) == ("TRANSFER", kept.pk, 130)
    old.refresh_from_db()
    assert (old.stage, old.merged_into) == ("MERGED", kept)
    assert Card.objects.filter(member=kept).count() == 2
    assert Alias.objects.get().member == kept
    assert Session.objects.get().member_id == kept.pk
    assert session.get("/members/me/points/").json()["member"] == kept.number
    assert PointLock.objects.get().member_id == kept.pk
    event = OutboxEvent.objects.get(type="member.merged")
    assert (event.member_id, event.payload) == (
        kept.pk,
        {"from": old.number, "into": kept.number},
    )
    kinds = Activity.objects.order_by("id").values_list("member_id", "kind", "reason")
    assert list(kinds) == [(old.pk, "MERGED", "One."), (kept.pk, "MERGED_IN", "One.")]


def test_the_old_number_leads_to_the_survivor_and_postings_say_so(house, till, old, kept, now):
    give(old, 100)
    merge(house, old, kept)

    answer = spend(till, old, 30, "X1", now).json()

    assert (answer["member"], answer["merged_from"]) == (kept.number, old.number)
    assert "merged_from" not in spend(till, kept, 30, "X2", now).json()
    again = spend(till, old, 30, "X1", now)
    assert (again.status_code, again.json()) == (200, answer)
    history = till.get(f"/members/{old.number}/transactions/").json()["results"]
    assert [each["kind"] for each in history] == ["REDEMPTION", "REDEMPTION", "TRANSFER"]
    assert figures(kept) == (40, 0, 0, 0)


def test_an_earn_sent_again_after_the_merge_answers_the_first(house, till, old, kept, purchase):
    promotion()
    body = purchase(reference="R-1")
    first = till.post("/transactions/earn/", body)
    merge(house, old, kept)

    again = till.post("/transactions/earn/", body)

    assert (again.status_code, again.json()) == (200, first.json())
    assert again.headers["Idempotent-Replayed"] == "true"


def test_the_survivor_pays_debt_with_what_comes(house, till, old, kept, partner, now):
    give(old, 100)
    sale = give(kept, 60, partner=partner)
    spend(till, kept, 60, "X1", now)
    undo(till, "reverse-earn", "B1", sale.header.reference, now)
    assert figures(kept) == (0, 0, 0, 60)

    answer = merge(house, old, kept)

    assert answer["points"] == [row(available=100)]
    assert answer["balances"] == [row(available=40)]
    assert figures(kept) == (40, 0, 0, 0)


def test_debt_moves_and_is_paid_by_the_survivor(house, till, old, kept, partner, now):
    sale = give(old, 60, partner=partner)
    spend(till, old, 60, "X1", now)
    undo(till, "reverse-earn", "B1", sale.header.reference, now)
    give(kept, 25)

    answer = merge(house, old, kept)

    assert answer["points"] == [row(debt=60)]
    assert figures(kept) == (0, 0, 0, 35)
    assert figures(old) == (0, 0, 0, 35)  # The old number is the survivor's.


def test_an_earn_from_before_is_taken_back_from_the_survivor(house, till, old, kept, partner, now):
    sale = give(old, 100, partner=partner)
    spend(till, old, 30, "X1", now)
    merge(house, old, kept)
    spend(till, kept, 50, "X2", now)

    answer = undo(till, "reverse-earn", "B1", sale.header.reference, now)

    assert answer.status_code == 201
    assert answer.json()["shortfall"] == [{"type": "PTS", "points": 80, "treated": "DEBT"}]
    assert (answer.json()["member"], answer.json()["merged_from"]) == (kept.number, old.number)
    assert figures(kept) == (0, 0, 0, 80)
    again = undo(till, "reverse-earn", "B2", sale.header.reference, now)
    assert again.json()["code"] == "ALREADY_REVERSED"


def test_an_earn_that_was_spent_whole_before_is_owed_by_the_survivor(
    house, till, old, kept, partner, now
):
    sale = give(old, 100, partner=partner)
    spend(till, old, 100, "X1", now)
    give(kept, 40)
    merge(house, old, kept)

    answer = undo(till, "reverse-earn", "B1", sale.header.reference, now)

    assert answer.json()["shortfall"][0]["points"] == 100
    assert figures(kept) == (0, 0, 0, 60)


def test_a_redemption_from_before_comes_back_with_its_dates(house, till, old, kept, now):
    sale = give(old, 100, lives=timedelta(days=200))
    spend(till, old, 80, "X1", now)
    merge(house, old, kept)

    part = undo(till, "reverse-redemption", "B1", "X1", now, points=30)
    rest = undo(till, "reverse-redemption", "B2", "X1", now)

    assert (part.status_code, rest.status_code) == (201, 201)
    expires = Lot.objects.get(transaction_id=sale.id).expires_at
    assert [lot["points"] for lot in part.json()["lots"] + rest.json()["lots"]] == [30, 50]
    assert set(Lot.objects.filter(member=kept).values_list("expires_at", flat=True)) == {expires}
    assert figures(kept) == (100, 0, 0, 0)
    more = undo(till, "reverse-redemption", "B3", "X1", now)
    assert more.json()["code"] == "ALREADY_REVERSED"
    back = undo(till, "reverse-earn", "B4", sale.header.reference, now)
    assert back.json()["code"] == "TRANSACTION_NOT_FOUND"  # Another partner's sale.


def test_a_sale_whose_redemption_came_back_is_taken_back_whole(
    house, till, old, kept, partner, now
):
    sale = give(old, 100, partner=partner)
    spend(till, old, 80, "X1", now)
    merge(house, old, kept)
    undo(till, "reverse-redemption", "B1", "X1", now)

    answer = undo(till, "reverse-earn", "B2", sale.header.reference, now)

    assert answer.json()["shortfall"] == []
    assert figures(kept) == (0, 0, 0, 0)


def test_a_hold_from_before_is_captured_and_freed_under_its_id(house, till, old, kept, now):
    give(old, 100)
    lock = hold(till, old, 60, "L1")
    merge(house, old, kept)

    captured = spend(till, kept, 40, "X1", now, lock=lock, keep=True)
    freed = till.post("/transactions/unlock/", {"lock": lock, "reference": "U1"})

    assert (captured.status_code, freed.json()["unlocked"]) == (201, 20)
    assert figures(kept) == (60, 0, 0, 0)
    late = spend(till, kept, 1, "X2", now, lock=lock)
    assert late.json()["code"] == "LOCK_RESOLVED"


def test_a_hold_that_was_resolved_before_says_so_after(house, till, old, kept, now):
    give(old, 100)
    lock = hold(till, old, 60, "L1")
    till.post("/transactions/unlock/", {"lock": lock, "reference": "U1"})
    merge(house, old, kept)

    assert spend(till, kept, 1, "X1", now, lock=lock).json()["code"] == "LOCK_RESOLVED"


def test_a_sale_from_before_is_held_after(house, till, old, kept, partner, now):
    sale = give(old, 100, partner=partner)
    merge(house, old, kept)

    held = till.post("/transactions/lock/", {"original": {"id": str(sale.id)}, "reference": "L1"})

    assert held.json()["locked"] == 100
    assert figures(kept) == (0, 0, 100, 0)


def test_merged_twice_the_points_are_followed_to_the_last(house, till, old, kept, partner, now):
    sale = give(old, 100, partner=partner)
    spend(till, old, 10, "X1", now)
    last = MemberFactory()
    merge(house, old, kept)
    spend(till, kept, 20, "X2", now)
    merge(house, kept, last)

    undo(till, "reverse-redemption", "B1", "X1", now)
    undo(till, "reverse-redemption", "B2", "X2", now)
    assert figures(last) == (100, 0, 0, 0)
    answer = undo(till, "reverse-earn", "B3", sale.header.reference, now)

    assert answer.json()["shortfall"] == []
    assert figures(last) == (0, 0, 0, 0)
    assert answer.json()["merged_from"] == old.number


def test_of_consents_the_latest_word_counts(house, old, kept, now):
    def say(member, channel, given, days):
        at = now - timedelta(days=days)
        Consent.objects.create(
            member=member, category="NEWS", channel=channel, given=given, at=at, recorded_at=at
        )

    from members.queries.consents import consents_of

    say(old, "EMAIL", True, 1)
    say(kept, "EMAIL", False, 9)
    say(old, "SMS", True, 9)
    say(kept, "SMS", False, 1)
    say(old, "POST", True, 5)
    merge(house, old, kept)
    assert [(c.channel, c.given) for c in consents_of(kept.pk)] == [
        ("EMAIL", True),
        ("POST", True),
        ("SMS", False),
    ]

    assert unmerge(house, old).status_code == 200

    assert [(c.channel, c.given) for c in consents_of(kept.pk)] == [
        ("EMAIL", False),
        ("POST", False),
        ("SMS", False),
    ]


def test_places_in_segments_move_and_go_back(house, old, kept, now):
    segments = [Segment.objects.create(code=code, name=code, created_at=now) for code in "ABC"]
    until = now + timedelta(days=9)
    for member, segment, end in (
        (old, 0, until),
        (old, 1, None),
        (kept, 1, until),
        (kept, 2, None),
    ):
        SegmentMember.objects.create(member=member, segment=segments[segment], since=now, until=end)

    def places(member):
        rows = SegmentMember.objects.filter(member=member).order_by("segment__code")
        return list(rows.values_list("segment__code", "until"))

    merge(house, old, kept)
    assert places(old) == []
    assert places(kept) == [("A", until), ("B", until), ("C", None)]

    assert unmerge(house, old).status_code == 200

    assert places(old) == [("A", until), ("B", None)]
    assert places(kept) == [("B", until), ("C", None)]


def test_what_both_did_counts_towards_the_survivors_tier(house, till, old, kept, purchase):
    promotion()
    ladder(silver="8.00", gold=None)
    card = {"card": "6275000000000025"}
    till.post("/transactions/earn/", purchase())
    till.post("/transactions/earn/", purchase(member=card))
    own = measured(old)
    [day] = {day for _, day in own}  # The programme's local one.
    assert own["SPEND", day] == 547
    merge(house, old, kept)
    assert (measured(old), measured(kept)["SPEND", day]) == ({}, 1094)

    till.post(
        "/transactions/earn/",
        purchase(member=card, amount="1.00", lines=None, discount=None, tenders=None),
    )

    assert Member.objects.get(pk=kept.pk).tier.code == "SILVER"
    assert unmerge(house, old).status_code == 200
    assert (measured(old), measured(kept)["SPEND", day]) == (own, 647)


def test_limits_count_what_both_had(house, till, old, kept, purchase):
    once = {"per": "MEMBER", "period": "LIFE", "measure": "USES", "at_most": 2, "then": "SKIP"}
    promotion("FEW", award={"kind": "FIXED", "type": "PTS", "points": 5}, limits=[once])

    def points(card):
        body = purchase(member={"card": card})
        return [each["points"] for each in till.post("/transactions/earn/", body).json()["points"]]

    assert points("6275000000000017") == points("6275000000000025") == [5]
    merge(house, old, kept)

    assert points("6275000000000017") == []
    assert points("6275000000000025") == []
    assert unmerge(house, old).status_code == 200
    assert points("6275000000000017") == points("6275000000000025") == [5]


def test_a_flag_of_a_duplicate_is_resolved(house, old, kept, now):
    DuplicateFlag.objects.create(
        earlier=min(old, kept, key=lambda m: m.pk),
        later=max(old, kept, key=lambda m: m.pk),
        matched="email",
        flagged_at=now,
    )

    merge(house, old, kept)

    assert DuplicateFlag.objects.get().status == "MERGED"


@pytest.mark.parametrize("stage", ["CLOSED", "MERGED"])
def test_whoever_is_closed_or_merged_is_not_merged(stage, house, old, kept):
    third = MemberFactory()
    into = third if stage == "MERGED" else None
    Member.objects.filter(pk=old.pk).update(stage=stage, merged_into=into)

    for first, second in ((old, kept), (kept, old)):
        for dry_run in (True, False):
            answer = ask(house, first, second, dry_run=dry_run)
            assert answer.status_code == 422
            assert answer.json()["code"] == "MERGE_FORBIDDEN"
            assert (answer.json()["member"], answer.json()["stage"]) == (old.number, stage)
    assert not Transaction.objects.exists()


def test_a_member_is_not_merged_into_itself(house, old):
    answer = ask(house, old, old)

    assert answer.status_code == 400
    assert answer.json()["errors"][0]["pointer"] == "/into"


def test_a_partner_merges_nobody(till, old, kept):
    assert ask(till, old, kept).status_code == 403


def test_once_used_is_used(house, till, old, kept, now):
    give(old, 100, lives=timedelta(days=90))
    give(old, 30, pending=timedelta(days=9))
    lock = hold(till, old, 25, "L1")
    give(kept, 7)
    AliasFactory(member=old)
    Member.objects.filter(pk=old.pk).update(stage="SUSPENDED")
    merge(house, old, kept)
    spend(till, kept, 5, "X1", now)  # Of the survivor's own, which do expire later.

    answer = unmerge(house, old)

    assert answer.status_code == 409
    assert answer.json()["touched"][0]["why"] == "POINTS_USED"
    undo(till, "reverse-redemption", "B1", "X1", now)
    assert unmerge(house, old).status_code == 409  # Even if it came back.
    assert PointLock.objects.get(pk=lock).member_id == kept.pk
    assert Member.objects.get(pk=old.pk).stage == "MERGED"


def test_what_was_not_touched_goes_back(house, till, old, kept, now):
    give(kept, 7, lives=timedelta(days=30))
    give(old, 100, lives=timedelta(days=90))
    give(old, 30, pending=timedelta(days=9))
    lock = hold(till, old, 25, "L1")
    AliasFactory(member=old)
    Member.objects.filter(pk=old.pk).update(stage="SUSPENDED")
    merge(house, old, kept)
    spend(till, kept, 5, "X1", now)  # Of the survivor's own, which expire sooner.

    answer = unmerge(house, old)

    assert answer.status_code == 200
    assert answer.json()["points"] == [row(available=75, pending=30, locked=25)]
    assert figures(old) == (75, 30, 25, 0)
    assert figures(kept) == (2, 0, 0, 0)
    old.refresh_from_db()
    assert (old.stage, old.merged_into) == ("SUSPENDED", None)
    assert Card.objects.get(number="6275000000000017").member == old
    assert Alias.objects.get().member == old
    assert PointLock.objects.get(pk=lock).member_id == old.pk
    freed = till.post("/transactions/unlock/", {"lock": lock, "reference": "U1"})
    assert freed.json()["unlocked"] == 25
    assert unmerge(house, old).json()["code"] == "NOT_MERGED"
    kinds = Activity.objects.filter(member=old).order_by("id").values_list("kind", flat=True)
    assert list(kinds) == ["MERGED", "UNMERGED"]


def test_they_may_be_merged_again_and_the_sale_is_still_followed(
    house, till, old, kept, partner, now
):
    sale = give(old, 100, partner=partner)
    spend(till, old, 10, "X1", now)
    merge(house, old, kept)
    unmerge(house, old)
    merge(house, old, kept)
    undo(till, "reverse-redemption", "B1", "X1", now)

    answer = undo(till, "reverse-earn", "B2", sale.header.reference, now)

    assert answer.json()["shortfall"] == []
    assert figures(kept) == (0, 0, 0, 0)


@pytest.mark.parametrize("touch", ["spent", "held", "taken back", "debt paid", "closed"])
def test_a_merge_that_was_touched_is_not_undone(touch, house, till, old, kept, partner, now):
    sale = give(old, 100, partner=partner)
    if touch == "debt paid":
        owed = give(kept, 20, partner=partner)
        spend(till, kept, 20, "X0", now)
        undo(till, "reverse-earn", "B0", owed.header.reference, now)
    merge(house, old, kept)
    if touch == "spent":
        spend(till, kept, 1, "X1", now)
    if touch == "held":
        hold(till, kept, 1, "L1")
    if touch == "taken back":
        undo(till, "reverse-earn", "B1", sale.header.reference, now)
    if touch == "closed":
        body = {"member": {"number": kept.number}, "stage": "CLOSED", "reason": "Left."}
        house.post("/members/stage/", body)
    before = Transaction.objects.count()

    answer = unmerge(house, old)

    assert (answer.status_code, answer.json()["code"]) == (409, "MERGE_TOUCHED")
    assert answer.json()["touched"]
    assert Transaction.objects.count() == before
    assert Member.objects.get(pk=old.pk).stage == "MERGED"


def test_time_alone_touches_nothing(house, till, old, kept, now):
    give(old, 100, at=now - timedelta(days=3), pending=timedelta(days=2, hours=23, minutes=59))
    merge(house, old, kept)
    from ledger.services.settlement import settle_chunk

    settle_chunk(after=0, at=now + timedelta(days=2))

    assert unmerge(house, old).status_code == 200
    assert figures(old, at=now + timedelta(days=2)) == (100, 0, 0, 0)


def test_a_retry_under_one_key_merges_once(house, old, kept):
    give(old, 100)
    body = {"from": {"number": old.number}, "into": {"number": kept.number}, "reason": "One."}
    first = house.post("/members/merge/", body, **{"Idempotency-Key": "K"})

    again = house.post("/members/merge/", body, **{"Idempotency-Key": "K"})

    assert (again.status_code, again.content) == (200, first.content)
    assert Transaction.objects.filter(kind="TRANSFER").count() == 2


def test_nobody_of_this_number_was_merged(house, old):
    assert unmerge(house, old).json()["code"] == "NOT_MERGED"
    answer = house.post("/members/unmerge/", {"number": "9999999999", "reason": "x"})
    assert answer.json()["code"] == "NOT_MERGED"


def test_the_statements_of_a_merge_do_not_grow_with_the_lots(house, old, kept, statements):
    for _ in range(30):
        give(old, 10)
    AliasFactory(member=old)
    house.get("/program/")
    statements.sent.clear()

    merge(house, old, kept)

    assert len(statements.sent) <= 60, len(statements.sent)
