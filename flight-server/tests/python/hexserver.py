"""A real `hexflight serve` process: started on free ports, watched, stopped or killed by its own pid.

Used by the pytest fixtures and by the long-running command line tests; never touches a process that it did not start.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

REPOSITORY = Path(__file__).resolve().parents[3]

# A debug build on a busy machine starts in well under a second; the bounds only have to end a hang.
READY_SECONDS = 60.0
STOP_SECONDS = 60.0
POLL_SECONDS = 0.005

_FLIGHT_URL = re.compile(r"\bgrpc(?:\+tcp)?://(?P<address>[\w.\-]+:\d+)")
_HTTP_URL = re.compile(r"\bhttp://(?P<address>[\w.\-]+:\d+)")

T = TypeVar("T")


class ServerDied(RuntimeError):
    """The process ended while it was awaited; carries its exit code and everything that it printed."""


def binary() -> Path:
    """Returns the binary under test: `HEXFLIGHT_BIN`, else the debug build of this repository."""
    return Path(os.environ.get("HEXFLIGHT_BIN", REPOSITORY / "target" / "debug" / "hexflight"))


def clean_environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Returns this environment without its `HEXFLIGHT_*` settings, so that only `extra` configures the process, and with a small reserve of disk."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HEXFLIGHT_")}
    # Hundreds of servers in a row would each keep 128 MiB of disk free.
    kept["HEXFLIGHT_RESERVE"] = "1MiB"
    return kept | dict(extra or {})


def run(
    *arguments: str, env: Mapping[str, str] | None = None, **options: Any
) -> subprocess.CompletedProcess[str]:
    """Runs one `hexflight` command to its end."""
    command = [str(binary()), *arguments]
    options.setdefault("timeout", READY_SECONDS)
    return subprocess.run(command, capture_output=True, text=True, env=clean_environment(env), **options)


def wait_until(probe: Callable[[], T], seconds: float, what: str) -> T:
    """Calls `probe` until it returns something true; fails, saying `what` was awaited, after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        found = probe()
        if found:
            return found
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {seconds} s")
        time.sleep(POLL_SECONDS)


class Server:
    """One data directory and the process that serves it now; `start` after `stop` or `kill` serves it again."""

    def __init__(
        self, data_dir: Path, *flags: str, env: Mapping[str, str] | None = None, **options: Any
    ) -> None:
        self.data_dir = data_dir
        self.flags: Sequence[str] = flags
        self.starts = 0
        self._env = clean_environment(env)
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Server:
        try:
            return self.start()
        except BaseException:
            # Nobody calls `__exit__` of what was not entered.
            self.stop_or_kill()
            raise

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def log_path(self) -> Path:
        """File that holds what the current process printed."""
        return self.data_dir.parent / f"{self.data_dir.name}.{self.starts}.log"

    @property
    def log(self) -> str:
        """What the current process printed, both outputs."""
        return self.log_path.read_text(errors="replace")

    @property
    def pid(self) -> int:
        """Process id of the current process."""
        assert self._process is not None, "the server was not started"
        return self._process.pid

    @property
    def flight_url(self) -> str:
        """`grpc://host:port` that the current process bound."""
        return f"grpc://{self._bound(_FLIGHT_URL)}"

    @property
    def http_url(self) -> str:
        """`http://host:port` that the current process bound."""
        return f"http://{self._bound(_HTTP_URL)}"

    @property
    def table_dir(self) -> Path:
        """Delta table of the `events` table."""
        return self.data_dir / "tables" / "events"

    def start(self) -> Server:
        """Spawns the process and returns when it is ready."""
        self.spawn()
        return self.wait_ready()

    def spawn(self) -> None:
        """Spawns the process and returns at once."""
        assert self._process is None, "the server already runs"
        self.starts += 1
        free = [bind for bind in ("--flight-bind", "--http-bind") if bind not in self.flags]
        binds = [word for bind in free for word in (bind, "127.0.0.1:0")]
        command = [str(binary()), "serve", "--data-dir", str(self.data_dir), *binds, *self.flags]
        with self.log_path.open("wb") as log:
            self._process = subprocess.Popen(
                command, stdout=log, stderr=subprocess.STDOUT, env=self._env, **self._options
            )

    def wait_ready(self) -> Server:
        """Waits for `/health/ready`; fails with the output of the process if it ends first."""
        try:
            wait_until(self.is_ready, READY_SECONDS, "server ready")
        except TimeoutError as late:
            raise TimeoutError(f"{late}, log:\n{self.log}") from None
        return self

    def is_ready(self) -> bool:
        """Tells whether the process says that it is ready; raises if it has ended."""
        if self.exit_code() is not None:
            raise ServerDied(f"exit code {self.exit_code()}, log:\n{self.log}")
        if _HTTP_URL.search(self.log) is None or _FLIGHT_URL.search(self.log) is None:
            return False
        return http_status(f"{self.http_url}/health/ready") == 200

    def exit_code(self) -> int | None:
        """Exit code of the process, `None` while it runs."""
        assert self._process is not None, "the server was not started"
        return self._process.poll()

    def stop(self) -> int | None:
        """Ends the process with SIGTERM, after a bound with SIGKILL; returns its exit code."""
        if self._process is None:
            return None
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        try:
            code = self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            raise
        finally:
            self._process = None
        return code

    def stop_or_kill(self) -> None:
        """Ends the process one way or the other; how it ends does not matter to the caller."""
        try:
            self.stop()
        except subprocess.TimeoutExpired:
            pass

    def terminate(self) -> None:
        """Sends SIGTERM and returns at once."""
        assert self._process is not None, "the server was not started"
        self._process.send_signal(signal.SIGTERM)

    def kill(self) -> int:
        """Ends the process with SIGKILL; returns its exit code, which is another one if it had ended before."""
        assert self._process is not None, "the server was not started"
        self._process.kill()
        code = self._process.wait()
        self._process = None
        return code

    def restart(self) -> Server:
        """Stops with SIGTERM and starts again on the same directory."""
        self.stop()
        return self.start()

    def _bound(self, pattern: re.Pattern[str]) -> str:
        found = pattern.search(self.log)
        assert found is not None, f"no bound url in the log:\n{self.log}"
        return found["address"]


def peak_mib(server: Server) -> float:
    """Returns the high water mark of the process."""
    status = Path(f"/proc/{server.pid}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def cpu_seconds(server: Server) -> float:
    """Returns the CPU time that the process has taken."""
    fields = Path(f"/proc/{server.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def busy_share(server: Server, seconds: float = 2.0) -> float:
    """Returns how much of a core the process takes meanwhile."""
    before, started = cpu_seconds(server), time.monotonic()
    time.sleep(seconds)
    return (cpu_seconds(server) - before) / (time.monotonic() - started)


def http_get(url: str) -> tuple[int, str]:
    """Returns status and body of a GET."""
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def metric(server: Server, name: str) -> float:
    """Returns the sum of a metric over its labels, 0 if it is not there yet."""
    status, text = http_get(f"{server.http_url}/metrics")
    assert status == 200, text
    lines = [line for line in text.splitlines() if line.startswith((f"{name} ", f"{name}{{"))]
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines)


def http_status(url: str) -> int | None:
    """Returns the status of a GET, `None` if nobody answers."""
    try:
        return http_get(url)[0]
    except OSError:
        return None
