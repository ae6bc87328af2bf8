"""The draw: the same winners whoever computes them, once and for all, and nobody named."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from loyalty.models import Job, OutboxEvent
from loyalty.services import jobs
from members.models import Activity
from promotions import tasks
from promotions.engine.draw import commitment_of, digest_of_list, winners
from promotions.errors import SweepstakeForbids
from promotions.models import Draw, Prize, Sweepstake, Ticket, Winner
from promotions.services.rewarding import drawing, sweepstakes
from promotions.verify_draw import check
from tests.factories.members import MemberFactory
from tests.factories.sweepstakes import DAY, drawn, over, sweepstake
from tests.factories.vouchers import VoucherTypeFactory
from vouchers.models import Voucher
from vouchers.services import stock

SCRIPT = Path(tasks.__file__).parent / "verify_draw.py"


@pytest.fixture
def people(program, partner):
    return [MemberFactory() for _ in range(4)]


@pytest.fixture
def enter(house, people):
    """Let each of the people have so many free tickets."""

    def act(*quantities):
        for who, quantity in zip(people, quantities, strict=False):
            body = {"member": {"number": who.number}, "reference": f"F-{who.pk}", "source": "FREE"}
            answer = house.post("/sweepstakes/SPRING/tickets/", {**body, "quantity": quantity})
            assert answer.status_code == 201, answer.json()

    return act


def run(made):
    """Let the timetable come by, and its job run as a worker would."""
    over(made)
    tasks.start_draws()
    job = Job.objects.get(key=f"draw:{made.pk}")
    tasks.run_draw(job_id=str(job.pk))
    job.refresh_from_db()
    return job


def test_the_timetable_draws_when_its_time_has_come(people, enter, house):
    made = sweepstake(prizes=2)
    enter(3, 1, 1)
    tasks.start_draws()
    assert not Job.objects.exists()

    job = run(made)

    assert (job.status, job.done, job.total) == ("DONE", 5, 5)
    assert job.result == {"tickets": 5, "winners": 2, "vouchers": 0}
    answer = house.get("/sweepstakes/SPRING/").json()
    assert answer["status"] == "DRAWN"
    assert [each["position"] for each in answer["winners"]] == [1, 2]
    first, second = (each["pseudonym"] for each in answer["winners"])
    assert first != second  # At most one prize each.
    tasks.start_draws()
    assert Job.objects.count() == 1


def test_anyone_can_check_it_with_nothing_of_ours(people, enter, house, till, tmp_path):
    made = sweepstake(prizes=3)
    noted = till.get("/sweepstakes/SPRING/").json()["commitment"]
    enter(3, 2, 1, 3)
    run(made)
    draw, listed = tmp_path / "draw.json", tmp_path / "tickets.csv"
    draw.write_bytes(till.get("/sweepstakes/SPRING/draw/").content)
    listed.write_bytes(till.get("/sweepstakes/SPRING/draw/tickets/").getvalue())

    def verify():
        command = [sys.executable, "-I", str(SCRIPT), str(draw), str(listed), noted]
        return subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)

    right = verify()
    assert (right.returncode, right.stdout) == (
        0,
        "The draw is right: 3 winners of 9 tickets.\n",
    )
    published = listed.read_text().splitlines()
    assert published[0] == "ticket,pseudonym"
    assert len(published) == 10
    assert not [number for number in (p.number for p in people) if number in listed.read_text()]
    content = json.loads(draw.read_text())
    content["winners"][0]["ticket"] += 1
    draw.write_text(json.dumps(content))
    wrong = verify()
    assert wrong.returncode == 1
    assert wrong.stdout.startswith("The winners are others")
    draw.write_bytes(till.get("/sweepstakes/NONE/draw/").content)
    assert verify().stdout.startswith("This is no draw: ")


@pytest.mark.parametrize(
    ("name", "value", "fault"),
    [
        ("seed", "00" * 32, "The seed is not the one that was committed to."),
        ("list_digest", "00" * 32, "The list of tickets is not the one that was drawn from."),
        ("tickets", 4, "The list has another number of tickets."),
        ("algorithm", "dice", "This script does not know the algorithm."),
        ("prizes", 2, "The winners are others"),
    ],
)
def test_the_script_finds_what_was_tampered_with(people, enter, till, name, value, fault):
    made = sweepstake()
    enter(3, 2)
    run(made)
    draw = till.get("/sweepstakes/SPRING/draw/").json()
    listed = till.get("/sweepstakes/SPRING/draw/tickets/").getvalue()
    assert check(draw, listed) == []

    found = check({**draw, name: value}, listed)

    assert [each for each in found if each.startswith(fault)]
    swapped = listed.replace(b"\n1,", b"\n9,")
    assert check(draw, swapped)
    assert check(draw, listed, "ff" * 32) == ["The commitment is not the one that you noted."]


def test_a_draw_that_was_killed_ends_with_the_same_winners(people, enter, monkeypatch):
    made = sweepstake(prizes=2)
    enter(3, 2, 1)
    over(made)
    tasks.start_draws()
    job = Job.objects.get()
    found = []

    def killed(key, drawn_, *, at):
        found.append(drawn_)
        raise RuntimeError("the power went")

    monkeypatch.setattr(drawing, "record", killed)
    with pytest.raises(RuntimeError):
        tasks.run_draw(job_id=str(job.pk))
    assert not Draw.objects.exists()
    monkeypatch.undo()
    job.refresh_from_db()
    assert job.status == "FAILED"

    jobs.restart(job)
    tasks.run_draw(job_id=str(job.pk))

    numbers = Winner.objects.order_by("position").values_list("ticket__number", flat=True)
    assert list(numbers) == found[0].numbers
    at = timezone.now()
    again = drawing.record(made.pk, drawing.find_winners(Sweepstake.objects.get()), at=at)
    assert Winner.objects.filter(draw=again).count() == 2
    job.refresh_from_db()
    assert (job.done, job.total) == (6, 6)


def test_winners_find_it_in_their_history_and_subscribers_hear_of_it(people, enter, house):
    made = sweepstake()
    enter(0 + 1)
    run(made)

    (line,) = Activity.objects.filter(kind="SWEEPSTAKE_WON")
    assert line.member_id == people[0].pk
    assert line.data == {"sweepstake": "SPRING", "prize": "A bicycle", "ticket": 1}
    event = OutboxEvent.objects.get(type="sweepstake.drawn")
    assert event.payload["winners"][0]["ticket"] == 1
    assert event.member_id is None
    mine = house.get("/sweepstakes/SPRING/", member=people[0].number).json()
    assert mine["winners"][0]["mine"] is True


def test_a_prize_may_be_a_voucher(people, enter, house):
    kind = VoucherTypeFactory(code="TEN", stock=0)
    made = sweepstake()
    Prize.objects.update(voucher_type=kind)
    enter(1)
    assert run(made).result["vouchers"] == 0
    stock.set_stock(kind, 1)

    assert drawing.award_vouchers(Draw.objects.get(), at=timezone.now()) == 1
    assert drawing.award_vouchers(Draw.objects.get(), at=timezone.now()) == 0

    voucher = Voucher.objects.get()
    assert (voucher.origin, voucher.member_id) == ("SWEEPSTAKE", people[0].pk)
    shown = house.get(f"/members/{people[0].number}/vouchers/", origin="SWEEPSTAKE").json()
    assert [each["origin"] for each in shown["results"]] == ["SWEEPSTAKE"]
    assert Winner.objects.get().voucher == voucher.pk


def test_without_tickets_nobody_wins(program, till):
    made = sweepstake()

    job = run(made)

    assert job.result == {"tickets": 0, "winners": 0, "vouchers": 0}
    draw = till.get("/sweepstakes/SPRING/draw/").json()
    assert draw["winners"] == []
    assert check(draw, till.get("/sweepstakes/SPRING/draw/tickets/").getvalue()) == []


def test_what_was_not_drawn_yet_tells_no_seed(program, till, now):
    made = sweepstake()

    answer = till.get("/sweepstakes/SPRING/draw/")

    assert (answer.status_code, answer.json()["code"]) == (404, "NOT_DRAWN")
    assert till.get("/sweepstakes/SPRING/draw/tickets/").status_code == 404
    assert till.get("/sweepstakes/NONE/draw/").json()["code"] == "SWEEPSTAKE_NOT_FOUND"
    assert bytes(made.seed_sealed).startswith(b"gAAAA")
    with pytest.raises(SweepstakeForbids, match="as was published"):
        drawing.fix_list(made.pk, at=now)
    assert Sweepstake.objects.get().listed_at is None


def test_it_is_published_once_with_prizes_and_time_to_enter(program, now):
    draft = sweepstake(publish=False)
    past = sweepstake("PAST", publish=False, opens_at=now - 3 * DAY, closes_at=now - DAY)
    sweepstakes.publish(draft.pk, at=now)
    for key in (draft.pk, past.pk):
        with pytest.raises(SweepstakeForbids):
            sweepstakes.publish(key, at=now)
    Prize.objects.filter(sweepstake=past).delete()
    with pytest.raises(SweepstakeForbids, match="no prize"):
        sweepstakes.publish(past.pk, at=now - 2 * DAY)


def test_one_that_was_withdrawn_is_never_drawn(people, enter, now):
    made = sweepstake()
    enter(1)
    sweepstakes.withdraw(made.pk, at=now)
    over(made)

    tasks.start_draws()

    assert not Job.objects.exists()
    with pytest.raises(SweepstakeForbids):
        sweepstakes.withdraw(made.pk, at=now)
    other = sweepstake("OTHER")
    drawn(other)
    with pytest.raises(SweepstakeForbids, match="fixed"):
        sweepstakes.withdraw(other.pk, at=now)


LISTS = st.lists(st.sampled_from(["aa", "bb", "cc", "dd"]), max_size=30)


@given(LISTS, st.integers(1, 6), st.booleans(), st.binary(min_size=32, max_size=32))
def test_two_programs_that_never_met_find_the_same_winners(owners, prizes, one_each, seed):
    listed = list(enumerate(owners, 1))
    raw = ("ticket,pseudonym\n" + "".join(f"{n},{who}\n" for n, who in listed)).encode()
    digest = digest_of_list(listed)
    places = winners(seed, digest, owners, prizes, one_each=one_each)

    draw = {
        "algorithm": "hmac-sha256/1",
        "seed": seed.hex(),
        "commitment": commitment_of(seed),
        "list_digest": digest,
        "tickets": len(listed),
        "prizes": prizes,
        "one_prize_each": one_each,
        "winners": [
            {"position": n, "ticket": listed[place][0], "pseudonym": listed[place][1]}
            for n, place in enumerate(places, 1)
        ],
    }
    assert check(draw, raw) == []
    happy = [owners[place] for place in places]
    assert len(set(places)) == len(places)
    if one_each:
        assert len(set(happy)) == len(happy) == min(prizes, len(set(owners)))
    else:
        assert len(places) == min(prizes, len(owners))


def test_every_ticket_wins_about_as_often(program):
    counts = [0] * 5
    for seed in range(2_000):
        (place,) = winners(seed.to_bytes(32), "d" * 64, list("abcde"), 1, one_each=True)
        counts[place] += 1

    assert all(340 < count < 460 for count in counts)


def test_the_worked_example_of_the_docs_is_true():
    seed = bytes(range(32))
    listed = [(1, "ada"), (2, "ada"), (3, "bob"), (5, "cem")]
    digest = digest_of_list(listed)
    places = winners(seed, digest, [who for _, who in listed], 2, one_each=True)
    won = " and ".join(str(listed[place][0]) for place in places)

    page = (SCRIPT.parents[1] / "docs" / "api" / "sweepstakes.md").read_text()
    assert f"digest begins with `{digest[:8]}`" in page
    assert f"at most one each, go to tickets {won}." in page


def test_tickets_are_not_lost_by_a_void(people, enter, house, now):
    made = sweepstake(prizes=4)
    enter(1, 1, 1)
    Ticket.objects.filter(number=2).update(voided_at=now)

    run(made)

    assert Draw.objects.get().tickets == 2
    assert sorted(Winner.objects.values_list("ticket__number", flat=True)) == [1, 3]
