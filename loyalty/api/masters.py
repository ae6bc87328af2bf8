"""Add/Update Master and Get Master Data: entities that the programme defines, and their records."""

from typing import Annotated, Any

import msgspec
from django.http import HttpResponse
from msgspec import Meta
from rest_framework.request import Request

from loyalty.api.bodies import field_error
from loyalty.api.exceptions import document_of
from loyalty.api.fields import (
    END,
    PLAIN,
    Answer,
    Body,
    Code,
    Instant,
    LanguageCode,
    Reason,
    Slug,
    check_instant,
)
from loyalty.api.languages import Chosen, negotiate
from loyalty.api.openapi import operation
from loyalty.api.pagination import LIMIT, LIMIT_MAX, make_cursor, read_cursor
from loyalty.api.views import ProgramViewSet
from loyalty.attributes import complete
from loyalty.errors import FieldError, LoyaltyError, SchemaInUse, ValidationFailed, VersionConflict
from loyalty.models import Master, MasterEntity
from loyalty.queries.masters import MasterFilter, entity_named, master_named, masters_of
from loyalty.scopes import Scope
from loyalty.services import master_upsert, masters
from loyalty.services.master_upsert import Content, Put

BULK_MAX = 1000
_NAME_AND_VALUE = r"^[a-z][a-z0-9_]{0,63}:[^\x00-\x1f\x7f]{1,200}" + END
Title = Annotated[str, Meta(min_length=1, max_length=200, pattern=PLAIN)]
NameAndValue = Annotated[
    str, Meta(pattern=_NAME_AND_VALUE, description="An attribute, as name:value.")
]
Translations = dict[LanguageCode, dict[Slug, Reason]]


class SchemaBody(Body, kw_only=True):
    """An entity: its typed attributes, and where the parents of its records stand."""

    name: Title
    schema: dict[str, Any] = {}
    parent_entity: Slug | None = None


class MasterBody(Body, kw_only=True):
    """A record, whole: what is left out is emptied."""

    name: Title
    parent: Code | None = None
    attributes: dict[str, Any] = {}
    translations: Translations = {}
    valid_from: Instant | None = None
    valid_to: Instant | None = None


class RowBody(MasterBody, kw_only=True):
    """A record of many, with its code."""

    code: Code


class BulkBody(Body, kw_only=True):
    """Up to 1,000 records, each as `RowBody`."""

    items: Annotated[list[dict[str, Any]], Meta(min_length=1, max_length=BULK_MAX)]


class ListQuery(Body, kw_only=True):
    """Which records: direct children of `parent`, all that stand `below`, those of an attribute."""

    parent: Code | None = None
    below: Code | None = None
    attribute: NameAndValue | None = None
    retired: bool = False
    as_of: Instant | None = None
    cursor: str | None = None
    limit: Annotated[int, Meta(ge=1, le=LIMIT_MAX)] = LIMIT


class OneQuery(Body, kw_only=True):
    """A past or coming instant; without it, whether the record holds is not asked."""

    as_of: Instant | None = None


class SchemaAnswer(Answer, kw_only=True):
    """An entity."""

    entity: str
    name: str
    schema: dict[str, Any]
    parent_entity: str | None
    version: int


class MasterAnswer(Answer, kw_only=True):
    """A record. `label` is its name in the language of the answer; `path` leads from the root."""

    entity: str
    code: str
    name: str
    label: str
    parent: str | None
    path: list[str]
    attributes: dict[str, Any]
    translations: dict[str, dict[str, str]]
    valid_from: Any
    valid_to: Any
    retired: bool
    version: int


class MastersAnswer(Answer, kw_only=True):
    """A page of records, by code."""

    results: list[MasterAnswer]
    next: str | None


class RowAnswer(Answer, kw_only=True):
    """What became of one record: 201 made, 200 as it was or changed, or its problem."""

    index: int
    status: int
    code: str | None = None
    version: int | None = None
    changed: bool = False
    problem: dict[str, Any] | None = None


class BulkAnswer(Answer, kw_only=True):
    """The outcomes, in the order of the records."""

    items: list[RowAnswer]


class MasterViewSet(ProgramViewSet):
    """Master data: product, category, city, whatever the programme defines."""

    action_scopes = {
        "put_schema": Scope.MASTERS_WRITE,
        "put": Scope.MASTERS_WRITE,
        "put_many": Scope.MASTERS_WRITE,
        "retire": Scope.MASTERS_WRITE,
        "entity": Scope.MASTERS_READ,
        "page": Scope.MASTERS_READ,
        "one": Scope.MASTERS_READ,
    }

    @operation(
        "Add/Update Master Schema",
        body=SchemaBody,
        answer=SchemaAnswer,
        errors=(SchemaInUse, VersionConflict),
    )
    def put_schema(self, request: Request, entity: str) -> HttpResponse:
        body = self.body(SchemaBody)
        stored, created = masters.put_entity(
            entity,
            name=body.name,
            schema=body.schema,
            parent_entity=body.parent_entity,
            if_match=self.if_match(),
        )
        tag = {"ETag": f'"{stored.version}"'}
        return self.answer(_schema(stored), status=201 if created else 200, headers=tag)

    @operation("Get Master Schema", answer=SchemaAnswer)
    def entity(self, request: Request, entity: str) -> HttpResponse:
        found = entity_named(entity)
        return self.answer_known(_schema(found), tag=str(found.version))

    @operation("Add/Update Master", body=MasterBody, answer=MasterAnswer, errors=(VersionConflict,))
    def put(self, request: Request, entity: str, code: str) -> HttpResponse:
        content = _content(code, self.body(MasterBody))
        put = master_upsert.put_master(entity, content, if_match=self.if_match())
        assert put.master is not None
        language = negotiate(request._request)
        return self.answer(
            _master(put.master, put.master.entity, language),
            status=201 if put.created else 200,
            headers={**language.headers, "ETag": f'"{put.master.version}"'},
        )

    @operation("Add/Update Masters", body=BulkBody, answer=BulkAnswer)
    def put_many(self, request: Request, entity: str) -> HttpResponse:
        body = self.body(BulkBody)
        contents: dict[int, Content] = {}
        refusals: dict[int, LoyaltyError] = {}
        for index, item in enumerate(body.items):
            try:
                contents[index] = _row(item)
            except ValidationFailed as refusal:
                refusals[index] = refusal
        puts = master_upsert.put_masters(entity, list(contents.values()))
        done = dict(zip(contents, puts, strict=True))
        answers = [
            self._refused(index, refusals[index])
            if index in refusals
            else self._outcome(index, done[index])
            for index in range(len(body.items))
        ]
        return self.answer(BulkAnswer(items=answers))

    @operation("Retire Master", answer=MasterAnswer, errors=(VersionConflict,))
    def retire(self, request: Request, entity: str, code: str) -> HttpResponse:
        ended = masters.retire(entity, code, if_match=self.if_match(), at=self.now())
        language = negotiate(request._request)
        headers = {**language.headers, "ETag": f'"{ended.version}"'}
        return self.answer(_master(ended, ended.entity, language), headers=headers)

    @operation("Get Master Data", answer=MastersAnswer, query=ListQuery)
    def page(self, request: Request, entity: str) -> HttpResponse:
        query = self.query(ListQuery)
        check_instant(query.as_of, "/as_of")
        found = entity_named(entity)
        name, _, value = (query.attribute or "").partition(":")
        wanted = MasterFilter(
            entity=entity,
            parent=query.parent,
            below=query.below,
            attribute=(name, value) if query.attribute else None,
            retired=query.retired,
            as_of=query.as_of,
        )
        after = read_cursor(query.cursor, wanted)
        rows = masters_of(found, wanted, after=after, limit=query.limit + 1, at=self.now())
        more = len(rows) > query.limit
        shown = rows[: query.limit]
        language = negotiate(request._request)
        answer = MastersAnswer(
            results=[_master(each, found, language) for each in shown],
            next=make_cursor(shown[-1].code, wanted) if more else None,
        )
        return self.answer_known(answer, headers=language.headers)

    @operation("Get Master", answer=MasterAnswer, query=OneQuery)
    def one(self, request: Request, entity: str, code: str) -> HttpResponse:
        query = self.query(OneQuery)
        check_instant(query.as_of, "/as_of")
        kept = entity_named(entity)
        found = master_named(kept, code, as_of=query.as_of)
        language = negotiate(request._request)
        answer = _master(found, kept, language)
        return self.answer_known(answer, tag=str(found.version), headers=language.headers)

    def _outcome(self, index: int, put: Put) -> RowAnswer:
        if put.errors:
            return self._refused(index, ValidationFailed(put.errors))
        assert put.master is not None
        return RowAnswer(
            index=index,
            status=201 if put.created else 200,
            code=put.content.code,
            version=put.master.version,
            changed=put.changed,
        )

    def _refused(self, index: int, refusal: LoyaltyError) -> RowAnswer:
        problem = document_of(refusal, self.request._request)
        return RowAnswer(index=index, status=refusal.status, problem=problem)


def _row(item: dict[str, Any]) -> Content:
    try:
        row = msgspec.convert(item, RowBody)
    except msgspec.ValidationError as error:
        raise ValidationFailed([field_error(error)]) from None
    return _content(row.code, row)


def _content(code: str, body: MasterBody) -> Content:
    check_instant(body.valid_from, "/valid_from")
    check_instant(body.valid_to, "/valid_to")
    for language, texts in body.translations.items():
        if len(texts.get("name", "")) > 200:  # noqa: PLR2004 as `name` itself
            message = "A name has at most 200 characters."
            raise ValidationFailed([FieldError(f"/translations/{language}", "TOO_LONG", message)])
    return Content(
        code=code,
        name=body.name,
        parent=body.parent,
        attributes=body.attributes,
        translations=body.translations,
        valid_from=body.valid_from,
        valid_to=body.valid_to,
    )


def _schema(entity: MasterEntity) -> SchemaAnswer:
    above = entity.parent_entity
    return SchemaAnswer(
        entity=entity.code,
        name=entity.name,
        schema=entity.schema,
        parent_entity=above.code if above else None,
        version=entity.version,
    )


def _master(master: Master, entity: MasterEntity, language: Chosen) -> MasterAnswer:
    return MasterAnswer(
        entity=entity.code,
        code=master.code,
        name=master.name,
        label=language.text("name", master.translations, master.name),
        parent=master.parent.code if master.parent else None,
        path=master.path,
        attributes=complete(entity.schema, master.attributes),
        translations=master.translations,
        valid_from=master.valid_from,
        valid_to=master.valid_to,
        retired=master.retired,
        version=master.version,
    )
