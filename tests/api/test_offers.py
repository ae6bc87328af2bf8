"""Get All Offers: what a member can have now, of every kind, in its language."""

import pytest

from loyalty.models import Language
from members.models import Member
from promotions.models import BudgetSlot
from tests.factories.members import MemberFactory
from tests.factories.partners import PartnerFactory
from tests.factories.promotions import promotion
from tests.factories.segments import SegmentFactory
from tests.factories.sweepstakes import DAY, over, sweepstake
from tests.factories.vouchers import BenefitFactory, VoucherTypeFactory
from vouchers.models import Voucher


@pytest.fixture
def world(member, house):
    """Of each kind one."""
    BenefitFactory(code="GATE", name="Gate", tiers=["BASE"], quota=2)
    VoucherTypeFactory(code="FIVE", name="Five", stock=9)
    given = {"voucher_type": "FIVE", "reason": "Sorry", "reference": "A-1"}
    assert house.post(f"/members/{member.number}/vouchers/", given).status_code == 201
    promotion("BASE", texts={"en": {"title": "A point a euro"}})
    sweepstake()
    return member


def offers(api, member, **query):
    answer = api.get(f"/members/{member.number}/offers/", **query)
    assert answer.status_code == 200, answer.json()
    return answer.json()


def codes(content, kind):
    return [each.get("code") for each in content[kind]]


def test_all_kinds_are_in_one_answer(world, house):
    content = offers(house, world)

    assert content["member"] == world.number
    assert codes(content, "benefits") == ["GATE"]
    assert [each["voucher_type"] for each in content["vouchers"]] == ["FIVE"]
    assert codes(content, "promotions") == ["BASE"]
    assert codes(content, "sweepstakes") == ["SPRING"]
    assert content["promotions"][0]["title"] == "A point a euro"
    assert content["promotions"][0]["award"]["points"] == 1
    assert content["sweepstakes"][0]["may_enter"] is True
    assert content["benefits"][0]["left"] == 2
    assert set(content["more"].values()) == {False}


def test_a_member_sees_its_own_with_whole_codes(world, session_of, till):
    me = session_of(world)

    content = me.get("/members/me/offers/").json()

    assert len(content["vouchers"][0]["code"]) == 16
    assert me.get(f"/members/{world.number}/offers/").status_code == 404
    assert offers(till, world)["vouchers"][0]["code"].startswith("…")


def test_nothing_tells_what_it_costs_the_programme(world, house, session_of):
    promotion(
        "RICH",
        funded_by="GROCER",
        budget={"measure": "POINTS", "at_most": 12345},
        limits=[{"per": "PROGRAM", "period": "DAY", "measure": "USES", "at_most": 777}],
    )

    text = str(session_of(world).get("/members/me/offers/").json())

    for word in ("12345", "777", "budget", "funded", "seed", "definition", "audience"):
        assert word not in text


def test_a_promotion_whose_budget_is_used_up_is_gone(world, house, till, purchase):
    budget = {"measure": "USES", "at_most": 1, "then": "SKIP"}
    promotion("ONCE", budget=budget)
    assert [each["gone"] for each in offers(house, world)["promotions"]] == [False, False]
    till.post("/transactions/earn/", purchase())
    assert sum(BudgetSlot.objects.values_list("rest", flat=True)) == 0

    found = offers(house, world)["promotions"]

    assert [(each["code"], each["gone"]) for each in found] == [("BASE", False), ("ONCE", True)]


def test_what_is_for_the_members_segments_comes_first_and_others_not_at_all(world, house, till):
    SegmentFactory(code="VIP", members=[world])
    SegmentFactory(code="CHEAP")
    promotion("VIPS", audience={"segments": ["VIP"]})
    promotion("OTHERS", audience={"segments": ["CHEAP"]})
    promotion("NOT-VIPS", audience={"not_segments": ["VIP"]})

    found = offers(house, world)["promotions"]

    assert [(each["code"], each["targeted"]) for each in found] == [("VIPS", True), ("BASE", False)]


def test_a_partner_that_may_not_know_the_member_is_told_of_no_segment(world, api_of):
    SegmentFactory(code="VIP", members=[world])
    promotion("VIPS", audience={"segments": ["VIP"]})
    stranger = api_of(PartnerFactory())

    assert codes(offers(stranger, world), "promotions") == ["BASE"]


@pytest.mark.parametrize(
    ("audience", "query", "shown"),
    [
        ({"tiers": ["GOLD"]}, {}, False),
        ({"stages": ["PENDING"]}, {}, False),
        ({"partners": ["GROCER"]}, {}, True),
        ({"partners": ["GROCER"]}, {"partner": "GROCER"}, True),
        ({"partners": ["GROCER"]}, {"partner": "BAKER"}, False),
        ({"outlets": ["S1"]}, {"outlet": "S1"}, True),
        ({"outlets": ["S1"]}, {"outlet": "S2"}, False),
        ({"channels": ["WEB"]}, {"channel": "POS"}, False),
        ({"channels": ["WEB"]}, {"channel": "WEB"}, True),
    ],
)
def test_promotions_are_those_of_the_member_and_the_place(world, house, audience, query, shown):
    PartnerFactory(code="BAKER")
    promotion("PICKED", audience=audience)

    assert ("PICKED" in codes(offers(house, world, **query), "promotions")) is shown


def test_a_partner_sees_what_is_offered_with_it(world, till):
    PartnerFactory(code="BAKER")
    promotion("OURS", audience={"partners": ["GROCER"]})
    promotion("THEIRS", audience={"partners": ["BAKER"]})

    found = offers(till, world, partner="BAKER")

    assert codes(found, "promotions") == ["BASE", "OURS"]


def test_what_is_hidden_or_over_is_not_offered(world, house, now):
    promotion("HIDDEN", visible=False)
    promotion("ENDED", active_to=(now - DAY).isoformat())
    promotion("SOON", active_from=(now + DAY).isoformat())
    over(sweepstake("PAST"))
    sweepstake("SECRET", visible=False)
    sweepstake("ELSEWHERE", countries=["JP"])
    Voucher.objects.update(expires_at=now)

    content = offers(house, world)

    assert codes(content, "promotions") == ["BASE"]
    assert codes(content, "sweepstakes") == ["SPRING"]
    assert content["vouchers"] == []


def test_coupons_and_times_are_told(world, house):
    promotion(
        "TEA", coupons=["TEATIME"], weekdays=["SAT"], hours={"from": "09:00:00", "to": "12:00:00"}
    )

    tea = next(each for each in offers(house, world)["promotions"] if each["code"] == "TEA")

    assert (tea["coupons"], tea["weekdays"]) == (["TEATIME"], ["SAT"])
    assert tea["hours"] == {"from": "09:00:00", "to": "12:00:00"}


def test_texts_are_in_the_members_language_unless_the_header_says_otherwise(world, house):
    Language.objects.get_or_create(code="de", defaults={"name": "Deutsch"})
    Language.objects.get_or_create(code="fr", defaults={"name": "Français"})
    promotion("BASE", texts={"en": {"title": "A point"}, "de": {"title": "Ein Punkt"}})
    kind = VoucherTypeFactory._meta.model.objects.get(code="FIVE")
    kind.translations = {"de": {"name": "Fünfer"}, "fr": {"name": "Cinq"}}
    kind.save()
    Member.objects.update(language="de")
    url = f"/api/v1/members/{world.number}/offers/"

    german = offers(house, world)
    french = house.client.get(url, headers={**house.headers, "Accept-Language": "fr"})

    assert german["language"] == "de"
    assert german["promotions"][0]["title"] == "Ein Punkt"
    assert german["vouchers"][0]["name"] == "Fünfer"
    assert french.headers["Content-Language"] == "fr"
    assert french.json()["promotions"][0]["title"] == "A point"  # No French one: the default's.
    assert french.json()["vouchers"][0]["name"] == "Cinq"


def test_each_kind_is_capped_and_says_so(world, house):
    for number in range(3):
        promotion(f"P{number}")
        sweepstake(f"W{number}")

    content = offers(house, world, limit=2)

    assert len(content["promotions"]) == len(content["sweepstakes"]) == 2
    assert content["more"] == {
        "benefits": False,
        "vouchers": False,
        "promotions": True,
        "sweepstakes": True,
    }
    path = f"/members/{world.number}/offers/"
    assert house.get(path, limit=0).status_code == 400
    assert house.get(path, limit=101).status_code == 400
    assert house.get(path, kind="ALL").status_code == 400


def test_a_member_that_may_earn_nothing_is_offered_nothing_to_earn(world, house):
    Member.objects.filter(pk=world.pk).update(stage="SUSPENDED")

    content = offers(house, world)

    assert (content["promotions"], content["sweepstakes"]) == ([], [])


def test_nobody_of_this_number_has_offers(world, house):
    assert house.get("/members/9999999999/offers/").json()["code"] == "MEMBER_NOT_FOUND"


def test_it_sends_few_statements_however_much_there_is(world, house, statements):
    offers(house, world)

    def count():
        offers(house, world)  # A new promotion moves the epoch: settings are read anew, once.
        statements.sent.clear()
        offers(house, world, limit=100)
        return len(statements.sent)

    few = count()
    for number in range(4):
        promotion(f"P{number}", budget={"measure": "USES", "at_most": 5})
        sweepstake(f"W{number}")
        BenefitFactory(code=f"B{number}", tiers=["BASE"], quota=3)
        MemberFactory()
    assert count() == few <= 19
