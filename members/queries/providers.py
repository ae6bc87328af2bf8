"""Of which kind each identity provider is, kept by each process for a moment."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from loyalty.models import IdentityProvider, Program
from members.alias_forms import sought_form

KEPT_S = 30.0


@dataclass(frozen=True, slots=True)
class _Kinds:
    by_code: Mapping[str, str]
    region: str
    until: float


_loaded: _Kinds | None = None


def in_stored_form(reference: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a member reference with its alias as it is stored; any other as it is.

    Costs nothing while the process knows the providers, two queries where it does not. A provider
    that is no longer active still resolves.
    """
    alias = reference.get("alias")
    if alias is None:
        return reference
    kinds = _kinds(alias["provider"])
    kind = kinds.by_code.get(alias["provider"], "")
    value = sought_form(kind, alias["value"], kinds.region)
    return {**reference, "alias": {"provider": alias["provider"], "value": value}}


def _kinds(code: str) -> _Kinds:
    global _loaded  # noqa: PLW0603 One table a process; swapped whole, never changed.
    loaded = _loaded
    if loaded is None or loaded.until < time.monotonic() or code not in loaded.by_code:
        loaded = _loaded = _Kinds(
            by_code=dict(IdentityProvider.objects.values_list("code", "kind")),
            region=Program.objects.values_list("phone_region", flat=True).get(pk=1),
            until=time.monotonic() + KEPT_S,
        )
    return loaded
