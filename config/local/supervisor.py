"""A few processes kept running: started, watched, started again, and stopped together."""

import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from types import FrameType

BACKOFF_S_MAX = 30.0
STOP_S = 20.0


@dataclass
class Child:
    """A process by name. `start` starts it; `alive` tells whether it still runs."""

    name: str
    start: Callable[[], subprocess.Popen[bytes] | None]
    alive: Callable[[], bool] | None = None
    process: subprocess.Popen[bytes] | None = None
    failures: int = 0
    started_at: float = 0.0
    retry_at: float = 0.0

    def runs(self) -> bool:
        if self.alive is not None:
            return self.alive()
        return self.process is not None and self.process.poll() is None


@dataclass
class Supervisor:
    """Keeps its children running until somebody asks it to stop."""

    children: list[Child]
    say: Callable[[str], None]
    stopping: bool = field(default=False)

    def run(self) -> None:
        """Watch the children until SIGINT or SIGTERM, then stop them in reverse order."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._ask_to_stop)
        while not self.stopping:
            for child in self.children:
                self._tend(child)
            time.sleep(0.3)
        self.stop()

    def _ask_to_stop(self, number: int, frame: FrameType | None) -> None:
        self.stopping = True

    def _tend(self, child: Child) -> None:
        """Start a child that does not run; wait longer each time it falls at once."""
        now = time.monotonic()
        if child.runs() or now < child.retry_at or self.stopping:
            if child.failures and now - child.started_at > BACKOFF_S_MAX:
                child.failures = 0
            return
        if child.started_at:
            self.say(f"{child.name} stopped; starting it again.")
            child.failures += 1
        child.retry_at = now + min(BACKOFF_S_MAX, 0.5 * 2**child.failures)
        child.started_at = now
        child.process = child.start()

    def stop(self) -> None:
        """Ask each process to end, the last started first; end those that do not."""
        for child in reversed(self.children):
            process = child.process
            if process is None or process.poll() is not None:
                continue
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
