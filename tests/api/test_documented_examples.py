"""The examples of docs/api/*.md are sent for real, page by page, in the order in which they stand.

An example is a fenced block: a request, a blank line, its body if it has one, then `---` and the
answer that is expected:

    ```http
    PUT /partners/GROCER/
    As: house
    If-Match: "1"

    {"name": "The Grocer"}
    ---
    200
    ETag: "2"

    {"code": "GROCER", "outlets": […], "id": "…", "version": 2}
    ```

- Paths are below `/api/v1`. `As` says who sends: `till` (a client of the partner GROCER, outlets
  S1 and S2; the default), `house`, `app` (a public client), `member` (a session of the member),
  or `nobody`.
- An answer's body holds at least the fields that are shown, with these values. `"…"` stands for
  any value, and `"…"` at the end of a list for any more. Lists without it are complete.
- `{{name}}` in a request is what an earlier example of the page kept by `Keep: name = /pointer`
  among its answer's headers. `{{now}}` is the present instant, `{{now+P1D}}` one a day later,
  `{{sent}}` the instant at which the example is sent.
- Every page starts from the same small world: the programme as `manage.py bootstrap` makes it, the
  partner GROCER, the member 1000000016 with card 6275000000000017, and the promotion BASE, which
  gives a point for each euro; the plan CLUB with the benefit PARKING (also of the tier BASE), and the
  voucher type FIVE, worth 5.00 for 500 points; the sweepstake SPRING, three tickets free and others
  for 100 points; the event type SURVEY with two sides, whose score is 0 to 10, and the promotion
  THANKS on it. A page that needs more makes it by its own examples.
"""

import json
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from members.models import Member
from tests.conftest import Api
from tests.factories.events import EventTypeFactory
from tests.factories.promotions import promotion
from tests.factories.sweepstakes import sweepstake
from tests.factories.vouchers import BenefitFactory, PlanFactory, VoucherTypeFactory

PAGES = sorted((Path(__file__).parents[2] / "docs" / "api").glob("*.md"))
SHOWING = [page for page in PAGES if "```http" in page.read_text()]
_BLOCK = re.compile(r"^```http\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_NAME = re.compile(r"\{\{([a-z_]+)([+-]P\d+D)?\}\}")
ANY = "…"
NUMBER = "1000000016"


@dataclass
class Example:
    """A request and the answer that the page promises."""

    line: int
    method: str
    path: str
    headers: dict[str, str]
    body: str | None
    status: int
    expected: dict[str, str] = field(default_factory=dict)
    keep: list[tuple[str, str]] = field(default_factory=list)
    answer: object = None


def examples_of(text):
    """Return the examples of a page, in order."""
    found = []
    for block in _BLOCK.finditer(text):
        line = text.count("\n", 0, block.start()) + 1
        request, separator, answer = block[1].partition("\n---\n")
        assert separator, f"line {line}: an example has `---` and the answer"
        head, _, body = request.strip().partition("\n\n")
        first, *lines = head.splitlines()
        method, path = first.split(" ", 1)
        answer_head, _, answer_body = answer.strip().partition("\n\n")
        status, *answer_lines = answer_head.splitlines()
        example = Example(line, method, path, _pairs(lines), body.strip() or None, int(status))
        for name, value in (each.split(": ", 1) for each in answer_lines):
            if name == "Keep":
                example.keep.append(tuple(value.split(" = ", 1)))
            else:
                example.expected[name] = value
        example.answer = json.loads(answer_body) if answer_body.strip() else None
        found.append(example)
    return found


def _pairs(lines):
    return dict(each.split(": ", 1) for each in lines)


def filled(text, kept, now):
    """Return a text of a request with its names filled in."""

    def value(match):
        name, shift = match.groups()
        if name == "sent":
            return datetime.now(UTC).isoformat()
        if name != "now":
            return str(kept[name])
        days = int(shift[2:-1]) * (-1 if shift[0] == "-" else 1) if shift else 0
        return (now + timedelta(days=days)).isoformat().replace("+00:00", "Z")

    return _NAME.sub(value, text)


def difference(shown, real, where=""):
    """Return where an answer is not what the page shows; None if it is."""
    if shown == ANY:
        return None
    if isinstance(shown, dict) and isinstance(real, dict):
        for name, each in shown.items():
            if name not in real:
                return f"{where}/{name} is missing"
            if found := difference(each, real[name], f"{where}/{name}"):
                return found
        return None
    if isinstance(shown, list) and isinstance(real, list):
        more = bool(shown) and shown[-1] == ANY
        wanted = shown[:-1] if more else shown
        if len(real) < len(wanted) or (len(real) > len(wanted) and not more):
            return f"{where} has {len(real)} items"
        pairs = enumerate(zip(wanted, real, strict=False))
        return next((d for n, (a, b) in pairs if (d := difference(a, b, f"{where}/{n}"))), None)
    return None if shown == real and type(shown) is type(real) else f"{where} is {real!r}"


def at_pointer(answer, pointer):
    """Return what a JSON pointer names."""
    for step in pointer.strip("/").split("/"):
        answer = answer[int(step)] if isinstance(answer, list) else answer[step]
    return answer


@pytest.fixture
def callers(till, house, app, session_of, member):
    Member.objects.filter(pk=member.pk).update(number=NUMBER)
    member.refresh_from_db()
    promotion()
    BenefitFactory(code="PARKING", tiers=["BASE"], quota=2)
    PlanFactory(code="CLUB", benefits=["PARKING"])
    VoucherTypeFactory(code="FIVE", stock=100)
    sweepstake()
    EventTypeFactory(code="SURVEY", cooldown="P30D", two_sided=True)
    promotion(
        "THANKS",
        name="50 points for a happy customer",
        trigger="EVENT",
        event="SURVEY",
        condition="event.score >= 8",
        award={"kind": "FIXED", "type": "PTS", "points": 50},
        visible=False,
    )
    return {
        "till": till,
        "house": house,
        "app": app,
        "member": session_of(member),
        "nobody": Api(None),
    }


@pytest.mark.parametrize("page", SHOWING, ids=lambda page: page.stem)
def test_the_examples_of_a_page_are_true(page, callers, now):
    kept = {}
    examples = examples_of(page.read_text())
    for example in examples:
        where = f"{page.name}, line {example.line}: {example.method} {example.path}"
        headers = {name: filled(value, kept, now) for name, value in example.headers.items()}
        api = callers[headers.pop("As", "till")]
        answer = api.client.generic(
            example.method,
            f"/api/v1{filled(example.path, kept, now)}",
            "" if example.body is None else filled(example.body, kept, now),
            content_type=headers.pop("Content-Type", "application/json"),
            headers={**api.headers, **headers},
        )
        content = answer.content.decode()

        assert answer.status_code == example.status, f"{where}\n{content}"
        for name, value in example.expected.items():
            assert answer.headers.get(name) == value, f"{where}\n{name}: {answer.headers.get(name)}"
        if example.answer is not None:
            found = difference(example.answer, json.loads(content))
            assert found is None, f"{where}\n{found}\n{content}"
        for name, pointer in example.keep:
            kept[name] = at_pointer(json.loads(content), pointer)


@pytest.mark.parametrize(
    ("shown", "real", "found"),
    [
        ({"a": 1}, {"a": 1, "b": 2}, None),
        ({"a": "…"}, {"a": None}, None),
        ({"a": 1}, {"b": 2}, "/a is missing"),
        ({"a": [1, "…"]}, {"a": [1, 2, 3]}, None),
        ({"a": [1]}, {"a": [1, 2]}, "/a has 2 items"),
        ({"a": [{"b": 1}]}, {"a": [{"b": 2}]}, "/a/0/b is 2"),
        ({"a": 1}, {"a": True}, "/a is True"),
        ({"a": []}, {"a": {}}, "/a is {}"),
    ],
)
def test_an_answer_that_differs_is_found(shown, real, found):
    assert difference(shown, real) == found
