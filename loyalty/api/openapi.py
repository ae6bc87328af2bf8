"""OpenAPI 3.1 from the structs: each operation names its body, its answer and its scope."""

from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any, TypeVar

import msgspec
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema

from loyalty.api.fields import END
from loyalty.errors import LoyaltyError
from loyalty.scopes import HOUSE_ONLY, Scope

F = TypeVar("F", bound=Callable[..., Any])
_REF = "#/components/schemas/{name}"
ALWAYS = (401, 403, 404, 429)
_shapes: set[type] = set()


class FieldProblem(msgspec.Struct):
    """What is wrong with one field: a JSON pointer into the body or the query, and why."""

    pointer: str
    code: str
    message: str


class Problem(msgspec.Struct):
    """An RFC 9457 problem document; some codes add members of their own."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    code: str
    request_id: str
    errors: list[FieldProblem] | msgspec.UnsetType = msgspec.UNSET


class OperationSchema(AutoSchema):
    """A schema whose security is what the action admits: a scope, a session, a public client."""

    def get_auth(self) -> list[dict[str, list[str]]]:
        view, action = self.view, self.view.action
        scope = view.action_scopes.get(action)
        ways: list[dict[str, list[str]]] = [{"oauth2": [str(scope)]}] if scope else []
        ways += [{"oauth2": [str(other)]} for other in sorted(view.other_scopes.get(action, ()))]
        if action in view.member_actions:
            ways.append({"session": []})
        if action in view.public_actions:
            ways.append({"public_client": []})
        return ways

    def get_tags(self) -> list[str]:
        return [type(self.view).__module__.split(".")[0]]


def operation(  # Each is one fact of the contract; a class for them would say no more.
    name: str,
    *,
    body: type[msgspec.Struct] | None = None,
    answer: type[msgspec.Struct] | None,
    status: int = 200,
    query: type[msgspec.Struct] | None = None,
    replays: bool = False,
    starts_job: type[msgspec.Struct] | None = None,
    takes_file: bool = False,
    looks: type[msgspec.Struct] | None = None,
    errors: Iterable[type[LoyaltyError]] = (),
) -> Callable[[F], F]:
    """Describe an action: its name as in the catalogue, the shapes it takes and gives.

    Without an `answer` it is a CSV file. What `takes_file` is sent as JSON, or as a form of two
    parts: `mapping`, which is that JSON, and `file`.
    A posting `replays`: the same reference and content answer 200 with the first outcome.
    `starts_job` is the answer of a call that is too large to be made at once: 202 and a job.
    `looks` is the answer, with 200, where the body asks only to look at what would be done.
    `errors` are the refusals a caller of this operation must know, beyond those of every one.
    """
    _shapes.update(shape for shape in (body, answer, starts_job, looks, Problem) if shape)
    phrase = HTTPStatus(status).phrase
    responses: dict[Any, Any] = (
        {(status, "application/json"): OpenApiResponse(_ref(answer), phrase)}
        if answer
        else {(status, "text/csv"): OpenApiResponse({"type": "string"}, phrase)}
    )
    if replays and answer:
        responses[200, "application/json"] = OpenApiResponse(
            _ref(answer), "Posted before: the first answer again, with `Idempotent-Replayed: true`."
        )
    if looks and answer:
        responses[200, "application/json"] = OpenApiResponse(
            {"oneOf": [_ref(looks), _ref(answer)]},
            "What would be posted; or posted before: the first answer again.",
        )
    if starts_job:
        responses[202, "application/json"] = OpenApiResponse(
            _ref(starts_job), "A job does it; `Location` is its address."
        )
    codes: dict[int, list[str]] = {
        code: [] for code in ((*ALWAYS, 400, 409, 422) if body else ALWAYS)
    }
    if query:
        codes[400] = []
    for error in errors:
        codes.setdefault(error.status, []).append(f"`{error.code}`")
    for code, named in sorted(codes.items()):
        told = OpenApiResponse(_ref(Problem), ", ".join(named) or HTTPStatus(code).phrase)
        responses[code, "application/problem+json"] = told
    return extend_schema(
        summary=name,
        operation_id=name.lower().replace(" ", "_").replace("/", "_"),
        request=_request(body, takes_file) if body else None,
        responses=responses,
        parameters=_parameters(query) if query else None,
    )


def _request(body: type[msgspec.Struct], takes_file: bool) -> dict[str, Any]:
    request: dict[str, Any] = {"application/json": _ref(body)}
    if takes_file:
        parts = {"mapping": _ref(body), "file": {"type": "string", "format": "binary"}}
        request["multipart/form-data"] = {
            "type": "object",
            "properties": parts,
            "required": list(parts),
        }
    return request


def _ref(shape: type) -> dict[str, str]:
    return {"$ref": _REF.format(name=shape.__name__)}


def _parameters(query: type[msgspec.Struct]) -> list[OpenApiParameter]:
    _, components = msgspec.json.schema_components([query], ref_template=_REF)
    shape = components[query.__name__]
    return [
        OpenApiParameter(
            name,
            _given(field),
            location="query",
            required=name in shape.get("required", ()),
            description=field.get("description", ""),
        )
        for name, field in shape["properties"].items()
    ]


def _given(field: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a parameter that is given; in a query nothing writes null."""
    kinds = [kind for kind in field.get("anyOf", [field]) if kind.get("type") != "null"]
    schema = {**field, **kinds[0]} if len(kinds) == 1 else field
    hidden = {"anyOf", "description"} | ({"default"} if schema.get("default") is None else set())
    schema = {key: value for key, value in schema.items() if key not in hidden}
    if None in schema.get("enum", ()):
        schema["enum"] = [each for each in schema["enum"] if each is not None]
    return _without_ends(schema)


def _without_ends(schema: Any) -> Any:
    """Return a schema with `$` for what Python needs more words for (`fields.END`)."""
    if isinstance(schema, dict):
        return {key: _without_ends(value) for key, value in schema.items()}
    if isinstance(schema, list):
        return [_without_ends(value) for value in schema]
    return schema.replace(END, "$") if isinstance(schema, str) else schema


def add_components(
    result: dict[str, Any], generator: Any, request: Any, public: bool
) -> dict[str, Any]:
    """Add the structs' schemas and the way to get a token; a hook of drf-spectacular."""
    _, components = msgspec.json.schema_components(
        sorted(_shapes, key=lambda shape: shape.__name__), ref_template=_REF
    )
    parts = result.setdefault("components", {})
    parts.setdefault("schemas", {}).update(_without_ends(components))
    parts["securitySchemes"] = {
        "session": {
            "type": "http",
            "scheme": "bearer",
            "description": "A member's own token, from `POST /api/v1/sessions/`.",
        },
        "public_client": {
            "type": "apiKey",
            "in": "header",
            "name": "X-Client-Id",
            "description": "The id of an app that keeps no secret.",
        },
        "oauth2": {
            "type": "oauth2",
            "flows": {
                "clientCredentials": {
                    "tokenUrl": "/oauth/token/",
                    "scopes": {str(scope): _who(scope) for scope in Scope},
                }
            },
        },
    }
    return result


def _who(scope: Scope) -> str:
    return "House clients only." if scope in HOUSE_ONLY else "Partners and the house."
