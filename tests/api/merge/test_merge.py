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
from tests.api.merge.calls import ask, figures, hold, merge, row, spend, undo, unmerge
from tests.factories.ledger import give
from tests.factories.members import AliasFactory, MemberFactory
from tests.factories.promotions import promotion
from tests.factories.tiers import ladder, measured


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


def test_the_statements_of_a_merge_do_not_grow_with_the_lots(house, old, kept, statements):
    for _ in range(30):
        give(old, 10)
    AliasFactory(member=old)
    house.get("/program/")
    statements.sent.clear()

    merge(house, old, kept)

    assert len(statements.sent) <= 60, len(statements.sent)
