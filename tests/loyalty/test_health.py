"""A host that cannot work says so, and why."""

import pytest
from django.conf import settings

from loyalty.api import health


def test_a_host_that_can_work_says_so(client, db):
    response = client.get("/health/")

    assert response.status_code == 200
    assert response.json()["status"] == "ok"
    assert set(response.json()["parts"]) == {"database", "broker", "migrations"}


def test_a_clock_that_runs_apart_is_unhealthy(client, db, monkeypatch):
    monkeypatch.setattr(health, "CLOCK_TOLERANCE_S", -1.0)

    response = client.get("/health/")

    assert response.status_code == 503
    assert response.headers["Retry-After"] == "5"
    assert "clocks differ" in response.json()["parts"]["database"]["detail"]


def test_missing_migrations_are_unhealthy(client, db, monkeypatch):
    monkeypatch.setattr(health, "_migrated", False)
    monkeypatch.setattr(health.MigrationExecutor, "migration_plan", lambda self, targets: ["0002"])

    response = client.get("/health/")

    assert response.status_code == 503
    assert response.json()["parts"]["migrations"] == {
        "ok": False,
        "detail": "Migrations are missing.",
    }


@pytest.mark.parametrize("address", ["redis://127.0.0.1:1/0", "redis://nobody.invalid/0"])
def test_a_broker_that_is_away_is_unhealthy(client, db, monkeypatch, address):
    monkeypatch.setattr(settings, "REDIS_URL", address)

    response = client.get("/health/")

    assert response.status_code == 503
    assert response.json()["parts"]["broker"] == {"ok": False, "detail": "Redis does not answer."}


def test_a_process_that_runs_is_alive_whatever_else_is_not(client, monkeypatch):
    monkeypatch.setattr(settings, "REDIS_URL", "redis://127.0.0.1:1/0")

    assert client.get("/health/live/").json() == {"status": "ok"}
