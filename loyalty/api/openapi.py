"""OpenAPI 3.1 from the structs: each operation names its body, its answer and its scope."""

from collections.abc import Callable
from typing import Any, TypeVar

import msgspec
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiParameter, extend_schema

F = TypeVar("F", bound=Callable[..., Any])
_REF = "#/components/schemas/{name}"
_shapes: set[type] = set()


class Problem(msgspec.Struct):
    """An RFC 9457 problem document; some codes add members of their own."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    code: str
    request_id: str


class OperationSchema(AutoSchema):
    """A schema whose security is the bearer token with the scope that the action names."""

    def get_auth(self) -> list[dict[str, list[str]]]:
        scope = self.view.action_scopes.get(self.view.action)
        return [{"oauth2": [str(scope)]}] if scope else []

    def get_tags(self) -> list[str]:
        return [type(self.view).__module__.split(".")[0]]


def operation(  # Each is one fact of the contract; a class for them would say no more.
    name: str,
    *,
    body: type[msgspec.Struct] | None = None,
    answer: type[msgspec.Struct],
    status: int = 200,
    query: type[msgspec.Struct] | None = None,
    replays: bool = False,
) -> Callable[[F], F]:
    """Describe an action: its name as in the catalogue, the shapes it takes and gives.

    A posting `replays`: the same reference and content answer 200 with the first outcome.
    """
    _shapes.update(shape for shape in (body, answer, Problem) if shape)
    responses: dict[Any, Any] = {(status, "application/json"): _ref(answer)}
    if replays:
        responses[200, "application/json"] = _ref(answer)
    for code in (400, 401, 403, 404, 409, 422) if body else (401, 403, 404):
        responses[code, "application/problem+json"] = _ref(Problem)
    return extend_schema(
        summary=name,
        operation_id=name.lower().replace(" ", "_").replace("/", "_"),
        request={"application/json": _ref(body)} if body else None,
        responses=responses,
        parameters=_parameters(query) if query else None,
    )


def _ref(shape: type) -> dict[str, str]:
    return {"$ref": _REF.format(name=shape.__name__)}


def _parameters(query: type[msgspec.Struct]) -> list[OpenApiParameter]:
    _, components = msgspec.json.schema_components([query])
    fields = components[query.__name__]["properties"]
    return [
        OpenApiParameter(name, location="query", description=field.get("description", ""))
        for name, field in fields.items()
    ]


def add_components(
    result: dict[str, Any], generator: Any, request: Any, public: bool
) -> dict[str, Any]:
    """Add the structs' schemas and the way to get a token; a hook of drf-spectacular."""
    _, components = msgspec.json.schema_components(
        sorted(_shapes, key=lambda shape: shape.__name__), ref_template=_REF
    )
    parts = result.setdefault("components", {})
    parts.setdefault("schemas", {}).update(components)
    parts["securitySchemes"] = {
        "oauth2": {
            "type": "oauth2",
            "flows": {"clientCredentials": {"tokenUrl": "/oauth/token/", "scopes": {}}},
        }
    }
    return result
