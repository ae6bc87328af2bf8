"""API clients: made and rotated by commands and in the back office, each secret shown once."""

import json
import re
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, transaction
from django.urls import reverse
from django.utils import timezone
from oauth2_provider.models import get_access_token_model, get_application_model

from loyalty import token_cache
from loyalty.caller import Caller
from loyalty.errors import ValidationFailed
from loyalty.scopes import FOR_PARTNERS, Scope
from partners.models import ApiClient, Partner
from partners.services.clients import create_client, remove_client
from partners.tasks import clear_expired_tokens
from tests.factories.loyalty import UserFactory
from tests.factories.partners import PartnerFactory, token_of
from tests.partners.test_oauth import ask

PARTS = ["outlets", "rates", "exchange", "contacts", "clients"]  # Of a partner's page.


def run(*arguments):
    out = StringIO()
    call_command(*arguments, stdout=out)
    return out.getvalue()


def test_a_partners_client_gets_all_that_partners_may(partner):
    made = create_client("till", partner=partner)

    assert set(made.client.scopes) == {str(scope) for scope in FOR_PARTNERS}
    assert made.client.rate_limit_per_minute == 6000


def test_a_client_of_the_house_is_one_without_a_partner(program):
    made = create_client("office", partner=Partner.objects.get(is_house=True))

    assert made.client.partner is None
    assert set(made.client.scopes) == {str(scope) for scope in Scope}


@pytest.mark.parametrize(("scope", "code"), [("points:adjust", "HOUSE_ONLY"), ("x:y", "UNKNOWN")])
def test_a_scope_that_a_partner_may_not_hold_is_refused(scope, code, partner):
    with pytest.raises(ValidationFailed) as refused:
        create_client("till", partner=partner, scopes=["points:read", scope])

    assert [(e.pointer, e.code) for e in refused.value.errors] == [("/scopes", code)]
    assert not ApiClient.objects.exists()
    assert not get_application_model().objects.exists()


def test_a_removed_client_leaves_nothing_that_opens(partner):
    client = create_client("till", partner=partner).client
    token_of(client, ["points:read"])

    remove_client(client)

    assert not ApiClient.objects.exists()
    assert not get_application_model().objects.exists()
    assert not get_access_token_model().objects.exists()


class TestCommands:
    def test_a_client_is_made_for_a_partner(self, partner):
        out = run(
            "create_api_client", "till", "--partner", "GROCER", "--scope", "points:read", "--json"
        )

        answer = json.loads(out)
        assert set(answer) == {"client_id", "client_secret"}
        client = ApiClient.objects.get()
        assert (client.partner, client.scopes) == (partner, ["points:read"])
        assert ask(answer["client_id"], answer["client_secret"]).status_code == 200

    def test_without_json_it_can_be_read(self, program):
        out = run("create_api_client", "office")

        application = get_application_model().objects.get()
        assert out.splitlines()[0] == f"client id      {application.client_id}"
        assert re.fullmatch(r"client secret  [\w-]{43}", out.splitlines()[1])

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (["--partner", "NOBODY"], "There is no partner NOBODY."),
            (["--partner", "GROCER", "--scope", "points:adjust"], "points:adjust is for house"),
            (["--scope", "x:y"], "No scope 'x:y'"),
        ],
    )
    def test_what_cannot_be_made_is_said_in_a_sentence(self, arguments, message, partner):
        with pytest.raises(CommandError, match=message):
            run("create_api_client", "till", *arguments)

        assert not ApiClient.objects.exists()

    def test_a_secret_is_rotated(self, partner):
        made = create_client("till", partner=partner)

        answer = json.loads(run("rotate_api_client", made.client_id, "--hours", "2", "--json"))

        assert set(answer) == {"client_id", "client_secret", "old_secret_until"}
        client = ApiClient.objects.get()
        left = client.second_secret_until - timezone.now()
        assert timedelta(minutes=119) < left <= timedelta(hours=2)
        for secret in (made.client_secret, answer["client_secret"]):
            assert ask(made.client_id, secret).status_code == 200

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [(["nobody"], "There is no API client nobody."), (["till", "--hours", "-1"], "negative")],
    )
    def test_what_cannot_be_rotated_is_said_in_a_sentence(self, arguments, message, partner):
        made = create_client("till", partner=partner)
        arguments = [made.client_id if a == "till" else a for a in arguments]

        with pytest.raises(CommandError, match=message):
            run("rotate_api_client", *arguments)

        assert ApiClient.objects.get().second_secret == ""


class TestBackOffice:
    url = "admin:partners_apiclient_"

    def form(self, partner, *scopes):
        return {
            "name": "till",
            "partner": partner.pk if partner else "",
            "scopes": scopes,
            "rate_limit_per_minute": 60,
        }

    def rotate(self, client, row):
        return client.post(
            reverse(self.url + "changelist"),
            {"action": "rotate", "_selected_action": [row.pk]},
            follow=True,
        )

    def test_a_client_is_made_and_its_secret_is_shown_once(self, partner, client):
        client.force_login(UserFactory(groups=["Partner manager"]))

        page = client.post(
            reverse(self.url + "add"), self.form(partner, "points:read"), follow=True
        ).content.decode()
        again = client.get(reverse(self.url + "changelist")).content.decode()

        shown = re.search(r"Client id (\w+), secret ([\w-]{43})\.", page)
        assert ask(*shown.groups()).json()["scope"] == "points:read"
        assert "secret " + shown[2] not in again
        assert ApiClient.objects.values_list("partner", "rate_limit_per_minute").get() == (
            partner.pk,
            60,
        )

    def test_a_house_scope_is_refused_to_a_partners_client(self, partner, client):
        client.force_login(UserFactory(is_superuser=True))

        page = client.post(reverse(self.url + "add"), self.form(partner, "points:adjust"))

        assert "points:adjust is for house clients only." in page.content.decode()
        assert not ApiClient.objects.exists()

    def test_only_a_superuser_makes_a_client_of_the_house(self, program, client):
        client.force_login(UserFactory(groups=["Partner manager"]))
        refused = client.post(reverse(self.url + "add"), self.form(None, "points:read"))
        there = ApiClient.objects.exists()
        client.force_login(UserFactory(is_superuser=True))
        made = client.post(reverse(self.url + "add"), self.form(None, "points:adjust"))

        assert (refused.status_code, there) == (200, False)
        assert made.status_code == 302
        assert ApiClient.objects.values_list("partner", "scopes").get() == (None, ["points:adjust"])

    def test_the_house_itself_is_not_offered_as_a_partner(self, partner, client):
        client.force_login(UserFactory(is_superuser=True))

        page = client.get(reverse(self.url + "add")).content.decode()

        assert f'<option value="{partner.pk}"' in page
        assert f'<option value="{Partner.objects.get(is_house=True).pk}"' not in page

    @pytest.mark.parametrize(("group", "rotated"), [("Auditor", False), ("Partner manager", True)])
    def test_who_may_only_look_does_not_rotate(self, group, rotated, partner, client):
        made = create_client("till", partner=partner)
        client.force_login(UserFactory(groups=[group]))

        page = self.rotate(client, made.client).content.decode()

        assert ("The secret is shown this once" in page) == rotated
        assert bool(ApiClient.objects.get().second_secret) == rotated

    def test_a_partner_manager_does_not_touch_the_houses_clients(self, program, client):
        made = create_client("office", partner=None)
        client.force_login(UserFactory(groups=["Partner manager"]))
        changed = self.form(PartnerFactory(), "points:read")

        page = self.rotate(client, made.client).content.decode()
        edited = client.post(reverse(self.url + "change", args=[made.client.pk]), changed)
        deleted = client.post(reverse(self.url + "delete", args=[made.client.pk]), {"post": "yes"})
        client.post(
            reverse(self.url + "changelist"),
            {"action": "delete_selected", "_selected_action": [made.client.pk], "post": "yes"},
        )

        assert "a superuser rotates its secret" in page
        assert (edited.status_code, deleted.status_code) == (403, 403)
        kept = ApiClient.objects.get()
        assert (kept.partner, kept.second_secret) == (None, "")

    def test_taking_a_right_away_is_seen_at_once(self, partner, client, now):
        made = create_client("till", partner=partner, scopes=["points:read", "points:earn"])
        token_cache.put(
            "t",
            Caller(made.client_id, partner.pk, "GROCER", False, frozenset(made.client.scopes), 60),
            now + timedelta(hours=1),
        )
        client.force_login(UserFactory(groups=["Partner manager"]))

        client.post(
            reverse(self.url + "change", args=[made.client.pk]), self.form(partner, "points:read")
        )

        assert ApiClient.objects.get().scopes == ["points:read"]
        assert token_cache.get("t") is None

    def test_the_list_of_clients_costs_the_same_however_many_there_are(
        self, partner, client, django_assert_num_queries
    ):
        client.force_login(UserFactory(is_superuser=True))
        from django.db import connection
        from django.test.utils import CaptureQueriesContext

        create_client("one", partner=partner)
        client.get(reverse(self.url + "changelist"))
        with CaptureQueriesContext(connection) as few:
            client.get(reverse(self.url + "changelist"))
        for n in range(5):
            create_client(f"till {n}", partner=partner)
        with CaptureQueriesContext(connection) as many:
            client.get(reverse(self.url + "changelist"))

        assert len(many) == len(few)


def test_tokens_that_have_ended_are_cleared_away(partner):
    client = create_client("till", partner=partner).client
    token_of(client, ["points:read"], lives=-timedelta(minutes=1))
    token_of(client, ["points:read"])

    clear_expired_tokens()

    assert get_access_token_model().objects.filter(expires__gt=timezone.now()).count() == 1
    assert get_access_token_model().objects.count() == 1


def test_there_is_one_house(program):
    with pytest.raises(IntegrityError, match="partners_partner_one_house"), transaction.atomic():
        Partner.objects.create(code="HOUSE2", name="Another", is_house=True)


def test_an_outlets_code_is_its_partners_own(partner):
    other = PartnerFactory(outlets=["S1"])

    assert other.outlets.get().code == "S1"
    with pytest.raises(IntegrityError, match="partners_outlet_code"), transaction.atomic():
        partner.outlets.create(code="S1", name="Again")


def test_the_house_stays_the_house_and_codes_stay(partner, client):
    client.force_login(UserFactory(groups=["Partner manager"]))
    house = Partner.objects.get(is_house=True)
    form = {
        "code": "CHANGED",
        "name": "Changed",
        "kind": "SPONSOR",
        "status": "INACTIVE",
        "currency": "EUR",
        **{f"{each}-{count}_FORMS": 0 for each in PARTS for count in ("TOTAL", "INITIAL")},
    }

    for each in (house, partner):
        answer = client.post(reverse("admin:partners_partner_change", args=[each.pk]), form)
        assert answer.status_code == 302

    fields = ("code", "name", "kind", "status")
    assert list(Partner.objects.order_by("pk").values_list(*fields)) == [
        ("HOUSE", "Changed", "HOUSE", "ACTIVE"),
        ("GROCER", "Changed", "SPONSOR", "INACTIVE"),
    ]


def test_nobody_becomes_a_second_house(program, client):
    client.force_login(UserFactory(groups=["Partner manager"]))
    form = {"code": "X", "name": "X", "kind": "HOUSE", "status": "ACTIVE"}
    inlines = {"outlets-TOTAL_FORMS": 0, "outlets-INITIAL_FORMS": 0}

    answer = client.post(reverse("admin:partners_partner_add"), form | inlines)

    assert answer.status_code == 200
    assert not Partner.objects.filter(code="X").exists()
