"""`make run`: everything Laurel needs, on this machine, under one supervisor."""

import json
import os
import secrets
import subprocess
import sys
from pathlib import Path

from config.local import servers
from config.local.servers import Addresses, ServerProblem
from config.local.supervisor import Child, Supervisor

ROOT = Path(__file__).resolve().parent.parent.parent
VAR = ROOT / "var"


def main() -> int:
    """Start everything, run it until Ctrl-C; return an exit code."""
    try:
        port = _port()
        _check_folder()
        return _run(port)
    except ServerProblem as problem:
        print(f"Laurel cannot start: {problem}", file=sys.stderr)  # noqa: T201
        return 1
    except subprocess.CalledProcessError as problem:
        print(f"Laurel cannot start: {problem}", file=sys.stderr)  # noqa: T201
        return 1


def _port() -> int:
    text = os.environ.get("PORT") or "8000"
    if not text.isdigit() or not 0 < int(text) < 65536:  # noqa: PLR2004 the range of ports
        raise ServerProblem(f"PORT={text} is not a port.")
    if servers.answers(int(text)):
        raise ServerProblem(f"port {text} is in use. Try: make run PORT={int(text) + 1}")
    return int(text)


def _check_folder() -> None:
    try:
        VAR.mkdir(exist_ok=True)
        (VAR / ".writable").touch()
    except OSError:
        raise ServerProblem(f"{ROOT} cannot be written to.") from None


def local_environment(addresses: Addresses, folder: Path) -> dict[str, str]:
    """Return the environment of every process: this machine's servers, a secret made once."""
    secret = folder / "secret"
    if not secret.exists():
        secret.write_text(secrets.token_urlsafe(60))
        secret.chmod(0o600)
    return {
        **os.environ,
        "LAUREL_ENV": "local",
        "PYTHONWARNINGS": "ignore",  # The worker's advice about root is for servers.
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "DJANGO_SECRET_KEY": secret.read_text(),
        "DATABASE_URL": addresses.database_url,
        "REDIS_URL": addresses.redis_url,
        "LAUREL_TIME_ZONE": os.environ.get("LAUREL_TIME_ZONE", "America/New_York"),
        "LAUREL_CURRENCY": os.environ.get("LAUREL_CURRENCY", "USD"),
    }


def _run(port: int) -> int:
    redis_port = port + 1000 if not servers.answers(port + 1000) else servers.free_port()
    valkey = Child("valkey", lambda: servers.start_valkey(VAR / "valkey", redis_port))
    valkey.process = valkey.start()
    url = servers.start_postgres(VAR / "postgres", database="laurel")
    environment = local_environment(Addresses(url, f"redis://127.0.0.1:{redis_port}/0"), VAR)
    try:
        _prepare(environment)
        _announce(port)
        supervisor = Supervisor([valkey, _postgres(), *_processes(port, environment)], say=_say)
        valkey.started_at = 1.0
        supervisor.run()
    finally:
        if valkey.process and valkey.process.poll() is None:
            valkey.process.terminate()
            valkey.process.wait(10)
        servers.stop_postgres(VAR / "postgres")
    _say("Stopped. `make run` goes on where you left off.")
    return 0


def _postgres() -> Child:
    folder = VAR / "postgres"

    def start() -> None:
        if servers.postmaster_pid(folder) is None:
            subprocess.run(
                [sys.executable, "-m", "config.local.postgres", str(folder)], cwd=ROOT, check=False
            )

    return Child("postgres", start, alive=lambda: servers.postmaster_pid(folder) is not None)


def _processes(port: int, environment: dict[str, str]) -> list[Child]:
    binaries = Path(sys.executable).parent
    commands = {
        "web": [
            *(str(binaries / "granian"), "--interface", "wsgi", "--host", "127.0.0.1"),
            *("--port", str(port), "--workers", "2", "--blocking-threads", "4"),
            *("--no-ws", "--respawn-failed-workers", "--log-level", "warning"),
            "config.wsgi:application",
        ],
        "worker": [
            *(
                str(binaries / "celery"),
                "--quiet",
                "-A",
                "config.celery",
                "worker",
                "--concurrency",
                "2",
            ),
            *("--loglevel", "warning", "--without-gossip", "--without-mingle"),
        ],
        "timetable": [
            *(
                str(binaries / "celery"),
                "--quiet",
                "-A",
                "config.celery",
                "beat",
                "--loglevel",
                "warning",
            ),
            *("--schedule", str(VAR / "timetable")),
        ],
    }

    def starter(name: str, command: list[str]) -> Child:
        own = {**environment, "LAUREL_PROCESS": f"laurel-{name}"}
        return Child(
            name,
            lambda: subprocess.Popen(command, cwd=ROOT, env=own, start_new_session=True),
        )

    return [starter(name, command) for name, command in commands.items()]


def _prepare(environment: dict[str, str]) -> None:
    weeks = os.environ.get("DEMO_WEEKS") or "6"
    for command in (
        ["migrate", "--verbosity", "0"],
        ["bootstrap"],
        ["load_demo", "--weeks", weeks, "--credentials", str(VAR / "demo.json")],
    ):
        subprocess.run(
            [sys.executable, "manage.py", *command], cwd=ROOT, env=environment, check=True
        )


def _announce(port: int) -> None:
    base = f"http://127.0.0.1:{port}"
    demo = json.loads((VAR / "demo.json").read_text())
    body = json.dumps(demo["purchase"])
    _say(
        f"""
Laurel runs.

  Back office   {base}/admin/      {demo["user"]} / {demo["password"]}
  API docs      {base}/api/docs/
  Health        {base}/health/
  API client    {demo["client_id"]}
                {demo["client_secret"]}

Earn points (send it twice: the second is a replay):

TOKEN=$(curl -s -u '{demo["client_id"]}:{demo["client_secret"]}' \\
  -d grant_type=client_credentials {base}/oauth/token/ \\
  | python3 -c 'import json,sys; print(json.load(sys.stdin)["access_token"])')
curl -i -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' \\
  -d '{body}' {base}/api/v1/transactions/earn/

Ctrl-C stops everything.
"""
    )


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201 this command talks to a person


if __name__ == "__main__":
    sys.exit(main())
