"""Reads of master data."""

from datetime import datetime

import msgspec
from django.db.models import Q, QuerySet

from loyalty.errors import EntityNotFound, MasterNotFound
from loyalty.models import Master, MasterEntity


class MasterFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which records of an entity: by parent, by what they stand below, by an attribute, at when."""

    entity: str
    parent: str | None = None
    below: str | None = None
    attribute: tuple[str, str] | None = None
    retired: bool = False
    as_of: datetime | None = None


def entity_named(code: str) -> MasterEntity:
    """Return an entity with where its parents stand. One query.

    :raises EntityNotFound: if there is none.
    """
    entity = MasterEntity.objects.select_related("parent_entity").filter(code=code).first()
    if entity is None:
        raise EntityNotFound(code)
    return entity


def master_named(entity: MasterEntity, code: str, *, as_of: datetime | None) -> Master:
    """Return a record, retired or not; with `as_of`, only if it held then. One query.

    :raises MasterNotFound: if there is none.
    """
    rows = Master.objects.filter(entity=entity, code=code).select_related("parent")
    if as_of is not None:
        rows = rows.filter(_held(as_of))
    found = rows.first()
    if found is None:
        raise MasterNotFound
    return found


def masters_of(
    entity: MasterEntity, wanted: MasterFilter, *, after: str | None, limit: int, at: datetime
) -> list[Master]:
    """Return records by code, after one. One query, along the index of codes."""
    rows = Master.objects.filter(entity=entity).select_related("parent").order_by("code")
    if after is not None:
        rows = rows.filter(code__gt=after)
    if wanted.parent is not None:
        rows = rows.filter(
            parent__code=wanted.parent, parent__entity=entity.parent_entity or entity
        )
    if wanted.below is not None:
        rows = rows.filter(path__contains=[wanted.below])
    if wanted.attribute is not None:
        rows = _with_attribute(rows, entity, *wanted.attribute)
    rows = rows.filter(retired=True) if wanted.retired else rows.filter(_held(wanted.as_of or at))
    return list(rows[:limit])


def _held(at: datetime) -> Q:
    """Return the condition that a record held at an instant."""
    return (
        (Q(valid_from=None) | Q(valid_from__lte=at))
        & (Q(valid_to=None) | Q(valid_to__gt=at))
        & (Q(retired=False) | Q(retired_at__gt=at))
    )


def _with_attribute(
    rows: QuerySet[Master], entity: MasterEntity, name: str, text: str
) -> QuerySet[Master]:
    """Return the records whose attribute is, or whose list holds, what the text says."""
    definition = entity.schema.get(name, {})
    of = definition.get("of", definition).get("type", "TEXT")
    value: str | int | bool = text
    if of == "INTEGER" and text.lstrip("-").isdecimal():
        value = int(text)
    elif of == "BOOLEAN":
        value = text == "true"
    held = [value] if definition.get("type") == "LIST" else value
    return rows.filter(attributes__contains={name: held})
