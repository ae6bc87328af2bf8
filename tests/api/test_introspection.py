"""Introspection says what the API would say."""

import base64

from partners.services.clients import create_client


def basic(made):
    pair = f"{made.client_id}:{made.client_secret}".encode()
    return {"Authorization": f"Basic {base64.b64encode(pair).decode()}"}


def token(client, made):
    body = {"grant_type": "client_credentials"}
    return client.post("/oauth/token/", body, headers=basic(made)).json()["access_token"]


def asked(client, made, about):
    return client.post("/oauth/introspect/", {"token": about}, headers=basic(made)).json()


def test_a_client_learns_of_its_own_token_only(client, partner):
    mine = create_client("till", partner=partner, scopes=["points:read"])
    other = create_client("other", partner=None)
    about = token(client, mine)

    own = asked(client, mine, about)

    assert (own["active"], own["scope"], own["client_id"]) == (True, "points:read", mine.client_id)
    assert asked(client, other, about) == {"active": False}
    assert asked(client, mine, "rubbish") == {"active": False}
    assert client.post("/oauth/introspect/", {"token": about}).status_code in (401, 403)


def test_a_token_that_the_api_refuses_is_not_active(client, partner):
    mine = create_client("till", partner=partner)
    about = token(client, mine)
    type(partner).objects.filter(pk=partner.pk).update(status="INACTIVE")

    refused = client.post("/oauth/introspect/", {"token": about}, headers=basic(mine))

    assert refused.status_code in (401, 403)
