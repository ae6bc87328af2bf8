"""How the tests write masters."""

from loyalty.models import Master, MasterEntity

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


def put(api, code, parent=None, entity="category", **more):
    return api.put(f"/masters/{entity}/{code}/", {"name": code.title(), "parent": parent, **more})


def refusal(answer):
    document = answer.json()
    errors = [(each["pointer"], each["code"]) for each in document.get("errors", [])]
    return answer.status_code, document["code"], errors


def everything():
    return list(Master.objects.order_by("pk").values()), list(MasterEntity.objects.values())
