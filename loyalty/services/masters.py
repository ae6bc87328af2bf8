"""Master data in its hierarchy: a product below its category, a category below its department."""

from django.db import connection

from loyalty.errors import FieldError, ValidationFailed
from loyalty.models import Master, MasterEntity

# The paths of everything below one master, from its own. Replaces a query per level.
_PATHS_BELOW = """
WITH RECURSIVE below AS (
    SELECT child.id, child.code, (top.path || top.code)::varchar(64)[] AS path
    FROM loyalty_master top JOIN loyalty_master child ON child.parent_id = top.id
    WHERE top.id = %s
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
    _lock_entities(master, parent)
    if parent is None:
        master.path = []
    else:
        parent.refresh_from_db()
        check_parent(master, parent)
        master.path = [*parent.path, parent.code]
    master.save()
    with connection.cursor() as cursor:
        cursor.execute(_PATHS_BELOW, [master.pk])


def check_parent(master: Master, parent: Master | None) -> None:
    """:raises ValidationFailed: if the parent is the master itself, or stands below it."""
    step = parent if master.pk else None
    while step is not None and step.pk != master.pk:
        step = step.parent
    if step is not None and parent is not None:
        message = f"{parent.code} is {master.code} itself or stands below it."
        raise ValidationFailed([FieldError("/parent", "LOOP", message)])


def _lock_entities(master: Master, parent: Master | None) -> None:
    """Let one change of a hierarchy wait for another, so that two cannot close a loop."""
    entities = {master.entity_id, *([parent.entity_id] if parent else [])}
    list(MasterEntity.objects.filter(pk__in=entities).order_by("pk").select_for_update())
