"""Get Master Data: as of a date, by parent, branch and attribute, in pages and languages."""

from loyalty.models import Language
from tests.api.masters.calls import VIENNA, put, refusal


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
