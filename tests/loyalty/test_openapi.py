"""The schema is valid OpenAPI 3.1 and says of each operation what the code does."""

import json
import re
from typing import Any

import pytest
from django.urls import get_resolver
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.validation import validate_schema

from loyalty.api.views import ProgramViewSet
from loyalty.scopes import HOUSE_ONLY, Scope

PROBLEM = {"application/problem+json"}


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    return SchemaGenerator().get_schema(request=None, public=True)


def operations_of(schema):
    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def test_the_schema_is_valid(schema):
    validate_schema(schema)

    assert schema["openapi"] == "3.1.0"


def test_everything_referred_to_is_there(schema):
    wanted = set(re.findall(r'"#/components/schemas/([^"]+)"', json.dumps(schema)))

    assert wanted <= set(schema["components"]["schemas"])
    assert "$defs" not in json.dumps(schema)


def test_names_and_ids_are_unique(schema):
    operations = [operation for _, _, operation in operations_of(schema)]

    for name in ("summary", "operationId"):
        values = [operation[name] for operation in operations]
        assert len(set(values)) == len(values)


def test_every_operation_asks_for_the_scope_that_its_action_names(schema):
    for path, method, operation in operations_of(schema):
        ways = {name: scopes for each in operation["security"] for name, scopes in each.items()}
        assert ways, (method, path)
        assert set(ways) <= {"oauth2", "session", "public_client"}
        if "oauth2" in ways:
            assert [scope in list(Scope) for scope in ways["oauth2"]] == [True], (method, path)
        else:
            assert ways == {"session": []}, (method, path)


def test_the_token_flow_names_all_scopes_and_who_may_hold_them(schema):
    flow = schema["components"]["securitySchemes"]["oauth2"]["flows"]["clientCredentials"]

    assert flow["tokenUrl"] == "/oauth/token/"
    assert set(flow["scopes"]) == set(Scope)
    assert {scope for scope, who in flow["scopes"].items() if "House" in who} == HOUSE_ONLY


def test_every_operation_tells_its_problems(schema):
    for path, method, operation in operations_of(schema):
        wanted = {"401", "403", "404", "429"}
        if "requestBody" in operation:
            wanted |= {"400", "409", "422"}
        assert wanted <= set(operation["responses"]), (method, path)
        for status, response in operation["responses"].items():
            content = response["content"]
            kinds = {"application/json", "text/csv"} if status[0] == "2" else PROBLEM
            assert len(content) == 1
            assert set(content) <= kinds
            assert response["description"]


def test_a_request_that_knows_no_unknown_fields_says_so(schema):
    for path, method, operation in operations_of(schema):
        if "requestBody" in operation:
            reference = operation["requestBody"]["content"]["application/json"]["schema"]["$ref"]
            shape = schema["components"]["schemas"][reference.rpartition("/")[2]]
            assert shape["additionalProperties"] is False, (method, path)


def test_parameters_of_a_query_have_their_types(schema):
    [history] = [
        each for _, _, each in operations_of(schema) if each["summary"] == "Transaction History"
    ]
    given = {each["name"]: each for each in history["parameters"] if each["in"] == "query"}

    assert given["limit"]["schema"] == {
        "type": "integer",
        "minimum": 1,
        "maximum": 200,
        "default": 50,
    }
    assert given["from"]["schema"] == {"type": "string", "format": "date-time"}
    assert given["by"]["schema"]["enum"] == ["occurred", "posted"]
    assert not any(each.get("required") for each in given.values())


def test_patterns_are_written_for_everybody_and_not_for_python(schema):
    assert "(?!" not in json.dumps(schema["components"]["schemas"])


def views(patterns, prefix=""):
    for pattern in patterns:
        if hasattr(pattern, "url_patterns"):
            yield from views(pattern.url_patterns, prefix + str(pattern.pattern))
        else:
            yield prefix + str(pattern.pattern), pattern.callback


def test_every_action_names_a_scope_and_is_described():
    seen = 0
    for route, view in views(get_resolver().url_patterns):
        if not route.startswith("api/v1/"):
            continue
        kind, actions = view.cls, view.actions
        assert issubclass(kind, ProgramViewSet), route
        for method, action in actions.items():
            seen += 1
            for_members_only = action in kind.member_actions and not kind.public_actions
            assert kind.action_scopes[action] in list(Scope) or for_members_only, (route, method)
            assert hasattr(getattr(kind, action), "kwargs"), f"{route} {method} lacks @operation"
    assert seen >= 12


def test_the_pages_of_the_schema_need_nothing_from_outside(client):
    docs = client.get("/api/docs/").content.decode()
    schema = client.get("/api/schema/?format=json")

    assert schema.status_code == 200
    assert not re.findall(r'(?:src|href)="(?:https?:)?//', docs)


def test_a_schema_in_a_form_that_is_not_there_is_no_fault(client):
    refused = client.get("/api/schema/", headers={"Accept": "application/x-nothing"})

    assert (refused.status_code, refused.json()["code"]) == (406, "NOT_ACCEPTABLE")
