"""Hundreds of heavy statements at once on one server, beside small appends and window questions.

    overloadtest.py --statements 500 --memory 1024MiB --rows 1000000

Prints what it saw, and exits with 1 where a promise is broken: an append fails or its p99 is a second or more, a window question's p99 is two seconds
or more, a heavy statement fails in another way than by being told when to come back, memory goes beyond the limit and 256 MiB, or a stop
takes 15 s.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import requests

from boundedtest import BESIDE_MIB, HEAVY, WINDOWS
from flight_client import connect, events, put
from hexserver import Server, binary, clean_environment, peak_mib

APPEND_P99_MAX, WINDOW_P99_MAX, STOP_MAX = 1.0, 2.0, 15.0
GROUPED = "SELECT device_id, type, date_trunc('second', timestamp) AS s, avg(value), count(*) FROM events GROUP BY 1, 2, 3 ORDER BY 4 DESC LIMIT 5"


@dataclass
class Seen:
    """What clients saw."""

    append_seconds: list[float] = field(default_factory=list)
    window_seconds: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    heavy: dict[str, int] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)


def ask(server: Server, sql: str) -> requests.Response:
    """Sends a statement over HTTP."""
    return requests.post(f"{server.http_url}/api/v1/sql", json={"sql": sql}, timeout=900)


def heavy(server: Server, seen: Seen, number: int, end: float) -> None:
    """Asks until there is an answer or no more time, and comes back when it is told to."""
    sql = (GROUPED, HEAVY[0], HEAVY[3])[number % 3]
    while True:
        answer = ask(server, sql)
        what = str(answer.status_code) if answer.status_code in (200, 429) else f"{answer.status_code} {answer.text[:200]}"
        with seen.lock:
            seen.heavy[what] = seen.heavy.get(what, 0) + 1
        if answer.status_code != 429 or time.monotonic() > end:
            return
        time.sleep(float(answer.headers["Retry-After"]))


def append(server: Server, seen: Seen, stop: threading.Event) -> None:
    """Appends a little, ten times a second."""
    with connect(server.flight_url) as client:
        number = 0
        while not stop.wait(0.1):
            started = time.monotonic()
            try:
                put(client, events(100, f"append-{number % 50}"))
            except Exception as error:  # noqa: BLE001
                seen.failures.append(f"append: {error}")
            seen.append_seconds.append(time.monotonic() - started)
            number += 1


def window(server: Server, seen: Seen, stop: threading.Event) -> None:
    """Asks a window question four times a second."""
    number = 0
    while not stop.wait(0.25):
        started = time.monotonic()
        answer = ask(server, WINDOWS[number % len(WINDOWS)])
        seen.window_seconds.append(time.monotonic() - started)
        if answer.status_code != 200:
            seen.failures.append(f"window: {answer.text[:200]}")
        number += 1


def p99(seconds: list[float]) -> float:
    """Returns the 99th percentile."""
    return sorted(seconds)[int(len(seconds) * 0.99)] if seconds else float("inf")


def fill(server: Server, rows: int) -> None:
    """Sends events as fast as the server takes them."""
    command = [str(binary()), "simulate", "--target", server.flight_url.replace("grpc://", "http://"), "--rate", "500000",
               "--duration", f"{max(1, rows // 500_000)}s"]  # fmt: skip
    subprocess.run(command, check=True, capture_output=True, env=clean_environment(), timeout=600)


def main() -> int:
    """Runs the load and judges it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--statements", type=int, default=500)
    parser.add_argument("--memory", default="1024MiB")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--seconds", type=float, default=300, help="for how long a statement comes back")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="hexflight-overload-") as folder:
        server = Server(Path(folder) / "data", "--memory-limit", given.memory, "--log", "warn").start()
        fill(server, given.rows)
        seen, stop = Seen(), threading.Event()
        beside = [threading.Thread(target=one, args=(server, seen, stop)) for one in (append, window)]
        for thread in beside:
            thread.start()
        started = time.monotonic()
        with ThreadPoolExecutor(given.statements) as pool:
            list(pool.map(lambda number: heavy(server, seen, number, started + given.seconds), range(given.statements)))
        took = time.monotonic() - started
        stop.set()
        for thread in beside:
            thread.join(60)
        pool = ThreadPoolExecutor(given.statements)
        for number in range(given.statements):
            pool.submit(ask, server, (GROUPED, HEAVY[0], HEAVY[3])[number % 3])
        time.sleep(3)
        peak, stopping = peak_mib(server), time.monotonic()
        server.stop()
        stopped = time.monotonic() - stopping
        pool.shutdown(wait=True, cancel_futures=True)
        return judge(given, seen, took, peak, stopped)


def judge(given: argparse.Namespace, seen: Seen, took: float, peak: float, stopped: float) -> int:
    """Prints what was seen; returns 1 where a promise is broken."""
    facts = {
        "seconds": round(took, 1), "appends": len(seen.append_seconds), "append_p99_s": round(p99(seen.append_seconds), 3),
        "windows": len(seen.window_seconds), "window_p99_s": round(p99(seen.window_seconds), 3), "heavy": seen.heavy,
        "failures": seen.failures[:5], "peak_mib": round(peak), "stop_s": round(stopped, 1),
    }  # fmt: skip
    print(json.dumps(facts, indent=2))
    broken = [
        what
        for what, is_broken in {
            "an append or a window question failed": bool(seen.failures),
            "appends are slow": p99(seen.append_seconds) >= APPEND_P99_MAX,
            "window questions are slow": p99(seen.window_seconds) >= WINDOW_P99_MAX,
            "a heavy statement failed": any(what not in ("200", "429") for what in seen.heavy),
            "no heavy statement was answered": seen.heavy.get("200", 0) == 0,
            "memory beyond the limit": peak > int(given.memory.removesuffix("MiB")) + BESIDE_MIB,
            "the stop is slow": stopped >= STOP_MAX,
        }.items()
        if is_broken
    ]
    print("broken:", broken or "nothing")
    return os.EX_OK if not broken else 1


if __name__ == "__main__":
    sys.exit(main())
