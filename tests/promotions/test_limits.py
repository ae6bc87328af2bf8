"""Limits per member and period, of the programme, and budgets: what tills get, and what is left."""

from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.utils import timezone

from ledger.services import posting
from ledger.services.posting import lock
from members.models import Member, Segment, SegmentMember
from promotions.engine.periods import start_of
from promotions.models import BudgetSlot, Evaluation, EventType, LimitCounter
from promotions.services.awarding import recording
from promotions.services.budgets import Till
from promotions.services.occasions import Occasion, post_bonus
from tests.factories.ledger import balance
from tests.factories.promotions import promotion
from tests.factories.segments import SegmentFactory

EARN = "/transactions/earn/"
pytestmark = pytest.mark.usefixtures("member")
FIXED = {"kind": "FIXED", "type": "PTS", "points": 100}
ONCE_A_DAY = {"per": "MEMBER", "period": "DAY", "measure": "USES", "at_most": 1, "then": "SKIP"}


def earned(answer):
    return sum(each["points"] for each in answer.json()["points"])


def rest():
    return sum(BudgetSlot.objects.values_list("rest", flat=True))


def test_once_a_day_is_once_a_day_and_again_the_next(till, purchase, now):
    promotion(award=FIXED, limits=[ONCE_A_DAY])
    yesterday = (now - timedelta(days=1)).isoformat()

    answers = [till.post(EARN, purchase()) for _ in range(2)]
    earlier = [till.post(EARN, purchase(occurred_at=yesterday)) for _ in range(2)]

    assert [earned(each) for each in (*answers, *earlier)] == [100, 0, 100, 0]
    [miss] = answers[1].json()["near_misses"]
    assert (miss["promotion"], miss["reason"]) == ("BASE", "LIMIT_REACHED")
    assert sorted(LimitCounter.objects.values_list("amount", flat=True)) == [1, 1]


@pytest.mark.parametrize("period", ["WEEK", "MONTH", "YEAR", "LIFE"])
def test_points_of_a_period_are_cut_to_what_is_left(till, purchase, period):
    limit = {"per": "MEMBER", "period": period, "measure": "POINTS", "at_most": 150}
    promotion(award=FIXED, limits=[limit])

    assert [earned(till.post(EARN, purchase())) for _ in range(3)] == [100, 50, 0]


def test_another_version_of_a_promotion_counts_on(till, purchase):
    promotion(award=FIXED, limits=[{**ONCE_A_DAY, "at_most": 2}])
    till.post(EARN, purchase())
    promotion(
        award={**FIXED, "points": 7}, limits=[{**ONCE_A_DAY, "at_most": 2}], at=timezone.now()
    )

    assert [
        earned(till.post(EARN, purchase(occurred_at=timezone.now().isoformat()))) for _ in range(2)
    ] == [7, 0]


def test_a_budget_is_given_out_to_the_last_point_and_never_passed(till, purchase):
    promotion(award=FIXED, budget={"measure": "POINTS", "at_most": 250})

    answers = [till.post(EARN, purchase()) for _ in range(4)]

    assert [earned(each) for each in answers] == [100, 100, 50, 0]
    assert answers[3].json()["near_misses"][0]["reason"] == "BUDGET_EMPTY"
    assert rest() == 0


def test_a_budget_that_skips_keeps_what_is_too_little(till, purchase):
    promotion(award=FIXED, budget={"measure": "POINTS", "at_most": 250, "then": "SKIP"})

    assert [earned(till.post(EARN, purchase())) for _ in range(3)] == [100, 100, 0]
    assert rest() == 50


def test_what_a_budget_granted_and_another_limit_forbids_goes_back(till, purchase):
    promotion(
        "A",
        award=FIXED,
        budget={"measure": "POINTS", "at_most": 130},
        combination={"group": "G", "priority": 2},
    )
    promotion(
        "B",
        award={**FIXED, "points": 60},
        combination={"group": "G", "priority": 1},
        budget={"measure": "USES", "at_most": 1},
    )

    assert [earned(till.post(EARN, purchase())) for _ in range(4)] == [100, 30, 60, 0]
    assert rest() == 0


def test_a_budget_that_is_raised_or_lowered_keeps_what_was_used(till, purchase):
    def budget(at_most):
        promotion(award=FIXED, budget={"measure": "POINTS", "at_most": at_most}, at=timezone.now())

    def earn():
        return earned(till.post(EARN, purchase(occurred_at=timezone.now().isoformat())))

    budget(150)
    assert [earn(), earn()] == [100, 50]
    budget(400)
    assert [earn(), rest()] == [100, 150]
    budget(220)
    assert [earn(), rest()] == [0, -30]
    budget(300)
    assert [earn(), rest()] == [50, 0]


def test_a_limit_of_the_programme_is_shared_by_all_and_new_in_each_period(till, purchase, now):
    limit = {"per": "PROGRAM", "period": "DAY", "measure": "USES", "at_most": 1}
    promotion(award=FIXED, limits=[limit])
    yesterday = (now - timedelta(days=1)).isoformat()

    days = [{}, {}, {"occurred_at": yesterday}, {"occurred_at": yesterday}]

    assert [earned(till.post(EARN, purchase(**day))) for day in days] == [100, 0, 100, 0]


def test_an_evaluation_tells_what_is_left_and_uses_up_nothing(till, purchase):
    promotion("A", award=FIXED, limits=[ONCE_A_DAY])
    promotion("B", award=FIXED, budget={"measure": "POINTS", "at_most": 130})

    def evaluated():
        return earned(till.post("/transactions/evaluate/", purchase()))

    assert [evaluated(), evaluated()] == [200, 200]
    assert earned(till.post(EARN, purchase())) == 200
    assert evaluated() == 30


def test_a_batch_claims_for_all_its_purchases_and_gives_each_its_share(till, purchase):
    promotion(award=FIXED, budget={"measure": "POINTS", "at_most": 250})
    items = [{"operation": "earn", "body": purchase()} for _ in range(4)]

    answers = till.post("/transactions/batch/", {"items": items}).json()["items"]

    points = [sum(p["points"] for p in each["body"]["points"]) for each in answers]
    assert points == [100, 100, 50, 0]
    assert rest() == 0


def test_the_granted_amount_is_kept_with_the_evaluation(till, purchase):
    version = promotion(
        award=FIXED, limits=[ONCE_A_DAY], budget={"measure": "POINTS", "at_most": 30}
    )

    till.post(EARN, purchase())

    [row] = Evaluation.objects.all()
    assert row.inputs["ceilings"] == {str(version.pk): [1, 30]}
    assert [(u["per"], u["measure"], u["amount"]) for u in row.result["uses"]] == [
        ("MEMBER", "USES", 1),
        ("BUDGET", "POINTS", 30),
    ]


def test_facts_are_kept_only_where_a_version_asks_for_them(till, purchase, member):
    Member.objects.filter(pk=member.pk).update(birth_date="1990-05-17", language="de")
    till.post(EARN, purchase())
    promotion(condition="member.language == 'de'")
    till.post(EARN, purchase())

    kept = [row.inputs["member"] for row in Evaluation.objects.order_by("transaction_id")]
    assert kept == [
        {"tier": "BASE", "stage": "ACTIVE"},
        {"tier": "BASE", "stage": "ACTIVE", "language": "de"},
    ]


def bonus(member, partner, **changes):
    now = timezone.now()
    occasion = Occasion(
        **{
            "trigger": "ENROLMENT",
            "occurred_at": now,
            "partner_id": partner.pk,
            "partner_code": partner.code,
            **changes,
        }
    )
    with transaction.atomic():
        till = Till()
        book = lock({"id": member.pk}, at=now)
        posting.settle(book)
        given = post_bonus(book, occasion, purse=till)
        posting.write(book, alongside=recording([given.record] if given.record else [], till))
    return given


def test_an_occasion_posts_one_bonus_within_its_limits(member, partner):
    EventType.objects.create(code="SURVEY", name="Survey", schema={"score": {"type": "INTEGER"}})
    asks = {"trigger": "EVENT", "event": "SURVEY", "condition": "event.score > 3"}
    promotion("A", award=FIXED, limits=[ONCE_A_DAY], **asks)
    survey = {"trigger": "EVENT", "event": "SURVEY"}

    given = [bonus(member, partner, attributes={"score": score}, **survey) for score in (2, 4, 5)]

    assert [each.transaction is None for each in given] == [True, False, True]
    assert given[1].transaction.header.kind == "BONUS"
    assert balance(member).available == 100
    assert given[2].evaluation.near_misses[0].reason == "LIMIT_REACHED"


def test_an_occasion_with_a_reference_is_remembered_though_it_gives_nothing(member, partner):
    given = bonus(member, partner, reference="E1", digest=b"e")

    assert given.transaction.effects == []
    assert Evaluation.objects.filter(pk=given.transaction.id).exists()


def test_the_contracts_own_example_can_be_saved_and_goes_live(member, partner):
    content = {
        "name": "Double coffee", "trigger": "PURCHASE", "event": None, "effective_from": None,
        "active_from": "2017-03-01T00:00:00-05:00", "active_to": None, "weekdays": ["SAT", "SUN"], "hours": None,
        "audience": {"segments": ["CAMPAIGN-8"], "not_segments": [], "tiers": [], "stages": [], "partners": [], "outlets": [], "channels": [], "guests": True},
        "coupons": [], "not_tenders": ["GIFT_CARD"],
        "lines": {"include": {"category": ["COFFEE"]}, "exclude": {"sku": ["123"]}},
        "minimum": {"amount": "10.00", "quantity": None}, "condition": "basket.amount >= 10.0 && member.tier != 'BASE'",
        "award": {"kind": "PER_AMOUNT", "type": "PTS", "points": 1, "per": "1.00", "rounding": "FLOOR", "scope": "LINE"},
        "combination": {"priority": 10, "group": None, "stackable": True, "base": False, "multiply": "AFTER"},
        "limits": [{"per": "MEMBER", "period": "DAY", "measure": "USES", "at_most": 1, "then": "SKIP"}],
        "budget": {"measure": "POINTS", "at_most": 1000000, "then": "REDUCE"}, "funded_by": "GROCER",
        "pending": "P14D", "expiry": {"after": "P12M", "from": "EARNED", "round_up": "MONTH"},
        "texts": {"en": {"title": "Double coffee", "body": "At weekends", "terms": "None"}}, "visible": True,
        "tests": [{"name": "two coffees",
                   "basket": {"occurred_at": "2017-03-04T10:15:00-05:00", "currency": "EUR",
                              "lines": [{"line": 1, "sku": "9", "category": "COFFEE", "quantity": "2", "amount": "12.99"}]},
                   "member": {"tier": "GOLD"}, "points": [{"type": "PTS", "points": 12}]}],
    }  # fmt: skip

    SegmentFactory(code="CAMPAIGN-8")

    version = promotion("COFFEE", **content)

    assert version.number == 1
    assert version.definition["condition"] == content["condition"]


def test_weeks_begin_on_monday_and_a_life_never_ends():
    day = timezone.datetime(2026, 3, 1).date()  # a Sunday

    assert [start_of(p, day).isoformat() for p in ("DAY", "WEEK", "MONTH", "YEAR", "LIFE")] == [
        "2026-03-01",
        "2026-02-23",
        "2026-03-01",
        "2026-01-01",
        "1970-01-01",
    ]


def test_a_budget_has_its_slots_once(till, purchase):
    promotion(award=FIXED, budget={"measure": "POINTS", "at_most": 1000})
    till.post(EARN, purchase())

    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*), count(DISTINCT slot) FROM promotions_budgetslot")
        assert cursor.fetchone() == (16, 16)
    assert rest() == 900


def test_a_segment_counts_while_the_member_is_in_it_and_it_is_active(till, purchase, member, now):
    static = Segment.objects.create(code="VIP", name="VIP", created_at=now)
    promotion(award=FIXED, audience={"segments": ["VIP"]})
    row = {"segment": static, "member": member, "since": now}

    def earn():
        return earned(till.post(EARN, purchase()))

    assert earn() == 0
    SegmentMember.objects.create(**row, until=now + timedelta(hours=1))
    assert earn() == 100
    assert Evaluation.objects.latest("transaction_id").inputs["member"]["segments"] == ["VIP"]
    SegmentMember.objects.update(until=now - timedelta(hours=1))
    assert earn() == 0
    SegmentMember.objects.update(until=None)
    Segment.objects.update(active=False)
    assert earn() == 0
