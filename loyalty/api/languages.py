"""The language of an answer: what the caller accepts of what the programme has.

language = negotiate(request)
name = language.text("name", row.translations, row.name)
return self.answer(…, headers=language.headers)
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest
from django.utils.translation.trans_real import parse_accept_lang_header

from loyalty.models import Language
from loyalty.queries.lookups import languages


@dataclass(frozen=True, slots=True)
class Chosen:
    """The language of an answer, and its fallbacks in the order in which they are asked."""

    code: str
    chain: tuple[str, ...]
    default: str

    @property
    def headers(self) -> dict[str, str]:
        """What the answer says of its language."""
        return {"Content-Language": self.code, "Vary": "Accept-Language"}

    def text(self, field: str, translations: Mapping[str, Any], original: str) -> str:
        """Return one text, in the first language of the chain that has it.

        The original is in the programme's default language, unless that has a translation too.
        """
        for code in self.chain:
            found = translations.get(code, {}).get(field)
            if found:
                return str(found)
            if code == self.default:
                return original
        return original


def negotiate(request: HttpRequest, *, preferred: str | None = None) -> Chosen:
    """Return the language that the caller prefers among the active ones. One query.

    Without a header it is `preferred`, such as the member's own, or else the default. `de-AT` is
    met by `de` where the programme has no `de-AT`, and `de` by `de-AT` where it has no `de`.
    """
    known = {each.code: each for each in languages()}
    default = next((code for code, each in known.items() if each.is_default), "en")
    header = request.headers.get("Accept-Language") or preferred or ""
    wanted = [each for each, quality in parse_accept_lang_header(header.lower()) if quality > 0]
    code = next((fit for each in wanted if (fit := _fit(each, known, default))), default)
    return Chosen(code, _chain(code, known, default), default)


def _fit(wanted: str, known: Mapping[str, Language], default: str) -> str | None:
    if wanted == "*":
        return default
    by_lower = {code.lower(): code for code in known}
    parts = wanted.split("-")
    for length in range(len(parts), 0, -1):
        if found := by_lower.get("-".join(parts[:length])):
            return found
    return next(
        (by_lower[each] for each in sorted(by_lower) if each.startswith(f"{wanted}-")), None
    )


def _chain(code: str, known: Mapping[str, Language], default: str) -> tuple[str, ...]:
    chain: list[str] = []
    step: str | None = code
    while step is not None and step not in chain:
        chain.append(step)
        language = known.get(step)
        step = language.fallback.code if language is not None and language.fallback else None
    return (*chain, default) if default not in chain else tuple(chain)


def fallbacks(language: Language, known: Mapping[str, Language], default: str) -> list[str]:
    """Return where a text is looked for that a language does not have, in this order."""
    return list(_chain(language.code, known, default)[1:])
