"""How the tests enrol, and what they expect of an answer."""

from loyalty.models import Program
from members.models import (
    Member,
)

PERSON = {
    "first_name": " Ann ",
    "last_name": "Lee",
    "birth_date": "1990-02-03",
    "email": "Ann@Example.ORG",
    "phone": "0660 1234567",
    "address": {"lines": ["Ring 1", "Top 2"], "postal_code": "1010", "country": "AT"},
    "language": "en",
}


def settings(**changes):
    Program.objects.update(**changes)


def enroll(api, profile=None, **more):
    headers = more.pop("headers", {})
    body = {"profile": PERSON if profile is None else profile, **more}
    return api.post("/members/", body, **headers)


def made(answer):
    assert answer.status_code == 201, answer.content
    return Member.objects.get(number=answer.json()["number"])


def refused(answer, status, code):
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.content
    return answer.json()


def wrong(answer):
    problem = refused(answer, 400, "VALIDATION_FAILED")
    return [(each["pointer"], each["code"]) for each in problem["errors"]]


def fixed(points):
    return {"kind": "FIXED", "type": "PTS", "points": points}
