"""Event types as callers see them."""

from loyalty.models import Language
from tests.api.events.calls import set_type
from tests.factories.events import EventTypeFactory
from tests.factories.partners import PartnerFactory


def test_event_types_are_told_in_the_callers_language(till, house, survey, api_of):
    Language.objects.create(code="de", name="Deutsch")
    set_type(translations={"de": {"name": "Umfrage"}}, cooldown="P30D")
    EventTypeFactory(code="QUIZ", partners=[PartnerFactory(code="OTHER")])

    answer = till.client.get(
        "/api/v1/program/event-types/", headers={**till.headers, "Accept-Language": "de"}
    )

    assert answer.headers["Content-Language"] == "de"
    [row] = answer.json()["results"]
    assert (row["code"], row["name"], row["cooldown"]) == ("SURVEY", "Umfrage", "P30D")
    assert row["attributes"]["score"]["type"] == "INTEGER"
    known = [each["code"] for each in house.get("/program/event-types/").json()["results"]]
    assert known == ["ANNIVERSARY", "QUIZ", "SURVEY"]


def test_event_types_come_in_pages(house, survey):
    first = house.get("/program/event-types/", limit=1).json()
    second = house.get("/program/event-types/", limit=1, cursor=first["next"]).json()

    assert [each["code"] for each in first["results"] + second["results"]] == [
        "ANNIVERSARY",
        "SURVEY",
    ]
    assert second["next"] is None
