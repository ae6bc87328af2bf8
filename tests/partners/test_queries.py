"""A token leads to its caller, in one query."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from loyalty.caller import Caller
from partners.errors import PartnerNotFound
from partners.models import ApiClient, Partner
from partners.queries import caller_of_token, house, partner_id_of
from partners.services.clients import create_client
from tests.factories.partners import PartnerFactory, token_for, token_of


def test_a_partners_token_leads_to_the_partner_in_one_query(partner):
    token = token_for(["points:earn", "points:read"], partner)
    client = ApiClient.objects.select_related("application").get()

    with CaptureQueriesContext(connection) as queries:
        caller, expires_at = caller_of_token(token)

    assert len(queries) == 1
    assert caller == Caller(
        client_id=client.application.client_id,
        partner_id=partner.pk,
        partner_code="GROCER",
        house=False,
        scopes=frozenset({"points:earn", "points:read"}),
        rate_limit_per_minute=6000,
    )
    assert caller.only_partner == partner.pk
    assert expires_at.tzinfo is not None


def test_a_house_token_acts_as_the_house_in_one_query(partner):
    token = token_for(["points:adjust"])

    with CaptureQueriesContext(connection) as queries:
        caller, _ = caller_of_token(token)

    assert len(queries) == 1
    assert (caller.partner_id, caller.partner_code, caller.house) == (house().pk, "HOUSE", True)
    assert caller.scopes == {"points:adjust"}
    assert caller.only_partner is None


def test_each_of_many_tokens_leads_to_its_own_client(partner):
    others = [PartnerFactory() for _ in range(3)]
    tokens = {each.code: token_for(["points:read"], each) for each in (partner, *others)}
    client = ApiClient.objects.filter(partner=partner).get()
    for _ in range(3):
        token_of(client, ["points:read"])

    assert {code: caller_of_token(token)[0].partner_code for code, token in tokens.items()} == {
        code: code for code in tokens
    }


@pytest.mark.parametrize("token", ["", "unknown", "x" * 10_000, "ümlaut", "nul\x00"])
def test_what_is_no_token_leads_nowhere(token, partner):
    token_for(["points:read"], partner)

    assert caller_of_token(token) is None


def test_a_token_past_its_end_leads_nowhere(partner):
    client = create_client("till", partner=partner).client

    assert caller_of_token(token_of(client, ["points:read"], lives=timedelta(0))) is None


def test_a_right_that_was_taken_away_is_gone_from_the_token(partner):
    token = token_for(["points:earn", "points:read"], partner)

    ApiClient.objects.update(scopes=["points:read"])

    assert caller_of_token(token)[0].scopes == {"points:read"}


def test_a_partners_token_never_carries_a_house_scope(partner):
    client = create_client("till", partner=partner).client
    ApiClient.objects.update(scopes=["points:read", "points:adjust"])

    token = token_of(client, ["points:read", "points:adjust"])

    assert caller_of_token(token)[0].scopes == {"points:read"}


def test_only_a_partner_who_is_active_calls(partner):
    token = token_for(["points:read"], partner)
    house_token = token_for(["points:read"])

    Partner.objects.filter(is_house=False).update(status="INACTIVE")

    assert caller_of_token(token) is None
    assert caller_of_token(house_token) is not None


def test_a_partner_is_found_by_its_code(partner):
    assert partner_id_of("GROCER") == partner.pk
    with pytest.raises(PartnerNotFound):
        partner_id_of("NOBODY")
