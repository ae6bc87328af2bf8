"""The programme tells what it knows: languages, communication, providers, currencies, points."""

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.urls import reverse

from loyalty.models import (
    CommunicationCategory,
    CommunicationChannel,
    Currency,
    IdentityProvider,
    Language,
    Program,
    User,
)

PATHS = [
    "/program/",
    "/program/languages/",
    "/program/communication-categories/",
    "/program/communication-channels/",
    "/program/identity-providers/",
    "/program/point-types/",
    "/program/tiers/",
    "/program/event-types/",
]


@pytest.fixture
def german(program):
    """German beside English, Austrian German below German, Italian below Austrian German."""
    de = Language.objects.create(code="de", name="Deutsch")
    at = Language.objects.create(code="de-AT", name="Österreichisch", fallback=de)
    Language.objects.create(code="it", name="Italiano", fallback=at)
    Language.objects.create(code="fr", name="Français", active=False)
    CommunicationCategory.objects.filter(code="marketing").update(
        translations={"de": {"name": "Angebote"}, "fr": {"name": "Offres"}}
    )


def category(api, accept=None, code="marketing"):
    headers = {**api.headers, **({"Accept-Language": accept} if accept else {})}
    answer = api.client.get("/api/v1/program/communication-categories/", headers=headers)
    assert answer.status_code == 200
    rows = {each["code"]: each for each in answer.json()["results"]}
    return rows[code], answer.headers["Content-Language"]


def test_the_programme_tells_its_settings(till):
    Currency.objects.create(code="JPY", name="Yen", decimals=0)
    Currency.objects.create(code="USD", name="Dollar", active=False)
    Program.objects.update(offline_floor="25.50", minimum_age=16)

    answer = till.get("/program/").json()

    assert answer["name"] == "Laurel"
    assert (answer["time_zone"], answer["currency"]) == ("Europe/Vienna", "EUR")
    assert answer["currencies"] == [
        {"code": "EUR", "name": "EUR", "decimals": 2, "rate": "1"},
        {"code": "JPY", "name": "Yen", "decimals": 0, "rate": None},
    ]
    assert (answer["language"], answer["languages"]) == ("en", ["en"])
    assert answer["accepted_lateness"] == "P30D"
    assert answer["future_tolerance"] == "PT300S"
    assert answer["offline_floor"] == {"amount": "25.50", "currency": "EUR"}
    assert answer["minimum_age"] == 16
    assert "epoch" not in answer


def test_languages_tell_where_they_fall_back_to(german, house):
    assert house.get("/program/languages/").json() == {
        "results": [
            {"code": "en", "name": "English", "default": True, "fallback": []},
            {"code": "de", "name": "Deutsch", "default": False, "fallback": ["en"]},
            {
                "code": "de-AT",
                "name": "Österreichisch",
                "default": False,
                "fallback": ["de", "en"],
            },
            {
                "code": "it",
                "name": "Italiano",
                "default": False,
                "fallback": ["de-AT", "de", "en"],
            },
        ],
        "next": None,
    }


@pytest.mark.parametrize(
    ("accept", "name", "language"),
    [
        (None, "Offers and news", "en"),
        ("de", "Angebote", "de"),
        ("de-AT", "Angebote", "de-AT"),
        ("de-CH, en;q=0.5", "Angebote", "de"),
        ("it", "Angebote", "it"),
        ("en, de;q=0.9", "Offers and news", "en"),
        ("en;q=0.1, DE-at", "Angebote", "de-AT"),
        ("fr", "Offers and news", "en"),
        ("fr, de;q=0.3", "Angebote", "de"),
        ("xx, *;q=0.1", "Offers and news", "en"),
        ("de;q=0, en", "Offers and news", "en"),
        (";;;q=x,\t", "Offers and news", "en"),
        ("x" * 5000, "Offers and news", "en"),
    ],
)
def test_an_answer_is_in_the_language_that_is_accepted(accept, name, language, german, house):
    row, content_language = category(house, accept)

    assert row["name"] == name
    assert content_language == language


def test_german_is_met_by_the_german_there_is(program, house):
    Language.objects.create(code="de-AT", name="Österreichisch")

    assert category(house, "de")[1] == "de-AT"


def test_a_category_tells_what_holds_without_a_word_and_why(till):
    assert till.get("/program/communication-categories/").json()["results"] == [
        {
            "code": "marketing",
            "name": "Offers and news",
            "consent_default": False,
            "legal_basis": "CONSENT",
            "needs_proof": False,
        },
        {
            "code": "partner-sharing",
            "name": "Sharing the profile with partners",
            "consent_default": False,
            "legal_basis": "CONSENT",
            "needs_proof": True,
        },
        {
            "code": "service",
            "name": "The membership itself",
            "consent_default": True,
            "legal_basis": "CONTRACT",
            "needs_proof": False,
        },
    ]


def test_what_is_no_longer_used_is_not_listed(program, till):
    CommunicationCategory.objects.filter(code="marketing").update(active=False)
    CommunicationChannel.objects.filter(code="sms").update(active=False)
    IdentityProvider.objects.filter(code="app").update(active=False)

    def codes(path):
        return [each["code"] for each in till.get(path).json()["results"]]

    assert codes("/program/communication-categories/") == ["partner-sharing", "service"]
    assert codes("/program/communication-channels/") == ["email", "messenger", "post", "push"]
    assert codes("/program/identity-providers/") == ["email", "phone"]


def test_a_provider_tells_what_its_values_look_like(program, till):
    IdentityProvider.objects.filter(code="app").update(pattern="[0-9]{6}", max_per_member=3)

    assert till.get("/program/identity-providers/").json()["results"][0] == {
        "code": "app",
        "name": "App",
        "kind": "APP",
        "format": "[0-9]{6}",
        "unique": True,
        "max_per_member": 3,
        "verified": "UNVERIFIED",
        "quarantine": "P90D",
    }


def test_point_types_tell_what_they_are_worth(till):
    assert till.get("/program/point-types/").json()["results"] == [
        {
            "code": "PTS",
            "name": "Points",
            "decimals": 0,
            "redeemable": True,
            "qualifying": True,
            "expiry": "P12M/EARNED/MONTH",
            "minimum": 1,
            "step": 1,
            "daily_limit": None,
            "values": [
                {
                    "value": "0.01",
                    "currency": "EUR",
                    "valid_from": "2000-01-01T00:00:00Z",
                    "valid_to": None,
                }
            ],
        }
    ]


def test_tiers_are_a_ladder(till):
    rows = till.get("/program/tiers/").json()["results"]

    assert [(each["code"], each["rank"], each["is_base"]) for each in rows] == [
        ("BASE", 0, True),
        ("SILVER", 1, False),
        ("GOLD", 2, False),
    ]


@pytest.mark.parametrize("path", PATHS)
def test_a_list_that_did_not_change_is_not_sent_again(path, till, statements):
    first = till.get(path)
    tag = first.headers["ETag"]
    assert tag.startswith('W/"')
    statements.sent.clear()

    again = till.client.get(
        f"/api/v1{path}", headers={**till.headers, "If-None-Match": f'"other", {tag}'}
    )

    assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", tag)
    other = till.client.get(f"/api/v1{path}", headers={**till.headers, "If-None-Match": '"other"'})
    assert (other.status_code, other.content) == (200, first.content)
    assert len(statements.sent) <= 2 * 3, statements.sent


@pytest.mark.parametrize("path", PATHS)
def test_a_members_session_reads_the_programme_too(path, session_of, member):
    assert session_of(member).get(path).status_code == 200


@pytest.mark.parametrize("pattern", ["[", "(?P<x", "*", "a{2,1}"])
def test_a_bad_regular_expression_is_refused(pattern, program):
    provider = IdentityProvider.objects.get(code="app")
    provider.pattern = pattern

    with pytest.raises(ValidationError):
        provider.full_clean()


def test_there_is_one_default_language_and_it_stands(program):
    default = Language.objects.get(is_default=True)
    for change in ({"active": False}, {"fallback": default}):
        with pytest.raises(IntegrityError), transaction.atomic():
            Language.objects.filter(pk=default.pk).update(**change)
    with pytest.raises(IntegrityError), transaction.atomic():
        Language.objects.create(code="de", name="Deutsch", is_default=True)


def test_fallbacks_end_somewhere(german, client):
    client.force_login(User.objects.create_superuser("boss", password="secret"))
    page = reverse("admin:loyalty_language_change", args=[Language.objects.get(code="de").pk])
    below = Language.objects.get(code="de-AT").pk

    refused = client.post(page, {"name": "Deutsch", "fallback": below, "active": "on"})

    assert "falls back to de itself" in refused.content.decode()
    assert Language.objects.get(code="de").fallback is None
