"""`hexflight sql` under test: at a pseudo-terminal that answers as a terminal does, and as a plain process.

The terminal keeps what was printed, with and without its control sequences; it never decides what is right.
"""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import hexserver

PROMPT = "hexflight> "
MORE = "      ... "
WAIT_SECONDS = 60.0
ENTER, TAB, UP, CTRL_C, CTRL_D = "\r", "\t", "\x1b[A", "\x03", "\x04"

_CURSOR_QUERY = b"\x1b[6n"
_CONTROL = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[=>78]|[\r\x07]")


class Terminal:
    """`hexflight sql` at a pseudo-terminal."""

    def __init__(self, *arguments: str, home: Path, env: dict[str, str] | None = None) -> None:
        leader, follower = pty.openpty()
        fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 160, 0, 0))
        settings = {"HOME": str(home), "TERM": "xterm-256color", "NO_COLOR": "1", **(env or {})}
        self._leader = leader
        self._process = subprocess.Popen(
            [str(hexserver.binary()), "sql", *arguments],
            stdin=follower,
            stdout=follower,
            stderr=follower,
            env=hexserver.clean_environment(settings),
            start_new_session=True,
            preexec_fn=_take_terminal,
        )
        os.close(follower)
        self._raw = b""
        self._seen = 0

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        os.close(self._leader)

    @property
    def text(self) -> str:
        """Everything that was printed, without control sequences."""
        return plain(self._raw)

    def type(self, keys: str) -> None:
        """Presses keys."""
        os.write(self._leader, keys.encode())

    def expect(self, wanted: str, seconds: float = WAIT_SECONDS) -> str:
        """Waits for `wanted` behind what was expected before; returns what was printed up to its end."""
        deadline = time.monotonic() + seconds
        while (at := self.text.find(wanted, self._seen)) < 0:
            if not self._read(deadline):
                raise AssertionError(f"{wanted!r} was not printed; behind the last match:\n{self.unseen}")
        start, self._seen = self._seen, at + len(wanted)
        return self.text[start : self._seen]

    @property
    def unseen(self) -> str:
        """What was printed behind the last match."""
        return self.text[self._seen :]

    def prompt(self) -> str:
        """Waits for the next prompt; returns what was printed before it."""
        return self.expect("\n" + PROMPT)

    def run(self, line: str) -> str:
        """Types a line that is complete and returns what was printed until the next prompt."""
        self.type(line + ENTER)
        return self.prompt()

    def signal_terminate(self) -> None:
        """Sends SIGTERM to the process."""
        self._process.send_signal(signal.SIGTERM)

    def end(self) -> int:
        """Waits for the end of the process; returns its exit code."""
        deadline = time.monotonic() + WAIT_SECONDS
        while self._read(deadline):
            pass
        return self._process.wait(WAIT_SECONDS)

    def _read(self, deadline: float) -> bool:
        ready, _, _ = select.select([self._leader], [], [], max(0.0, deadline - time.monotonic()))
        if not ready:
            return False
        try:
            chunk = os.read(self._leader, 65536)
        except OSError:  # the other side is closed
            return False
        # The editor asks where the cursor is and waits for the answer. Any place will do: what it draws is read as text.
        for _ in range(chunk.count(_CURSOR_QUERY)):
            os.write(self._leader, b"\x1b[1;1R")
        self._raw += chunk
        return bool(chunk)


def _take_terminal() -> None:
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def plain(raw: bytes) -> str:
    """Returns what was printed without its control sequences."""
    return _CONTROL.sub("", raw.decode(errors="replace"))


def sql(
    *arguments: str, server: hexserver.Server | None = None, **options: Any
) -> subprocess.CompletedProcess[str]:
    """Runs `hexflight sql` to its end, without a terminal."""
    target: Sequence[str] = [] if server is None else ["--target", server.flight_url]
    if "input" not in options:
        options["stdin"] = subprocess.DEVNULL
    return hexserver.run("sql", *target, *arguments, **options)
