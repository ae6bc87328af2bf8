"""Masters: entities with typed attributes, records in a hierarchy, put one by one or by thousands."""

from datetime import timedelta

import pytest

from loyalty.models import Master
from tests.api.masters.calls import CITY, VIENNA, everything, put, refusal


def test_an_entity_is_made_and_changed_by_its_schema(house):
    made = house.put("/masters/city/schema/", CITY)
    same = house.put("/masters/city/schema/", CITY)
    wider = house.put(
        "/masters/city/schema/",
        {**CITY, "schema": {**CITY["schema"], "zip": {"type": "TEXT"}}},
        **{"If-Match": '"1"'},
    )
    late = house.put("/masters/city/schema/", CITY, **{"If-Match": '"1"'})

    assert (made.status_code, made.headers["ETag"]) == (201, '"1"')
    assert made.json() == {"entity": "city", **CITY, "parent_entity": None, "version": 1}
    assert (same.status_code, same.headers["ETag"]) == (200, '"1"')
    assert (wider.status_code, wider.headers["ETag"]) == (200, '"2"')
    assert (late.status_code, late.json()["code"]) == (412, "VERSION_CONFLICT")
    assert house.get("/masters/city/schema/").json() == wider.json()


@pytest.mark.parametrize(
    ("body", "errors"),
    [
        ({"schema": {"a": {"type": "WORD"}}}, [("/schema/a/type", "NOT_A_CHOICE")]),
        ({"schema": {"a": {"type": "LIST"}}}, [("/schema/a/of", "WRONG_TYPE")]),
        ({"parent_entity": "nothing"}, [("/parent_entity", "UNKNOWN")]),
        ({"parent_entity": "product"}, [("/parent_entity", "LOOP")]),
    ],
)
def test_a_schema_that_is_none_is_refused(body, errors, house):
    before = everything()

    answer = house.put("/masters/category/schema/", {"name": "Category", **body})

    assert refusal(answer) == (400, "VALIDATION_FAILED", errors)
    assert everything() == before


def test_a_schema_is_not_narrowed_below_its_records(city):
    city.put("/masters/city/VIE/", VIENNA)
    narrow = {**CITY, "schema": {"country": {"type": "CHOICE", "choices": ["DE"]}}}
    before = everything()

    refused = city.put("/masters/city/schema/", narrow)

    assert refusal(refused)[:2] == (409, "SCHEMA_IN_USE")
    assert refused.json()["records"] == ["VIE"]
    assert everything() == before
    needed = {**CITY["schema"], "zip": {"type": "TEXT", "required": True}}
    assert city.put("/masters/city/schema/", {**CITY, "schema": needed}).status_code == 409
    needed["zip"]["default"] = "0000"
    assert city.put("/masters/city/schema/", {**CITY, "schema": needed}).status_code == 200
    assert city.get("/masters/city/VIE/").json()["attributes"]["zip"] == "0000"


def test_a_record_is_put_whole_and_read_back(city):
    made = city.put("/masters/city/VIE/", VIENNA)
    same = city.put("/masters/city/VIE/", VIENNA)
    other = city.put(
        "/masters/city/VIE/",
        {"name": "Wien", "attributes": {"country": "AT"}},
        **{"If-Match": '"1"'},
    )
    late = city.put("/masters/city/VIE/", VIENNA, **{"If-Match": '"1"'})

    assert made.status_code == 201
    assert made.json() == {
        "entity": "city",
        "code": "VIE",
        "name": "Vienna",
        "label": "Vienna",
        "parent": None,
        "path": [],
        "attributes": {"country": "AT", "people": 2_000_000, "capital": True},
        "translations": {},
        "valid_from": None,
        "valid_to": None,
        "retired": False,
        "version": 1,
    }
    assert (same.status_code, same.headers["ETag"], same.json()) == (200, '"1"', made.json())
    assert (other.status_code, other.headers["ETag"]) == (200, '"2"')
    assert other.json()["attributes"] == {"country": "AT", "capital": False}
    assert refusal(late)[:2] == (412, "VERSION_CONFLICT")
    assert city.get("/masters/city/VIE/").json() == other.json()


@pytest.mark.parametrize(
    ("body", "errors"),
    [
        ({"attributes": {}}, [("/attributes/country", "MISSING_FIELD")]),
        ({"attributes": {"country": "FR"}}, [("/attributes/country", "NOT_A_CHOICE")]),
        (
            {"attributes": {"country": "AT", "people": "1", "x": 1}},
            [("/attributes/x", "UNKNOWN_FIELD"), ("/attributes/people", "WRONG_TYPE")],
        ),
        ({"parent": "NOWHERE"}, [("/parent", "UNKNOWN")]),
        ({"parent": "VIE"}, [("/parent", "LOOP")]),
        (
            {"valid_from": "2026-01-02T00:00:00Z", "valid_to": "2026-01-02T00:00:00Z"},
            [("/valid_to", "OUT_OF_RANGE")],
        ),
        ({"valid_from": "1999-01-01T00:00:00Z"}, [("/valid_from", "OUT_OF_RANGE")]),
        ({"translations": {"german": {"name": "x"}}}, [("/translations", "NOT_IN_FORM")]),
        ({"translations": {"de": {"name": "x" * 201}}}, [("/translations/de", "TOO_LONG")]),
        ({"name": ""}, [("/name", "TOO_SHORT")]),
    ],
)
def test_a_record_that_breaks_a_rule_is_refused_and_stays(body, errors, city):
    city.put("/masters/city/VIE/", VIENNA)
    before = everything()

    assert refusal(city.put("/masters/city/VIE/", {**VIENNA, **body})) == (
        400,
        "VALIDATION_FAILED",
        errors,
    )
    assert everything() == before


def test_an_unknown_entity_has_no_records(house):
    for answer in (
        house.put("/masters/planet/MARS/", {"name": "Mars"}),
        house.put("/masters/planet/", {"items": [{"code": "MARS", "name": "Mars"}]}),
        house.get("/masters/planet/"),
        house.get("/masters/planet/MARS/"),
        house.get("/masters/planet/schema/"),
        house.delete("/masters/planet/MARS/"),
    ):
        assert refusal(answer)[:2] == (404, "ENTITY_NOT_FOUND")
    assert refusal(house.get("/masters/product/NONE/"))[:2] == (404, "MASTER_NOT_FOUND")
    assert refusal(house.delete("/masters/product/NONE/"))[:2] == (404, "MASTER_NOT_FOUND")


def test_a_product_stands_below_a_category_and_moves_with_it(house):
    put(house, "FOOD")
    put(house, "HOME")
    put(house, "COFFEE", "FOOD")
    product = put(house, "1095275", "COFFEE", entity="product", attributes={"brand": "Own"})
    moved = put(house, "COFFEE", "HOME")

    assert product.json()["path"] == ["FOOD", "COFFEE"]
    assert (moved.json()["path"], moved.json()["version"]) == (["HOME"], 2)
    assert house.get("/masters/product/1095275/").json()["path"] == ["HOME", "COFFEE"]
    assert refusal(put(house, "HOME", "COFFEE"))[2] == [("/parent", "LOOP")]
    assert refusal(put(house, "2", "1095275", entity="product"))[2] == [("/parent", "UNKNOWN")]


def test_many_records_have_an_outcome_each(house):
    put(house, "FOOD")
    put(house, "OLD")
    rows = [
        {"code": "ESPRESSO", "name": "Espresso", "parent": "COFFEE"},
        {"code": "COFFEE", "name": "Coffee", "parent": "FOOD"},
        {"code": "FOOD", "name": "Food"},
        {"code": "ORPHAN", "name": "Orphan", "parent": "NOWHERE"},
        {"code": "CHILD", "name": "Child", "parent": "ORPHAN"},
        {"code": "ODD", "name": "Odd", "attributes": {"brand": "x"}},
        {"code": "TWICE", "name": "One"},
        {"code": "TWICE", "name": "Two"},
        {"code": "bad code", "name": "x"},
        {"code": "OLD", "name": "New name"},
    ]

    answer = house.put("/masters/category/", {"items": rows})

    assert answer.status_code == 200
    items = answer.json()["items"]
    assert [each["index"] for each in items] == list(range(10))
    assert [each["status"] for each in items] == [201, 201, 200, 400, 400, 400, 400, 400, 400, 200]
    assert [each["changed"] for each in items[:3]] == [True, True, False]
    assert (items[9]["version"], items[9]["changed"]) == (2, True)
    wrong = [
        [(e["pointer"], e["code"]) for e in each["problem"]["errors"]]
        for each in items
        if each["problem"]
    ]
    assert wrong == [
        [("/parent", "UNKNOWN")],
        [("/parent", "UNKNOWN")],
        [("/attributes/brand", "UNKNOWN_FIELD")],
        [("/code", "REPEATED")],
        [("/code", "REPEATED")],
        [("/code", "NOT_IN_FORM")],
    ]
    paths = dict(Master.objects.values_list("code", "path"))
    assert paths == {
        "FOOD": [],
        "OLD": [],
        "COFFEE": ["FOOD"],
        "ESPRESSO": ["FOOD", "COFFEE"],
    }


def test_a_loop_closed_within_one_call_is_refused_and_the_rest_stands(house):
    put(house, "A")
    put(house, "B", "A")
    put(house, "C", "B")

    answer = house.put(
        "/masters/category/",
        {
            "items": [
                {"code": "A", "name": "A", "parent": "C"},
                {"code": "X", "name": "X", "parent": "Y"},
                {"code": "Y", "name": "Y", "parent": "X"},
                {"code": "D", "name": "D", "parent": "C"},
            ]
        },
    )

    assert [each["status"] for each in answer.json()["items"]] == [400, 400, 400, 201]
    assert dict(Master.objects.values_list("code", "path")) == {
        "A": [],
        "B": ["A"],
        "C": ["A", "B"],
        "D": ["A", "B", "C"],
    }


def test_a_branch_moves_within_one_call(house):
    for code, parent in (("A", None), ("B", "A"), ("C", "B"), ("D", "C"), ("E", None)):
        put(house, code, parent)

    house.put(
        "/masters/category/",
        {
            "items": [
                {"code": "C", "name": "C", "parent": "E"},
                {"code": "E", "name": "E", "parent": "B"},
            ]
        },
    )

    paths = dict(Master.objects.values_list("code", "path"))
    assert paths["C"] == ["A", "B", "E"]
    assert paths["D"] == ["A", "B", "E", "C"]


def test_a_hierarchy_has_an_end(house):
    rows = [
        {"code": f"L{n}", "name": str(n), "parent": f"L{n - 1}" if n else None} for n in range(30)
    ]

    items = house.put("/masters/category/", {"items": rows}).json()["items"]

    assert [each["status"] for each in items] == [201] * 21 + [400] * 9
    assert items[21]["problem"]["errors"][0]["code"] == "TOO_DEEP"


def test_a_thousand_records_cost_what_ten_cost(house, statements):
    put(house, "FOOD")

    def sent(count):
        rows = [{"code": f"P{count}-{n}", "name": "x", "parent": "FOOD"} for n in range(count)]
        statements.sent.clear()
        assert house.put("/masters/product/", {"items": rows}).status_code == 200
        return len(statements.sent)

    sent(1)
    assert sent(1000) == sent(10) <= 10
    assert Master.objects.filter(entity__code="product").count() == 1011


def test_more_than_a_thousand_are_too_many(house):
    rows = [{"code": f"P{n}", "name": "x"} for n in range(1001)]

    assert refusal(house.put("/masters/product/", {"items": rows}))[2] == [("/items", "TOO_MANY")]
    assert Master.objects.count() == 0


def test_a_record_is_retired_and_what_names_it_finds_it(house, now):
    put(house, "FOOD")
    put(house, "COFFEE", "FOOD")
    ended = house.delete("/masters/category/FOOD/", **{"If-Match": '"1"'})
    again = house.delete("/masters/category/FOOD/")

    assert (ended.status_code, ended.json()["retired"], ended.headers["ETag"]) == (200, True, '"2"')
    assert (again.status_code, again.headers["ETag"]) == (200, '"2"')
    assert refusal(house.delete("/masters/category/COFFEE/", **{"If-Match": '"9"'}))[0] == 412
    listed = [each["code"] for each in house.get("/masters/category/").json()["results"]]
    assert listed == ["COFFEE"]
    retired = house.get("/masters/category/", retired="true").json()["results"]
    assert [each["code"] for each in retired] == ["FOOD"]
    before = (now - timedelta(minutes=1)).isoformat()
    was = [e["code"] for e in house.get("/masters/category/", as_of=before).json()["results"]]
    assert was == ["COFFEE", "FOOD"]
    assert house.get("/masters/category/COFFEE/").json()["path"] == ["FOOD"]
    assert put(house, "FOOD").json()["retired"] is False
