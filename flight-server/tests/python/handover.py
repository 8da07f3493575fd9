"""Handover test: while rows move from memory to files all the time, many readers check every answer against a ledger.

`python handover.py --queries 100000` runs the long form; `test_handover.py` runs the short one. One producer sends batches of
constant size and sum, each with a device of its own, so an answer must be (n * rows, n * sum, n) for one n between the
batches acknowledged before the query and those sent when it ended. Every epoch uses a fresh directory, which bounds the files.
"""

from __future__ import annotations

import argparse
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.flight as flight

from flight_client import HOUR_MICROS, START_MICROS, TIMESTAMP, connect, read_ack, rows
from hexserver import Server

THREADS = 8
BATCH_ROWS = 40
BATCH_SUM = float(sum(range(BATCH_ROWS)))
FLAGS = ("--flush-interval", "50ms", "--generation-rows", "400", "--log", "warn")
ASK = "SELECT count(*) AS n, sum(value) AS s, count(DISTINCT device_id) AS d FROM events"


@dataclass(frozen=True)
class Options:
    """Settings of one run."""

    queries: int = 2_000
    epoch_queries: int = 100
    # Time between two batches: about two per flush, so that every flush has something to hand over.
    pause: float = 0.02


@dataclass
class Report:
    """What a run did."""

    queries: int = 0
    batches: int = 0
    commits: int = 0
    epochs: int = 0

    def __str__(self) -> str:
        return (
            f"{self.queries} queries from {THREADS} threads over {self.batches} batches and {self.commits} flush commits "
            f"in {self.epochs} epochs: none off by one"
        )


class Counts:
    """The ledger: how many batches were sent and how many were acknowledged. Each has one writer."""

    def __init__(self) -> None:
        self.sent = 0
        self.acked = 0


class Epoch:
    """One server, one producer and the readers, on a fresh directory."""

    def __init__(self, folder: Path, queries: int, pause: float) -> None:
        self._server = Server(folder / "data", *FLAGS)
        self._queries = queries
        self._pause = pause
        self._counts = Counts()
        self._stop = threading.Event()

    def run(self) -> tuple[int, int]:
        """Asks all queries; returns the batches and the flush commits that happened meanwhile."""
        with self._server, ThreadPoolExecutor(THREADS + 1) as pool:
            producer = pool.submit(self._produce)
            readers = [pool.submit(self._read, share) for share in shares(self._queries, THREADS)]
            try:
                for reader in readers:
                    reader.result()
            finally:
                self._stop.set()
            producer.result()
            return self._counts.acked, self._commits()

    def _produce(self) -> None:
        with connect(self._server.flight_url) as client:
            writer, reader = client.do_put(flight.FlightDescriptor.for_path("events"), batch(0).schema)
            with writer:
                while not self._stop.is_set():
                    self._counts.sent += 1
                    writer.write_batch(batch(self._counts.sent))
                    ack = read_ack(reader)
                    assert ack is not None and ack["rows"] == BATCH_ROWS, ack
                    self._counts.acked += 1
                    self._stop.wait(self._pause)

    def _read(self, queries: int) -> None:
        with connect(self._server.flight_url) as client:
            for _ in range(queries):
                self._ask(client)
                if self._stop.is_set():
                    return

    def _ask(self, client: flight.FlightClient) -> None:
        acked_before = self._counts.acked
        answer = rows(client, ASK)[0]
        sent_after = self._counts.sent
        check(acked_before, sent_after, (answer["n"], answer["s"] or 0.0, answer["d"]))

    def _commits(self) -> int:
        log = self._server.table_dir / "_delta_log"
        return sum('"add"' in path.read_text() for path in log.glob("*.json"))


def check(acked_before: int, sent_after: int, answer: tuple[int, float, int]) -> None:
    """Checks that an answer is the cut after one n of the possible batches."""
    batches = answer[2]
    asked = f"answer {answer}, {acked_before} batches acked before, {sent_after} sent after"
    assert answer == (batches * BATCH_ROWS, batches * BATCH_SUM, batches), (
        f"not a whole number of batches: {asked}"
    )
    assert acked_before <= batches <= sent_after, f"not a possible number of batches: {asked}"


def batch(number: int) -> pa.RecordBatch:
    """Returns batch `number`: a device of its own, values 0, 1, 2 …, spread over two hours."""
    start = START_MICROS + (number % 7) * HOUR_MICROS // 3
    return pa.RecordBatch.from_pydict({
        "timestamp": pa.array([start + row * 1_000_000 for row in range(BATCH_ROWS)], TIMESTAMP),
        "device_id": pa.array([f"batch-{number}"] * BATCH_ROWS, pa.string()),
        "type": pa.array(["temperature", "humidity"] * (BATCH_ROWS // 2), pa.string()),
        "value": pa.array([float(row) for row in range(BATCH_ROWS)], pa.float64()),
    })  # fmt: skip


def shares(total: int, parts: int) -> list[int]:
    """Splits a number into nearly equal parts."""
    return [total // parts + (part < total % parts) for part in range(parts)]


def run(folder: Path, options: Options, say: Callable[[str], None] = print) -> Report:
    """Runs epochs until all queries were asked."""
    report = Report()
    while report.queries < options.queries:
        queries = min(options.epoch_queries, options.queries - report.queries)
        place = folder / f"epoch-{report.epochs}"
        place.mkdir()
        batches, commits = Epoch(place, queries, options.pause).run()
        report.queries += queries
        report.batches += batches
        report.commits += commits
        report.epochs += 1
        say(f"  {report}")
    return report


def main() -> None:
    """Runs the long form."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--queries", type=int, default=100_000)
    arguments.add_argument("--epoch-queries", type=int, default=500)
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory(prefix="hexflight-handover-") as folder:
        started = time.monotonic()
        report = run(Path(folder), Options(given.queries, given.epoch_queries))
        print(f"{report} ({time.monotonic() - started:.0f} s)")


if __name__ == "__main__":
    main()
