"""Both sides of a referral, each with a posting of its own."""

import pytest

from ledger.models import Transaction
from tests.api.events.calls import GIFT, event, send, set_type
from tests.factories.ledger import balance
from tests.factories.members import MemberFactory
from tests.factories.promotions import promotion


def test_both_sides_of_a_referral_are_rewarded(till, survey, member, now):
    set_type(two_sided=True, once_per="LIFE")
    promotion(
        "SENT",
        trigger="EVENT",
        event="SURVEY",
        award={**GIFT, "points": 30},
        condition="event.role == 'REFERRER'",
    )
    friend = MemberFactory()

    body = event(now, referrer={"number": friend.number})
    answer = send(till, body)

    assert balance(member).available == 50
    assert balance(friend).available == 80
    assert answer["event"]["role"] == "REFERRED"
    referrer = Transaction.objects.get(member=friend)
    assert (referrer.kind, referrer.reference, referrer.part) == ("BONUS", "E1", 1)
    assert answer["referrer"] == {
        "id": str(referrer.pk),
        "member": friend.number,
        "points": [{"type": "PTS", "points": 80}],
    }
    assert send(till, body, 200) == answer


def test_a_blocked_referral_gives_the_referrer_nothing_either(till, survey, member, now):
    set_type(two_sided=True, once_per="LIFE")
    friend = MemberFactory()
    send(till, event(now, referrer={"number": friend.number}))

    send(till, event(now, "E2", referrer={"number": friend.number}))

    assert balance(friend).available == 50
    assert Transaction.objects.filter(member=friend).count() == 1


@pytest.mark.parametrize(
    ("referrer", "status", "code"),
    [
        ({"card": "6275000000000017"}, 400, "VALIDATION_FAILED"),
        ({"number": "1000000999"}, 404, "MEMBER_NOT_FOUND"),
        ({}, 400, "VALIDATION_FAILED"),
    ],
)
def test_a_referrer_who_is_none_is_refused(till, survey, now, referrer, status, code):
    set_type(two_sided=True)

    answer = send(till, event(now, referrer=referrer), status)

    assert answer["code"] == code
    if status == 400:
        assert answer["errors"][0]["pointer"] == "/referrer"
    assert not Transaction.objects.exists()


def test_a_type_with_one_side_takes_no_referrer(till, survey, now):
    answer = send(till, event(now, referrer={"number": MemberFactory().number}), 422)

    assert answer["errors"][0]["pointer"] == "/referrer"
