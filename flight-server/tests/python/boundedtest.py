"""A mixed load on one server of little memory: devices that send, dashboards, analysts, readers that do not read, and an attacker.

    boundedtest.py --seconds 180 --rate 250000 --memory 512MiB

Prints what it saw, and exits with 1 where a promise is broken: an acknowledged event is gone, ingest falls below nine tenths of its rate for ten
seconds, memory goes beyond the limit and 256 MiB, the last quarter of the time takes more memory than the quarter before, or descriptors leak.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.flight as flight
import requests

from flight_client import connect, query
from hexserver import Server, binary, clean_environment, http_get, peak_mib

DASHBOARDS, ANALYSTS, READERS = 16, 4, 20
BESIDE_MIB = 256
WARM_UP_SECONDS = 15
SLOW_SECONDS_MAX = 10
RATE_SHARE_MIN = 0.9

WINDOWS = [
    "SELECT count(*), avg(value), min(value), max(value) FROM events WHERE type = 'temperature' AND timestamp >= now() - INTERVAL '10 minutes'",
    "SELECT device_id, count(*) AS n FROM events WHERE type = 'humidity' AND timestamp >= now() - INTERVAL '1 hour' GROUP BY 1 ORDER BY n DESC LIMIT 10",
    "SELECT avg(value) FROM events WHERE type = 'pressure' AND latitude BETWEEN 40 AND 50 AND longitude BETWEEN 0 AND 20 AND timestamp >= now() - INTERVAL '5 minutes'",
]
HEAVY = [
    "SELECT device_id, type, date_trunc('minute', timestamp) AS m, avg(value), stddev(value) FROM events GROUP BY 1, 2, 3 ORDER BY 4 DESC LIMIT 5",
    "SELECT count(DISTINCT device_id || type), count(DISTINCT metadata) FROM events",
    "SELECT a.type, count(*) FROM (SELECT * FROM events LIMIT 300000) a JOIN (SELECT * FROM events LIMIT 300000) b ON a.device_id = b.device_id AND a.timestamp < b.timestamp GROUP BY 1",
    "SELECT timestamp, value FROM events ORDER BY value DESC, timestamp OFFSET 1000000 LIMIT 5",
]
ATTACKS = [
    "SELECT repeat('x', 1000000000)",
    "SELECT cardinality(array_repeat(1, 1000000000))",
    "SELECT levenshtein(repeat('a', 300000), repeat('b', 300000))",
    "SELECT count(*) FROM (SELECT * FROM events LIMIT 100000) a, (SELECT * FROM events LIMIT 100000) b WHERE a.value * b.value = 7.125",
    "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r) SELECT count(*) FROM r",
    "SELECT length(repeat('a', 30000000) || repeat('b', 30000000) || repeat('c', 30000000))",
]


@dataclass
class Seen:
    """What clients saw."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    window_seconds: list[float] = field(default_factory=list)
    outcomes: dict[str, int] = field(default_factory=dict)

    def count(self, what: str) -> None:
        """Counts an outcome."""
        with self.lock:
            self.outcomes[what] = self.outcomes.get(what, 0) + 1


class Load:
    """All clients of one server."""

    def __init__(self, server: Server, seconds: float) -> None:
        self.server = server
        self.end = time.monotonic() + seconds
        self.seen = Seen()
        self.random = random.Random(1)

    def run(self) -> list[threading.Thread]:
        """Starts them."""
        work = [self.dashboard] * DASHBOARDS + [self.analyst] * ANALYSTS + [self.reader] * READERS + [self.attacker, self.stranger]
        threads = [threading.Thread(target=self.repeat, args=(one,), daemon=True) for one in work]
        for thread in threads:
            thread.start()
        return threads

    def repeat(self, work: Callable[[], None]) -> None:
        """Does it until the end."""
        while time.monotonic() < self.end:
            with contextlib.suppress(OSError, pa.ArrowException):
                work()

    def ask(self, sql: str, who: str) -> int:
        """Asks over HTTP; returns the status."""
        url = f"{self.server.http_url}/api/v1/sql"
        answer = requests.post(url, json={"sql": sql, "timeout_ms": 60_000}, timeout=120)
        self.seen.count(f"{who} {answer.status_code}")
        if answer.status_code == 429:
            time.sleep(min(5.0, float(answer.headers["Retry-After"])))
        return answer.status_code

    def dashboard(self) -> None:
        """Asks a window question every second."""
        started = time.monotonic()
        if self.ask(self.random.choice(WINDOWS), "dashboard") == 200:
            with self.seen.lock:
                self.seen.window_seconds.append(time.monotonic() - started)
        time.sleep(max(0.0, 1.0 - (time.monotonic() - started)))

    def analyst(self) -> None:
        """Asks a heavy question, and thinks."""
        self.ask(self.random.choice(HEAVY), "analyst")
        time.sleep(1)

    def reader(self) -> None:
        """Asks for everything and reads little of it."""
        with connect(self.server.flight_url) as client:
            reader = client.do_get(flight.Ticket(b"SELECT * FROM events"), flight.FlightCallOptions(timeout=120))
            with contextlib.suppress(StopIteration):
                for _ in range(20):
                    reader.read_chunk()
                    time.sleep(self.random.uniform(0.5, 3.0))
            reader.cancel()
        self.seen.count("reader left")

    def attacker(self) -> None:
        """Sends what once took all memory, or all threads."""
        self.ask(self.random.choice(ATTACKS), "attacker")

    def stranger(self) -> None:
        """Sends half of something and stays."""
        host, port = self.server.http_url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=30) as connection:
            connection.sendall(b"POST /api/v1/sql HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 8000000\r\n\r\n{")
            time.sleep(2)


@dataclass
class Sample:
    """The server at one moment."""

    seconds: float
    rows: float
    resident_mib: float
    descriptors: int


def sample(server: Server, started: float) -> Sample | None:
    """Looks at the server."""
    with contextlib.suppress(OSError):
        _, text = http_get(f"{server.http_url}/metrics")
        rows = [float(line.split()[-1]) for line in text.splitlines() if line.startswith("hexflight_ingest_rows_total ")]
        status = Path(f"/proc/{server.pid}/status").read_text()
        resident = int(status.split("VmRSS:")[1].split()[0]) / 1024
        descriptors = len(list(Path(f"/proc/{server.pid}/fd").iterdir()))
        return Sample(time.monotonic() - started, rows[0] if rows else 0.0, resident, descriptors)
    return None


def slowest(samples: list[Sample], rate: float) -> float:
    """Returns the longest time for which ingest was below its rate."""
    longest = begun = 0.0
    for before, after in zip(samples, samples[1:], strict=False):
        share = (after.rows - before.rows) / max(after.seconds - before.seconds, 0.1) / rate
        begun = begun + after.seconds - before.seconds if share < RATE_SHARE_MIN else 0.0
        longest = max(longest, begun)
    return longest


def main() -> int:
    """Runs the load and judges it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=180)
    parser.add_argument("--rate", type=int, default=250_000)
    parser.add_argument("--memory", default="512MiB")
    given = parser.parse_args()
    limit_mib = int(given.memory.removesuffix("MiB"))
    with tempfile.TemporaryDirectory(prefix="hexflight-bounded-") as folder:
        flags = ("--memory-limit", given.memory, "--vacuum-after", "1m", "--log", "warn")
        with Server(Path(folder) / "data", *flags) as server:
            command = [str(binary()), "simulate", "--target", server.flight_url.replace("grpc://", "http://"),
                       "--rate", str(given.rate), "--duration", f"{int(given.seconds)}s"]  # fmt: skip
            sender = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=clean_environment())
            load, started, samples = Load(server, given.seconds), time.monotonic(), []
            threads = load.run()
            while sender.poll() is None:
                if (seen := sample(server, started)) is not None:
                    samples.append(seen)
                time.sleep(1)
            for thread in threads:
                thread.join(150)
            told = sender.stdout.read() if sender.stdout else ""
            with connect(server.flight_url) as client:
                stored = query(client, "SELECT count(*) FROM events").column(0)[0].as_py()
            return judge(given, load.seen, samples, told, stored, peak_mib(server), limit_mib, sender.returncode)


def judge(given: argparse.Namespace, seen: Seen, samples: list[Sample], told: str, stored: int, peak: float, limit_mib: int, code: int) -> int:
    """Prints what was seen; returns 1 where a promise is broken."""
    acked = int(samples[-1].rows)
    steady = [one for one in samples if one.seconds > WARM_UP_SECONDS]
    quarter = max(1, len(steady) // 4)
    third, fourth = (statistics.median(one.resident_mib for one in part) for part in (steady[-2 * quarter : -quarter], steady[-quarter:]))
    waits = sorted(seen.window_seconds)
    p99 = waits[int(len(waits) * 0.99)] if waits else float("inf")
    slow = slowest(steady, given.rate)
    descriptors = [one.descriptors for one in steady]
    facts = {
        "acked": acked, "stored": stored, "peak_mib": round(peak), "resident_third_quarter_mib": round(third),
        "resident_last_quarter_mib": round(fourth), "window_p99_s": round(p99, 3), "ingest_below_rate_s": round(slow, 1),
        "descriptors_first": descriptors[0], "descriptors_most": max(descriptors), "outcomes": dict(sorted(seen.outcomes.items())),
    }  # fmt: skip
    print(json.dumps(facts, indent=2))
    print(told[-1_500:])
    broken = [
        what
        for what, is_broken in {
            "acknowledged events are gone": stored < acked or code != os.EX_OK,
            "memory beyond the limit": peak > limit_mib + BESIDE_MIB,
            "memory grows": fourth > third * 1.25 + 32,
            "ingest below its rate": slow >= SLOW_SECONDS_MAX,
            "descriptors leak": descriptors[-1] > descriptors[0] + 200,
        }.items()
        if is_broken
    ]
    print("broken:", broken or "nothing")
    return int(bool(broken))


if __name__ == "__main__":
    sys.exit(main())
