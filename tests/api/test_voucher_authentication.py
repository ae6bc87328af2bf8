"""Voucher Authentication: checked, held, used once, released, undone."""

import threading
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection, transaction

from ledger.services import posting
from tests.conftest import Api
from tests.factories.members import MemberFactory
from tests.factories.partners import PartnerFactory, token_for
from tests.factories.vouchers import VoucherTypeFactory
from vouchers.models import Voucher, VoucherUse
from vouchers.services import authentication, issuing
from vouchers.services.issuing import Issue


def issued(kind, member, at, **changes):
    """Return the code of a voucher that the member was given."""
    order = Issue(
        voucher_type=kind,
        member_id=member.pk,
        partner_id=member.enrolled_by_id,
        quantity=1,
        origin="ALLOCATION",
        origin_id="0198c0de-0000-7000-8000-000000000000",
        **changes,
    )
    with transaction.atomic():
        return issuing.issue(order, at=at)[0].code


@pytest.fixture
def kind(program):
    return VoucherTypeFactory(code="FIVE")


@pytest.fixture
def code(kind, member, now):
    return issued(kind, member, now - timedelta(minutes=1))


def act(api, code, action, reference=None, **fields):
    body = {"code": code, "action": action, **fields}
    if action != "check":
        body["reference"] = reference or f"{action}-1"
    return api.post("/vouchers/authenticate/", body)


def test_a_check_tells_and_writes_nothing(till, code):
    answer = act(till, code, "check")

    assert answer.status_code == 200
    content = answer.json()
    assert (content["valid"], content["status"], content["reasons"]) == (True, "ISSUED", [])
    assert content["value"] == {"amount": "5.00", "currency": "EUR"}
    assert content["voucher"]["code"] == f"…{code[-4:]}"
    assert not VoucherUse.objects.exists()


def test_a_code_is_read_however_it_is_typed(till, code):
    typed = f"{code[:4].lower()}-{code[4:8]} {code[8:]}".replace("0", "o").replace("1", "l")

    assert act(till, typed, "check").json()["valid"]


def test_used_once_and_once_only(till, code):
    first = act(till, code, "use", outlet="S1")
    again = act(till, code, "use", outlet="S1")
    another = act(till, code, "use", "use-2")

    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json() == first.json()
    assert first.json()["status"] == "USED"
    assert (another.status_code, another.json()["code"]) == (409, "VOUCHER_USED")
    assert another.json()["outlet"] == "S1"
    assert act(till, code, "check").json()["reasons"][0]["code"] == "VOUCHER_USED"


def test_another_partner_is_told_when_but_not_where(till, api_of, code):
    act(till, code, "use", outlet="S1")

    answer = act(api_of(PartnerFactory()), code, "use").json()

    assert "used_at" in answer
    assert "outlet" not in answer


def test_a_value_voucher_is_used_bit_by_bit(till, member, now):
    code = issued(VoucherTypeFactory(value=Decimal("20.00"), in_parts=True), member, now)

    first = act(till, code, "use", "u1", amount="12.50").json()
    too_much = act(till, code, "use", "u2", amount="7.51").json()
    rest = act(till, code, "use", "u3").json()

    assert (first["status"], first["left"]["amount"]) == ("ISSUED", "7.50")
    assert (too_much["code"], too_much["left"]) == ("VOUCHER_TOO_SMALL", "7.50")
    assert (rest["status"], rest["value"]["amount"], rest["left"]["amount"]) == (
        "USED",
        "7.50",
        "0.00",
    )


def test_a_hold_keeps_others_away_until_it_is_used(till, code):
    hold = act(till, code, "reserve").json()

    other = act(till, code, "use")
    used = act(till, code, "use", "use-2", original={"id": hold["use"]})

    assert hold["status"] == "RESERVED"
    assert other.json()["code"] == "VOUCHER_RESERVED"
    assert used.json()["status"] == "USED"
    assert VoucherUse.objects.filter(state="RELEASED").count() == 1


def test_a_hold_is_released(till, code):
    act(till, code, "reserve")

    released = act(till, code, "release", original={"reference": "reserve-1"})

    assert released.json()["status"] == "ISSUED"
    assert act(till, code, "use").status_code == 201


def test_a_hold_ends_by_itself(till, code, now):
    act(till, code, "reserve")
    Voucher.objects.update(reserved_until=now - timedelta(seconds=1))

    assert act(till, code, "check").json()["status"] == "ISSUED"
    assert act(till, code, "use").status_code == 201


def test_a_hold_that_ended_takes_no_voucher_from_the_till_that_holds_it_now(
    till, api_of, code, now
):
    mine = act(till, code, "reserve").json()["use"]
    ended = now - timedelta(seconds=1)
    Voucher.objects.update(reserved_until=ended)
    VoucherUse.objects.update(at=ended - timedelta(minutes=5), until=ended)
    other = api_of(PartnerFactory())
    theirs = act(other, code, "reserve", "theirs").json()["use"]

    answer = act(till, code, "use", original={"id": mine})

    assert answer.json()["code"] == "VOUCHER_RESERVED"
    assert not VoucherUse.objects.filter(state="USED").exists()
    assert act(other, code, "use", original={"id": theirs}).json()["status"] == "USED"


def test_a_hold_does_not_make_a_voucher_live_longer(till, kind, member, now):
    code = issued(kind, member, now, valid_to=now + timedelta(minutes=2))
    own_end = Voucher.objects.get().expires_at
    hold = act(till, code, "reserve", until=(now + timedelta(hours=20)).isoformat()).json()
    use = act(till, code, "use", original={"id": hold["use"]}).json()

    act(till, code, "undo", original={"id": use["use"]})

    assert Voucher.objects.get().expires_at == own_end


def test_a_use_is_undone_by_its_partner_within_a_day(till, api_of, code):
    use = act(till, code, "use").json()["use"]

    foreign = act(api_of(PartnerFactory()), code, "undo", original={"id": use})
    undone = act(till, code, "undo", original={"id": use})
    again = act(till, code, "undo", "undo-2", original={"id": use})

    assert foreign.json()["code"] == "USE_NOT_FOUND"
    assert (undone.status_code, undone.json()["status"]) == (201, "ISSUED")
    assert again.json()["code"] == "USE_NOT_FOUND"
    assert act(till, code, "use", "use-2").status_code == 201


def test_a_day_later_it_is_too_late_to_undo(till, code, now):
    use = act(till, code, "use").json()["use"]
    VoucherUse.objects.update(at=now - timedelta(days=1, minutes=1))

    assert act(till, code, "undo", original={"id": use}).json()["code"] == "USE_NOT_FOUND"


def test_another_members_voucher_is_not_there(till, code):
    answer = act(till, code, "use", member={"number": MemberFactory().number})

    assert (answer.status_code, answer.json()["code"]) == (404, "VOUCHER_NOT_FOUND")
    assert Voucher.objects.get().status == "ISSUED"


def test_some_vouchers_need_their_member_named(till, kind, code, member):
    kind.needs_member = True
    kind.save()

    assert act(till, code, "use").status_code == 400
    assert act(till, code, "use", member={"number": member.number}).status_code == 201


def test_some_vouchers_are_for_some_places(till, partner, kind, code):
    kind.outlets = ["S1"]
    kind.save()
    assert act(till, code, "use", outlet="S2").json()["code"] == "VOUCHER_NOT_HERE"
    assert act(till, code, "use", outlet="S1", reference="a").status_code == 201

    kind.partners.add(PartnerFactory())
    assert act(till, code, "check", outlet="S1").json()["reasons"][0]["code"] == "VOUCHER_USED"


def test_partners_that_are_not_meant_are_told_so(till, kind, code):
    kind.partners.add(PartnerFactory())

    assert act(till, code, "use").json()["code"] == "VOUCHER_NOT_HERE"


def test_a_voucher_has_its_time(till, kind, member, now):
    over = issued(kind, member, now - timedelta(days=2), valid_to=now - timedelta(seconds=1))
    early = issued(kind, member, now, valid_from=now + timedelta(days=1))

    assert act(till, over, "use").json()["voucher_status"] == "EXPIRED"
    assert act(till, early, "use").json()["voucher_status"] == "NOT_YET"


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"action": "use"}, "/reference"),
        ({"action": "undo", "reference": "x"}, "/original"),
        ({"action": "use", "reference": "x", "until": "2027-01-01T00:00:00Z"}, "/until"),
        ({"action": "reserve", "reference": "x", "until": "2099-01-01T00:00:00Z"}, "/until"),
        ({"action": "use", "reference": "x", "amount": "1.00"}, "/amount"),
        ({"action": "use", "reference": "x", "original": {}}, "/original"),
        ({"action": "eat", "reference": "x"}, "/action"),
    ],
)
def test_what_does_not_fit_is_named(till, code, fields, pointer):
    answer = till.post("/vouchers/authenticate/", {"code": code, **fields})

    assert answer.status_code == 400
    assert answer.json()["errors"][0]["pointer"] == pointer
    assert Voucher.objects.get().status == "ISSUED"


def test_guessing_is_locked_out(till, code):
    answers = [act(till, f"GUESS{n:011}", "check").status_code for n in range(21)]

    assert answers == [404] * 20 + [423]
    assert act(till, code, "check").status_code == 423


def race(code, tills=10):
    api, done = Api(token_for()), []

    def run(place):
        done.append(act(api, code, "use", f"u{place}").status_code)
        connection.close()

    threads = [threading.Thread(target=run, args=[place]) for place in range(tills)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sorted(done)


def test_of_ten_tills_at_once_one_uses_it(committed_program, now):
    code = issued(VoucherTypeFactory(), MemberFactory(), now)

    assert race(code) == [201] + [409] * 9
    assert VoucherUse.objects.count() == 1


def test_without_the_locks_all_would_use_it(committed_program, now, monkeypatch):
    """Prove that the race above is a real one."""
    from ledger.queries.books import read

    code = issued(VoucherTypeFactory(), MemberFactory(), now)
    barrier = threading.Barrier(10)

    def unlocked(voucher_id):
        voucher = Voucher.objects.select_related("voucher_type").get(pk=voucher_id)
        barrier.wait(timeout=10)
        return voucher

    monkeypatch.setattr(posting, "lock", lambda member, *, at, **_: read(member, at=at))
    monkeypatch.setattr(authentication, "locked", unlocked)

    assert race(code) == [201] * 10


def test_the_last_vouchers_are_sold_once(committed_program, now):
    """The stock is exact under twenty buyers: nothing too much, and nothing left behind."""
    from tests.factories.ledger import give
    from vouchers.services import stock

    kind = VoucherTypeFactory(code="FIVE", stock=13)
    members, api, done = [MemberFactory() for _ in range(20)], Api(token_for()), []
    for member in members:
        give(member, 500)

    def run(member):
        body = {
            "member": {"number": member.number},
            "reference": f"B{member.number}",
            "voucher_type": "FIVE",
        }
        done.append(api.post("/vouchers/redeem/", body).status_code)
        connection.close()

    threads = [threading.Thread(target=run, args=[member]) for member in members]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(done) == [201] * 13 + [422] * 7
    assert Voucher.objects.count() == 13
    assert stock.left_of([kind.pk]) == {kind.pk: 0}
