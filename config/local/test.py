"""`make test`: the suite on embedded servers of its own."""

import subprocess
import sys
from pathlib import Path

from config.local import servers
from config.local.run import ROOT, local_environment
from config.local.servers import Addresses, ServerProblem

FOLDER = ROOT / "var" / "test"


def main(arguments: list[str]) -> int:
    """Start the servers, run pytest with the arguments, stop the servers; return its exit code."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    postgres = FOLDER / "postgres"
    redis_port = servers.free_port()
    try:
        url = servers.start_postgres(postgres, database="laurel", durable=False)
        valkey = servers.start_valkey(FOLDER / "valkey", redis_port)
    except ServerProblem as problem:
        print(f"The tests cannot start: {problem}", file=sys.stderr)  # noqa: T201
        return 1
    addresses = Addresses(url, f"redis://127.0.0.1:{redis_port}/0")
    environment = local_environment(addresses, FOLDER) | {
        "DJANGO_SETTINGS_MODULE": "tests.settings",
        "LAUREL_TIME_ZONE": "Europe/Vienna",
        "LAUREL_CURRENCY": "EUR",
    }
    try:
        command = [sys.executable, "-m", "pytest", *(arguments or ["-n", "2"])]
        return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode
    finally:
        valkey.terminate()
        servers.stop_postgres(postgres)


def folder_of(name: str) -> Path:
    """Return a folder for servers that are neither the demo's nor the tests'."""
    return ROOT / "var" / name


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
