"""Master data in its hierarchy: a product below its category, a category below its department."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.db import connection

from loyalty.attributes import check_schema, validate
from loyalty.errors import (
    EntityNotFound,
    FieldError,
    MasterNotFound,
    SchemaInUse,
    ValidationFailed,
    VersionConflict,
)
from loyalty.models import Master, MasterEntity
from loyalty.services.use_case import use_case

SHOWN = 20  # How many records that break a schema are named.

# The paths of everything below some masters, from their own. Replaces a query per level.
_PATHS_BELOW = """
WITH RECURSIVE below AS (
    SELECT child.id, child.code, (top.path || top.code)::varchar(64)[] AS path
    FROM loyalty_master top JOIN loyalty_master child ON child.parent_id = top.id
    WHERE top.id = ANY(%s)
    UNION ALL
    SELECT child.id, child.code, (above.path || above.code)::varchar(64)[]
    FROM below above JOIN loyalty_master child ON child.parent_id = above.id
)
UPDATE loyalty_master m SET path = below.path FROM below
WHERE m.id = below.id AND m.path IS DISTINCT FROM below.path
"""


def save(master: Master) -> None:
    """Store a master below its parent, and take along what stands below it; a step.

    :raises ValidationFailed: if its parent is the master itself, or stands below it.
    """
    assert connection.in_atomic_block, "a master moves with what stands below it"
    parent = master.parent
    lock_entities({master.entity_id, *([parent.entity_id] if parent else [])})
    if parent is None:
        master.path = []
    else:
        parent.refresh_from_db()
        check_parent(master, parent)
        master.path = [*parent.path, parent.code]
    if master.pk:
        master.version += 1
    master.save()
    move_below([master.pk])


def check_parent(master: Master, parent: Master | None) -> None:
    """:raises ValidationFailed: if the parent is the master itself, or stands below it."""
    step = parent if master.pk else None
    while step is not None and step.pk != master.pk:
        step = step.parent
    if step is not None and parent is not None:
        message = f"{parent.code} is {master.code} itself or stands below it."
        raise ValidationFailed([FieldError("/parent", "LOOP", message)])


def lock_entities(keys: set[int]) -> None:
    """Let one change of a hierarchy wait for another, so that two cannot close a loop; a step."""
    list(MasterEntity.objects.filter(pk__in=keys).order_by("pk").select_for_update())


def move_below(keys: Iterable[int]) -> None:
    """Give what stands below these masters the paths that follow from theirs; a step."""
    with connection.cursor() as cursor:
        cursor.execute(_PATHS_BELOW, [list(keys)])


def locked_entity(code: str) -> MasterEntity:
    """Return an entity whose records nobody else changes until the transaction ends; a step.

    :raises EntityNotFound: if there is none.
    """
    found = MasterEntity.objects.filter(code=code).values_list("pk", "parent_entity_id").first()
    if found is None:
        raise EntityNotFound(code)
    lock_entities({key for key in found if key is not None})
    return MasterEntity.objects.select_related("parent_entity").get(pk=found[0])


@use_case
def put_entity(
    code: str,
    *,
    name: str,
    schema: dict[str, Any],
    parent_entity: str | None,
    if_match: int | None,
) -> tuple[MasterEntity, bool]:
    """Make an entity or give it this schema; return it, and whether it is new.

    The same content again changes nothing.

    :raises ValidationFailed: if the schema is none, or the parents' entity unknown or in a circle.
    :raises SchemaInUse: if records hold what the schema would not allow.
    :raises VersionConflict: if the entity is not at the version `if_match`.
    """
    if faults := check_schema(schema):
        raise ValidationFailed(faults)
    entity = MasterEntity.objects.select_for_update().filter(code=code).first()
    if if_match is not None and if_match != (entity.version if entity else 0):
        raise VersionConflict(entity.version if entity else 0)
    above = _parents_of(code, parent_entity)
    if entity is None:
        made = MasterEntity.objects.create(code=code, name=name, schema=schema, parent_entity=above)
        return made, True
    after = (name, schema, above.pk if above else None)
    if after == (entity.name, entity.schema, entity.parent_entity_id):
        return entity, False
    check_records(entity, schema)
    entity.name, entity.schema, entity.parent_entity = name, schema, above
    entity.version += 1
    entity.save()
    return entity, False


def check_records(entity: MasterEntity, schema: dict[str, Any]) -> None:
    """:raises SchemaInUse: if records of an entity hold what a schema would not allow.

    They are read one by one only where the schema asks more than before.
    """
    if all(schema.get(name) == definition for name, definition in entity.schema.items()):
        added = [schema[name] for name in schema if name not in entity.schema]
        if not any(each.get("required") and each.get("default") is None for each in added):
            return
    broken: list[str] = []
    rows = Master.objects.filter(entity=entity, retired=False).order_by("code")
    for code, attributes in rows.values_list("code", "attributes").iterator(chunk_size=5000):
        if validate(schema, attributes):
            broken.append(code)
            if len(broken) == SHOWN:
                break
    if broken:
        raise SchemaInUse(broken)


def _parents_of(code: str, parent_entity: str | None) -> MasterEntity | None:
    """Return where the parents of an entity's records stand, if not among themselves."""
    if parent_entity is None or parent_entity == code:
        return None
    above = MasterEntity.objects.filter(code=parent_entity).first()
    if above is None:
        message = "There is no such entity."
        raise ValidationFailed([FieldError("/parent_entity", "UNKNOWN", message)])
    check_no_circle(code, above)
    return above


def check_no_circle(code: str, above: MasterEntity | None) -> None:
    """:raises ValidationFailed: if the entities above one lead back to it."""
    step = above
    while step is not None:
        if step.code == code:
            message = "The entities above this one lead back to it."
            raise ValidationFailed([FieldError("/parent_entity", "LOOP", message)])
        step = step.parent_entity


@use_case
def retire(entity_code: str, code: str, *, if_match: int | None, at: datetime) -> Master:
    """End a record: it is no longer listed, and what named it still finds it. Twice is once.

    :raises EntityNotFound, MasterNotFound: if there is none.
    :raises VersionConflict: if it is not at the version `if_match`.
    """
    entity = locked_entity(entity_code)
    master = Master.objects.select_related("parent").filter(entity=entity, code=code).first()
    if master is None:
        raise MasterNotFound
    if if_match is not None and if_match != master.version:
        raise VersionConflict(master.version)
    if not master.retired:
        master.retired, master.retired_at = True, at
        master.version += 1
        master.save(update_fields=["retired", "retired_at", "version"])
    master.entity = entity
    return master
