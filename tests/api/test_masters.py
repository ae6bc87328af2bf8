"""Masters: entities with typed attributes, records in a hierarchy, put one by one or by thousands."""

import threading
from datetime import timedelta

import pytest
from django.db import connection

from loyalty.models import Language, Master, MasterEntity
from loyalty.services import master_upsert, masters
from loyalty.services.master_upsert import Content, put_masters
from tests.factories.loyalty import MasterFactory

CITY = {
    "name": "City",
    "schema": {
        "country": {"type": "CHOICE", "choices": ["AT", "DE"], "required": True},
        "people": {"type": "INTEGER", "minimum": 0},
        "capital": {"type": "BOOLEAN", "default": False},
        "twins": {"type": "LIST", "of": {"type": "TEXT"}},
    },
}
VIENNA = {"name": "Vienna", "attributes": {"country": "AT", "people": 2_000_000, "capital": True}}


@pytest.fixture
def city(house):
    assert house.put("/masters/city/schema/", CITY).status_code == 201
    return house


def put(api, code, parent=None, entity="category", **more):
    return api.put(f"/masters/{entity}/{code}/", {"name": code.title(), "parent": parent, **more})


def refusal(answer):
    document = answer.json()
    errors = [(each["pointer"], each["code"]) for each in document.get("errors", [])]
    return answer.status_code, document["code"], errors


def everything():
    return list(Master.objects.order_by("pk").values()), list(MasterEntity.objects.values())


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


def test_a_record_holds_in_its_time(house):
    put(
        house,
        "XMAS",
        valid_from="2026-12-01T00:00:00+01:00",
        valid_to="2026-12-27T00:00:00+01:00",
    )

    def listed(as_of):
        return len(house.get("/masters/category/", as_of=as_of).json()["results"])

    assert listed("2026-11-30T22:59:59Z") == 0
    assert listed("2026-11-30T23:00:00Z") == 1
    assert listed("2026-12-26T23:00:00Z") == 0
    assert house.get("/masters/category/XMAS/").status_code == 200
    gone = house.get("/masters/category/XMAS/", as_of="2026-12-26T23:00:00Z")
    assert refusal(gone)[:2] == (404, "MASTER_NOT_FOUND")


def test_records_are_found_by_parent_by_branch_and_by_attribute(house):
    put(house, "FOOD")
    put(house, "COFFEE", "FOOD")
    put(house, "1", "COFFEE", entity="product", attributes={"brand": "Own"})
    put(house, "2", "COFFEE", entity="product", attributes={"brand": "Other"})
    put(house, "3", "FOOD", entity="product")

    def found(**query):
        return [e["code"] for e in house.get("/masters/product/", **query).json()["results"]]

    assert found() == ["1", "2", "3"]
    assert found(parent="COFFEE") == ["1", "2"]
    assert found(below="FOOD") == ["1", "2", "3"]
    assert found(below="COFFEE", attribute="brand:Own") == ["1"]
    assert found(attribute="nothing:x") == []
    assert refusal(house.get("/masters/product/", attribute="brand"))[2] == [
        ("/attribute", "NOT_IN_FORM")
    ]


def test_attributes_of_every_type_are_sought_by_their_text(city):
    city.put(
        "/masters/city/VIE/", {**VIENNA, "attributes": {**VIENNA["attributes"], "twins": ["A"]}}
    )

    for attribute in ("country:AT", "people:2000000", "capital:true", "twins:A"):
        assert len(city.get("/masters/city/", attribute=attribute).json()["results"]) == 1
    for attribute in ("country:DE", "people:2", "people:x", "capital:false", "twins:B"):
        assert city.get("/masters/city/", attribute=attribute).json()["results"] == []


def test_pages_follow_each_other_and_a_cursor_belongs_to_its_filters(house):
    for n in range(5):
        put(house, f"C{n}")

    first = house.get("/masters/category/", limit=2).json()
    second = house.get("/masters/category/", limit=2, cursor=first["next"]).json()
    third = house.get("/masters/category/", limit=2, cursor=second["next"]).json()

    codes = [each["code"] for page in (first, second, third) for each in page["results"]]
    assert codes == ["C0", "C1", "C2", "C3", "C4"]
    assert third["next"] is None
    other = house.get("/masters/category/", limit=2, cursor=first["next"], retired="true")
    assert refusal(other)[:2] == (400, "CURSOR_MISMATCH")


def test_a_label_is_in_the_readers_language(house):
    Language.objects.create(code="de", name="Deutsch")
    put(house, "FOOD", translations={"de": {"name": "Essen"}})

    answer = house.client.get(
        "/api/v1/masters/category/FOOD/", headers={**house.headers, "Accept-Language": "de-AT"}
    )

    assert answer.headers["Content-Language"] == "de"
    assert (answer.json()["label"], answer.json()["name"]) == ("Essen", "Food")


def test_what_did_not_change_is_not_sent_again(house):
    put(house, "FOOD")
    for path in ("/masters/category/", "/masters/category/FOOD/", "/masters/category/schema/"):
        tag = house.get(path).headers["ETag"]
        headers = {**house.headers, "If-None-Match": tag}
        assert house.client.get(f"/api/v1{path}", headers=headers).status_code == 304


def test_a_page_costs_few_statements_however_many_records(house, statements):
    for n in range(3):
        put(house, f"C{n}", "C0" if n else None)
    house.get("/masters/category/")
    for path in ("/masters/category/", "/masters/category/C1/"):
        statements.sent.clear()
        house.get(path)
        assert len(statements.sent) == 3, statements.sent


def test_partners_read_masters_and_do_not_write_them(till, house):
    put(house, "FOOD")

    assert till.get("/masters/category/FOOD/").status_code == 200
    assert put(till, "FOOD").status_code == 403
    assert till.put("/masters/category/", {"items": []}).status_code == 403
    assert till.delete("/masters/category/FOOD/").status_code == 403


def close_a_loop_from_both_sides():
    """Put A below B and B below A at the same time; return how many were refused."""
    barrier, refused = threading.Barrier(2), []

    def move(code, parent):
        barrier.wait()
        try:
            [put] = put_masters("category", [Content(code=code, name=code, parent=parent)])
            refused.extend(put.errors)
        finally:
            connection.close()

    threads = [threading.Thread(target=move, args=pair) for pair in (("A", "B"), ("B", "A"))]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    return len(refused)


def make_two():
    MasterFactory(code="A")
    MasterFactory(code="B")


@pytest.mark.usefixtures("committed_program")
@pytest.mark.django_db(transaction=True)
def test_two_calls_do_not_close_a_loop():
    make_two()

    assert close_a_loop_from_both_sides() == 1
    assert sum(1 for each in Master.objects.all() if each.parent_id) == 1


@pytest.mark.usefixtures("committed_program")
@pytest.mark.django_db(transaction=True)
def test_without_the_lock_they_would(monkeypatch):
    """Prove that the race above is a real one: both read before either wrote."""
    make_two()
    meeting = threading.Barrier(2)
    monkeypatch.setattr(masters, "lock_entities", lambda keys: None)
    # In a loop that is closed, what stands below has no end.
    monkeypatch.setattr(master_upsert, "move_below", lambda keys: None)
    whole = master_upsert._write

    def together(*arguments):
        meeting.wait(timeout=5)
        whole(*arguments)

    monkeypatch.setattr(master_upsert, "_write", together)

    assert close_a_loop_from_both_sides() == 0
    assert sum(1 for each in Master.objects.all() if each.parent_id) == 2
