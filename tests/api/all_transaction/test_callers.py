"""All Transaction: who may make which call, and the same call again."""

import pytest

from tests.api.all_transaction.calls import FIFTY, URL, eur, of_sale, refused, state
from tests.factories.ledger import give
from tests.factories.promotions import promotion
from tests.factories.vouchers import BenefitFactory
from vouchers.models import Voucher

pytestmark = pytest.mark.usefixtures("member")


class TestScopes:
    @pytest.mark.parametrize(
        ("content", "scope"),
        [
            ({}, "points:earn"),
            ({"burn": [{"type": "PTS", "points": 1}]}, "points:redeem"),
            ({"vouchers": [{"code": "ABCD"}]}, "vouchers:use"),
            ({"benefits": [{"code": "PARKING"}]}, "benefits:use"),
            ({"returns": [{"original": {"reference": "R"}, "lines": [{"line": 1, "quantity": "1"}]}]}, "points:reverse"),
        ],
    )  # fmt: skip
    def test_are_asked_for_by_content(self, api_of, partner, visit, content, scope):
        scopes = {"points:read", "points:earn", "points:redeem", "vouchers:use", "benefits:use"}
        api = api_of(partner, sorted((scopes | {"points:reverse"}) - {scope}))

        assert refused(api.post(URL, visit(**content)), 403, "SCOPE_MISSING")["scope"] == scope

    def test_to_evaluate_is_to_read(self, api_of, partner, visit, voucher, member):
        give(member, 100)
        call = visit(
            "evaluate", vouchers=[{"code": voucher()}], burn=[{"type": "PTS", "points": 1}]
        )

        assert api_of(partner, ["points:read"]).post(URL, call).status_code == 200
        document = refused(api_of(partner, ["points:earn"]).post(URL, call), 403, "SCOPE_MISSING")
        assert document["scope"] == "points:read"

    def test_a_commit_needs_no_right_to_read(self, api_of, partner, visit):
        assert api_of(partner, ["points:earn"]).post(URL, visit()).status_code == 201


class TestGuests:
    def test_may_look_at_what_they_would_get(self, till, visit, voucher):
        promotion(not_tenders=["VOUCHER"], audience={"guests": True})
        bearer = voucher()
        Voucher.objects.update(member=None)
        before = state()

        body = till.post(URL, visit("evaluate", member=None, vouchers=[{"code": bearer}])).json()

        assert body["points"] == [{"type": "PTS", "points": 5}]
        assert body["as_member"]["points"] == [{"type": "PTS", "points": 5}]
        assert (body["to_pay"], body["quote"], body["tier"]) == (eur("5.00"), None, None)
        assert state() == before

    @pytest.mark.parametrize(
        "content",
        [
            {"mode": "commit"},
            {"burn": [{"type": "PTS", "points": 1}]},
            {"benefits": [{"code": "PARKING"}]},
        ],
    )
    def test_have_to_be_members_for_more(self, till, visit, content):
        document = refused(
            till.post(URL, visit(**{"mode": "evaluate", "member": None, **content})),
            400,
            "VALIDATION_FAILED",
        )

        assert document["errors"][0]["pointer"] == "/member"

    def test_have_bought_nothing_that_could_come_back(self, till, visit, sell):
        call = visit("evaluate", member=None, returns=[of_sale(sell())])

        refused(till.post(URL, call), 404, "TRANSACTION_NOT_FOUND")


class TestTheSameCallAgain:
    @pytest.fixture
    def call(self, visit, member, voucher, sell):
        promotion()
        give(member, 1000)
        BenefitFactory(code="PARKING", tiers=["BASE"], quota=2)
        return visit(
            lines=FIFTY,
            reference="BILL-1",
            returns=[of_sale(sell())],
            vouchers=[{"code": voucher()}],
            benefits=[{"code": "PARKING"}],
            burn=[{"type": "PTS", "points": 200}],
        )

    def test_answers_the_first_answer_whatever_happened_since(self, till, call, member, house):
        first = till.post(URL, call)
        assert first.status_code == 201, first.json()
        promotion("LATER")
        give(member, 77)
        till.post(
            "/transactions/reverse-earn/",
            {"original": {"id": first.json()["id"]}, "reference": "X", "occurred_at": call["occurred_at"]},
        )  # fmt: skip
        before = state()

        again = till.post(URL, {**call, "tenders": []})

        assert (again.status_code, again.headers["Idempotent-Replayed"]) == (200, "true")
        assert again.json() == first.json()
        assert state() == before

    def test_with_other_content_conflicts(self, till, call):
        till.post(URL, call)
        before = state()

        refused(till.post(URL, {**call, "burn": []}), 409, "REFERENCE_CONFLICT")

        assert state() == before

    def test_a_lone_earn_with_its_reference_conflicts_and_the_other_way_round(
        self, till, call, purchase
    ):
        lone = purchase(reference="BILL-1")
        till.post(URL, call)
        refused(till.post("/transactions/earn/", lone), 409, "REFERENCE_CONFLICT")
        assert till.post("/transactions/earn/", {**lone, "reference": "B2"}).status_code == 201
        before = state()

        refused(till.post(URL, {**call, "reference": "B2"}), 409, "REFERENCE_CONFLICT")

        assert state() == before

    @pytest.mark.parametrize("kind", ["redeem", "return-items"])
    def test_so_does_a_lone_part_of_it(self, till, call, member, sell, now, kind):
        common = {"reference": "BILL-1", "occurred_at": now.isoformat()}
        bodies = {
            "redeem": {"member": {"number": member.number}, "type": "PTS", "points": 1},
            "return-items": of_sale(sell()),
        }
        assert till.post(f"/transactions/{kind}/", {**bodies[kind], **common}).status_code == 201
        before = state()

        refused(till.post(URL, call), 409, "REFERENCE_CONFLICT")

        assert state() == before
