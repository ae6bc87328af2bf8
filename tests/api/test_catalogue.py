"""The catalogue and the addresses of Laurel are one: nothing is missing, doubled or in the way."""

import re
from collections import Counter

import pytest
from django.urls import Resolver404, get_resolver, resolve

from loyalty.scopes import Scope
from tests.api.catalogue import BEYOND, CATALOGUE, ID, NUMBER

ROWS = CATALOGUE + BEYOND
ROUTES = [(row, method, path) for row in ROWS for method, path in row.routes]
BUILT = [
    pytest.param(row, method, path, id=f"{row.name}: {method}")
    for row, method, path in ROUTES
    if row.built and row.scope
]
CODE = re.compile(r"[A-Z0-9][A-Z0-9._-]{0,63}")
SLOTS = {NUMBER, ID, "product", "email", "a@example.org"}


def segments(path):
    return [each for each in path.split("/") if each]


def is_slot(segment):
    return segment in SLOTS or CODE.fullmatch(segment) is not None


FIXED = sorted({each for _, _, path in ROUTES for each in segments(path) if not is_slot(each)})


def addresses(patterns, prefix=""):
    """Yield the regular expression and the view of every address below /api/v1/."""
    for pattern in patterns:
        route = prefix + pattern.pattern.regex.pattern.removeprefix("^").removesuffix(r"\Z")
        if hasattr(pattern, "url_patterns"):
            yield from addresses(pattern.url_patterns, route)
        elif route.startswith("api/v1/"):
            yield re.compile(route), pattern.callback


ADDRESSES = list(addresses(get_resolver().url_patterns))


def test_there_are_57_in_seven_groups():
    assert Counter(row.group for row in CATALOGUE) == {
        "Authentication": 1,
        "Earn and burn": 11,
        "Member authentication and registration": 5,
        "Member details": 20,
        "Member segmentation": 2,
        "Programme details": 10,
        "Programme rules and benefits": 8,
    }


def test_names_and_routes_are_unique():
    assert len({row.name for row in ROWS}) == len(ROWS)
    assert len({(method, path) for _, method, path in ROUTES}) == len(ROUTES)


def test_everything_that_is_built_stands_in_the_catalogue():
    known = Counter()
    for _, method, path in ROUTES:
        for address, view in ADDRESSES:
            if address.fullmatch(f"api/v1{path}") and method.lower() in view.actions:
                known[address.pattern, method.lower()] += 1

    built = {
        (address.pattern, method)
        for address, view in ADDRESSES
        for method in view.actions
        if method != "head"
    }
    assert set(known) == built


def test_no_address_hides_another():
    """Django takes the first that fits: two for one path would split its methods by chance."""
    for _, _, path in ROUTES:
        fits = [address.pattern for address, _ in ADDRESSES if address.fullmatch(f"api/v1{path}")]
        assert len(fits) <= 1, path


def test_two_operations_are_two_actions():
    actions = Counter()
    for row, method, path in ROUTES:
        if row.built and row.scope:
            match = resolve(f"/api/v1{path}")
            actions[match.func.cls, match.func.actions[method.lower()], row.name] += 1
    names = Counter((view, action) for view, action, _ in actions)

    assert [each for each, times in names.items() if times > 1] == []


@pytest.mark.parametrize(("row", "method", "path"), BUILT)
def test_an_action_names_the_scope_of_its_row(row, method, path):
    match = resolve(f"/api/v1{path}")
    action = match.func.actions[method.lower()]

    assert match.func.cls.action_scopes[action] == row.scope_of(method, path)


@pytest.mark.parametrize("word", FIXED)
def test_a_fixed_word_is_no_code_no_number_and_no_id(word):
    assert re.fullmatch(r"[a-z][a-z0-9-]*", word)
    assert not CODE.fullmatch(word)
    assert word != "me"


@pytest.mark.parametrize(("row", "method", "path"), BUILT)
def test_a_fixed_word_in_the_place_of_a_value_leads_elsewhere(row, method, path):
    parts = segments(path)
    own = resolve(f"/api/v1{path}").func
    for place, part in enumerate(parts):
        if part not in {NUMBER, ID} and not CODE.fullmatch(part):
            continue
        for word in FIXED:
            other = "/".join([*parts[:place], word, *parts[place + 1 :]])
            try:
                found = resolve(f"/api/v1/{other}/").func
            except Resolver404:
                continue
            assert (found.cls, found.actions) != (own.cls, own.actions), other


@pytest.mark.parametrize(("row", "method", "path"), BUILT)
def test_an_address_ends_where_it_ends(row, method, path):
    for wrong in (path.rstrip("/"), f"{path}x", f"{path}%0A", f"{path}\n", path.upper()):
        with pytest.raises(Resolver404):
            resolve(f"/api/v1{wrong}")


def test_every_scope_is_needed_by_an_operation_or_kept_for_one():
    needed = {row.scope_of(method, path) for row, method, path in ROUTES} - {None}

    assert set(Scope) - needed == {Scope.POINTS_FREEZE}
