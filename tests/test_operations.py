"""Commands, start-up refusals, and the supervisor of `make run`."""

import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command

from config.checks import refuse_to_start_if_wrong
from config.local import run, servers
from config.local.supervisor import Child, Supervisor
from loyalty.models import Program
from tests.factories.ledger import give
from tests.factories.members import MemberFactory


@pytest.mark.django_db(transaction=True)
def test_expire_points_settles_and_may_be_repeated(committed_program):
    now = datetime.now(UTC)
    for _ in range(3):
        give(MemberFactory(), 100, at=now - timedelta(days=9), lives=timedelta(days=2))

    outputs = []
    for _ in range(2):
        out = StringIO()
        call_command("expire_points", stdout=out)
        outputs.append(out.getvalue().strip())

    assert outputs == ["3 members: 300 points expired.", "0 members: 0 points expired."]


def test_the_first_posting_fixes_the_time_zone(member, settings):
    assert Program.objects.get().time_zone_fixed is False
    give(member, 1)
    assert Program.objects.get().time_zone_fixed is True
    refuse_to_start_if_wrong()

    settings.LAUREL_TIME_ZONE = "Asia/Tokyo"

    with pytest.raises(ImproperlyConfigured, match="points were posted in Europe/Vienna"):
        refuse_to_start_if_wrong()


def test_before_that_the_time_zone_may_be_put_right(program, settings):
    settings.LAUREL_TIME_ZONE = "Asia/Tokyo"

    call_command("bootstrap")

    assert Program.objects.get().time_zone == "Asia/Tokyo"


def test_production_refuses_a_missing_secret():
    environment = {k: v for k, v in os.environ.items() if k != "DJANGO_SECRET_KEY"}
    done = subprocess.run(
        [sys.executable, "-c", "import config.settings"],
        env=environment | {"LAUREL_ENV": "production"},
        capture_output=True,
        text=True,
        check=False,
        cwd=run.ROOT,
    )

    assert done.returncode == 1
    assert "DJANGO_SECRET_KEY must be set" in done.stderr


def test_a_port_in_use_is_said_in_a_sentence(monkeypatch, capsys):
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        monkeypatch.setenv("PORT", str(port))

        assert run.main() == 1

    assert f"port {port} is in use" in capsys.readouterr().err


@pytest.mark.parametrize("port", ["0", "x", "70000"])
def test_a_port_that_is_none_is_said_in_a_sentence(port, monkeypatch, capsys):
    monkeypatch.setenv("PORT", port)

    assert run.main() == 1
    assert f"PORT={port} is not a port" in capsys.readouterr().err


def test_the_demo_knows_how_many_weeks_there_are(program):
    with pytest.raises(CommandError, match="53 weeks"):
        call_command("load_demo", "--weeks", "54")


def test_a_killed_process_is_started_again_and_all_are_stopped():
    said: list[str] = []
    child = Child("sleeper", lambda: subprocess.Popen(["sleep", "60"]))
    supervisor = Supervisor([child], say=said.append)

    supervisor._tend(child)
    assert child.process is not None
    first = child.process.pid
    os.kill(first, signal.SIGKILL)
    child.process.wait()
    deadline = time.monotonic() + 10
    while child.process.pid == first and time.monotonic() < deadline:
        supervisor._tend(child)
        time.sleep(0.05)
    second = child.process
    supervisor.stop()

    assert said == ["sleeper stopped; starting it again."]
    assert second.pid != first
    assert second.poll() is not None


def test_a_free_port_is_free():
    assert not servers.answers(servers.free_port())


def test_an_api_client_is_made_by_command(partner):
    import json

    out = StringIO()
    call_command("create_api_client", "Till", "--partner", "GROCER", "--json", stdout=out)

    assert set(json.loads(out.getvalue())) == {"client_id", "client_secret"}
    with pytest.raises(CommandError, match="no partner NOBODY"):
        call_command("create_api_client", "Till", "--partner", "NOBODY")
    with pytest.raises(CommandError, match="house clients only"):
        call_command("create_api_client", "Till", "--partner", "GROCER", "--scope", "points:adjust")
