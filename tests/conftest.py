"""The small world of every test: a programme, a partner with an outlet, a member, a client."""

import hashlib
import json
import secrets
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.db import transaction
from django.test import Client
from django.utils import timezone
from oauth2_provider.models import get_access_token_model

from ledger.queries import configuration
from loyalty import token_cache
from loyalty.models import Program, User
from loyalty.scopes import FOR_PARTNERS, Scope
from members.queries import providers
from members.services.sessions import open_session
from partners.services.clients import create_client
from promotions.queries import event_types
from promotions.services import snapshot
from tests.factories.members import MemberFactory
from tests.factories.partners import PartnerFactory


@pytest.fixture(autouse=True)
def fresh_process() -> None:
    """Forget what a process keeps in memory: each test has a programme of its own."""
    configuration._loaded = None
    snapshot._loaded = None
    providers._loaded = None
    event_types._loaded = None
    token_cache.clear()


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: Any) -> None:
    """Bootstrap the programme once: it costs more than most tests.

    Tests that are rolled back come first and all start from it; those that commit end with an
    empty database, and `committed_program` makes it anew.
    """
    with django_db_blocker.unblock():
        call_command("bootstrap")


@pytest.fixture
def program(db: None) -> None:
    """What `manage.py bootstrap` makes."""
    if not Program.objects.exists():  # A test that committed came before.
        call_command("bootstrap")


@pytest.fixture
def committed_program(transactional_db: None) -> None:
    """The same, committed, for tests with threads of their own."""
    call_command("bootstrap")


@pytest.fixture
def partner(program: None) -> Any:
    return PartnerFactory(code="GROCER", outlets=["S1", "S2"])


@pytest.fixture
def member(program: None, partner: Any) -> Any:
    return MemberFactory(card="6275000000000017")


class Api:
    """A client of the API: JSON in, a response out."""

    def __init__(self, token: str | None) -> None:
        self.client = Client(raise_request_exception=False)
        self.headers = {"Authorization": f"Bearer {token}"} if token else {}

    def post(self, path: str, body: Any = None, **headers: str) -> Any:
        raw = isinstance(body, bytes | str)
        return self.client.post(
            f"/api/v1{path}",
            body if raw else json.dumps(body),
            content_type=headers.pop("content_type", "application/json"),
            headers={**self.headers, **headers},
        )

    def put(self, path: str, body: Any = None, **headers: str) -> Any:
        return self._send("put", path, body, headers)

    def patch(self, path: str, body: Any = None, **headers: str) -> Any:
        return self._send("patch", path, body, headers)

    def delete(self, path: str, body: Any = None, **headers: str) -> Any:
        return self._send("delete", path, body, headers)

    def _send(self, method: str, path: str, body: Any, headers: dict[str, str]) -> Any:
        return getattr(self.client, method)(
            f"/api/v1{path}",
            "" if body is None else json.dumps(body),
            content_type="application/json",
            headers={**self.headers, **headers},
        )

    def get(self, path: str, **query: Any) -> Any:
        return self.client.get(f"/api/v1{path}", query, headers=self.headers)


@pytest.fixture
def api_of() -> Callable[..., Api]:
    """Return a maker of API clients: for a partner, or (None) the house, with these scopes."""

    def make(partner: Any = None, scopes: Any = None) -> Api:
        wanted = scopes or (FOR_PARTNERS if partner else frozenset(Scope))
        client = create_client("till", partner=partner, scopes=wanted).client
        token = secrets.token_urlsafe(16)
        get_access_token_model().objects.create(
            application=client.application,
            token="",
            token_checksum=hashlib.sha256(token.encode()).hexdigest(),
            expires=timezone.now() + timedelta(hours=1),
            scope=" ".join(sorted(wanted)),
        )
        row = get_access_token_model().objects.order_by("-pk").first()
        checksum = hashlib.sha256(token.encode()).hexdigest()
        get_access_token_model().objects.filter(pk=row.pk).update(token_checksum=checksum)
        return Api(token)

    return make


@pytest.fixture
def till(api_of: Callable[..., Api], partner: Any) -> Api:
    """The partner's till, which may do all that partners may."""
    return api_of(partner)


@pytest.fixture
def house(api_of: Callable[..., Api], program: None) -> Api:
    """A client of the programme itself."""
    return api_of(None)


@pytest.fixture
def session_of(program: None) -> Callable[[Any], Api]:
    """Return a maker of API clients that hold a member's session."""

    def make(member: Any) -> Api:
        with transaction.atomic():
            opened = open_session(member.pk, at=timezone.now())
        return Api(opened.token)

    return make


@pytest.fixture
def app(program: None) -> Api:
    """A public client of the programme: an app that keeps no secret."""
    api = Api(None)
    made = create_client("app", partner=None, public=True)
    api.headers = {"X-Client-Id": made.client_id}
    return api


@pytest.fixture
def office(client: Client, program: None) -> Client:
    """A browser of the back office, signed in as a superuser."""
    client.force_login(User.objects.create_superuser("boss", password="secret"))
    return client


@pytest.fixture
def now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


@pytest.fixture
def purchase(now: datetime) -> Callable[..., dict[str, Any]]:
    """Return a maker of purchases; by default two lines that cost 4.63 and 0.84 in the end."""

    def make(**changes: Any) -> dict[str, Any]:
        body = {
            "member": {"card": "6275000000000017"},
            "reference": f"R-{secrets.token_hex(6)}",
            "occurred_at": now.isoformat(),
            "outlet": "S1",
            "currency": "EUR",
            "lines": [
                {
                    "line": 1,
                    "sku": "1095275",
                    "quantity": "2",
                    "amount": "5.98",
                    "discount": "0.50",
                },
                {"line": 2, "sku": "9878513", "quantity": "1", "amount": "0.99"},
            ],
            "discount": "1.00",
            "tenders": [{"type": "CARD", "amount": "5.47"}],
        }
        return {key: value for key, value in {**body, **changes}.items() if value is not None}

    return make
