"""Putting records of master data: one, or a thousand by the same few statements."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby
from typing import Any

from django.db import connection

from loyalty.attributes import complete, validate
from loyalty.errors import FieldError, ValidationFailed, VersionConflict
from loyalty.models import Master, MasterEntity
from loyalty.services.masters import locked_entity, move_below
from loyalty.services.use_case import use_case

DEPTH_MAX = 20
_STORED = [
    "name", "parent", "path", "attributes", "translations", "valid_from", "valid_to", "retired",
    "retired_at", "version",
]  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What a record is to hold; it replaces what is there."""

    code: str
    name: str
    parent: str | None = None
    attributes: dict[str, Any] = field(default_factory=dict)
    translations: dict[str, dict[str, str]] = field(default_factory=dict)
    valid_from: datetime | None = None
    valid_to: datetime | None = None


@dataclass(slots=True)
class Put:
    """What became of one content: the record as it stands, or what is wrong with it."""

    content: Content
    master: Master | None = None
    created: bool = False
    changed: bool = False
    errors: list[FieldError] = field(default_factory=list)


@use_case
def put_master(entity_code: str, content: Content, *, if_match: int | None) -> Put:
    """Make or replace one record. The same content again changes nothing.

    :raises EntityNotFound: if there is no such entity.
    :raises ValidationFailed: if the content breaks the schema, or its parent is none.
    :raises VersionConflict: if the record is not at the version `if_match`.
    """
    entity = locked_entity(entity_code)
    if if_match is not None:
        stands = Master.objects.filter(entity=entity, code=content.code).values_list("version")
        version = next((each for (each,) in stands), 0)
        if version != if_match:
            raise VersionConflict(version)
    put = _put(entity, [content])[0]
    if put.errors:
        raise ValidationFailed(put.errors)
    return put


@use_case
def put_masters(entity_code: str, contents: Sequence[Content]) -> list[Put]:
    """Make or replace many records of an entity; each has its own outcome, in their order.

    A record may stand below another of the same call, in any order. What is wrong is left as it
    was, and with it what is new below it.

    :raises EntityNotFound: if there is no such entity.
    """
    return _put(locked_entity(entity_code), contents)


def _put(entity: MasterEntity, contents: Sequence[Content]) -> list[Put]:
    assert connection.in_atomic_block
    puts = [Put(content) for content in contents]
    times = Counter(each.code for each in contents)
    for put in puts:
        put.errors = _faults(entity, put.content, times)
    good = {put.content.code: put for put in puts if not put.errors}
    existing = {
        each.code: each
        for each in Master.objects.filter(entity=entity, code__in=list(good)).select_related(
            "parent"
        )
    }
    tree = _Tree(entity, good, existing)
    paths = tree.paths()
    moved = []
    for put in sorted(good.values(), key=lambda put: len(paths[put.content.code])):
        put.master = existing.get(put.content.code)
        put.created = put.master is None
        if put.master is None or not _is_same(put.master, put.content, entity):
            put.changed = True
            master = put.master or Master(entity=entity, code=put.content.code, version=0)
            _fill(master, put.content, entity)
            if not put.created and master.path != paths[master.code]:
                moved.append(master)
            master.path = paths[master.code]
            put.master = master
    _write([put for put in good.values() if put.changed], tree)
    if moved:
        move_below(each.pk for each in moved)
    for put in good.values():
        assert put.master is not None
        put.master.entity = entity
        put.master.path = paths[put.content.code]
    return puts


def _faults(entity: MasterEntity, content: Content, times: Mapping[str, int]) -> list[FieldError]:
    errors = validate(entity.schema, content.attributes)
    if times[content.code] > 1:
        errors.append(FieldError("/code", "REPEATED", "The code stands in the call twice."))
    ends = content.valid_to
    if ends is not None and content.valid_from is not None and ends <= content.valid_from:
        errors.append(FieldError("/valid_to", "OUT_OF_RANGE", "It ends before it begins."))
    return errors


def _fill(master: Master, content: Content, entity: MasterEntity) -> None:
    master.name = content.name
    master.attributes = complete(entity.schema, content.attributes)
    master.translations = content.translations
    master.valid_from, master.valid_to = content.valid_from, content.valid_to
    master.retired, master.retired_at = False, None
    master.version += 1


def _is_same(master: Master, content: Content, entity: MasterEntity) -> bool:
    parent = master.parent.code if master.parent else None
    return (
        parent == content.parent
        and not master.retired
        and master.name == content.name
        and master.attributes == complete(entity.schema, content.attributes)
        and master.translations == content.translations
        and (master.valid_from, master.valid_to) == (content.valid_from, content.valid_to)
    )


def _write(puts: list[Put], tree: "_Tree") -> None:
    """Write the records level by level, so that a parent is there before what stands below it."""
    puts.sort(key=lambda put: len(put.master.path) if put.master else 0)
    for _, level in groupby(puts, key=lambda put: len(put.master.path) if put.master else 0):
        masters = []
        for put in level:
            assert put.master is not None
            put.master.parent = tree.parent_of(put.content)
            masters.append(put.master)
        new = [each for each in masters if each.pk is None]
        Master.objects.bulk_create(new)
        known = [each for each in masters if each.pk is not None and each not in new]
        if known:
            Master.objects.bulk_create(
                known, update_conflicts=True, unique_fields=["id"], update_fields=_STORED
            )


class _Tree:
    """The hierarchy as it will stand: what the call says, over what is stored."""

    def __init__(
        self, entity: MasterEntity, good: dict[str, Put], existing: dict[str, Master]
    ) -> None:
        self.within = entity.parent_entity_id is None  # Parents are records of the same entity.
        self.good = good
        wanted = {put.content.parent for put in good.values()} - {None}
        self.stored = {
            each.code: each
            for each in Master.objects.filter(
                entity=entity.parent_entity or entity, code__in=wanted
            )
        }
        if self.within:
            self.stored.update(existing)

    def paths(self) -> dict[str, list[str]]:
        """Return the path of each good content; those without one leave `good`, with an error.

        What is refused is looked at as it is stored, so the rest is looked at again.
        """
        while True:
            paths, refused = {}, []
            for code, put in self.good.items():
                path, error = self._path(put.content)
                paths[code] = path
                if error is not None:
                    put.errors.append(error)
                    refused.append(code)
            if not refused:
                return paths
            for code in refused:
                del self.good[code]

    def parent_of(self, content: Content) -> Master | None:
        """Return the stored parent of a content whose path was found good."""
        if content.parent is None:
            return None
        if self.within and (put := self.good.get(content.parent)):
            return put.master
        return self.stored[content.parent]

    def _path(self, content: Content) -> tuple[list[str], FieldError | None]:
        above: list[str] = []
        step = content.parent
        while step is not None:
            if self.within and step in above:  # Another's loop: that one is refused, then this
                return [], None  # is looked at again.
            if self.within and step == content.code:
                message = f"{content.parent} is {content.code} itself or stands below it."
                return [], FieldError("/parent", "LOOP", message)
            above.append(step)
            if len(above) > DEPTH_MAX:
                message = f"A hierarchy is at most {DEPTH_MAX} deep."
                return [], FieldError("/parent", "TOO_DEEP", message)
            step, error = self._above(step, above)
            if error is not None:
                return [], error
        return above[::-1], None

    def _above(self, code: str, above: list[str]) -> tuple[str | None, FieldError | None]:
        """Return what the call puts above a code; what is stored above it goes to `above`."""
        if self.within and (put := self.good.get(code)):
            return put.content.parent, None
        stored = self.stored.get(code)
        if stored is None:
            return None, FieldError("/parent", "UNKNOWN", f"There is no record {code}.")
        for each in reversed(stored.path):
            if self.within and each in self.good:
                return each, None
            above.append(each)
        return None, None
