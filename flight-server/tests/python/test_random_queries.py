"""Random queries over rows that lie in files, in memory recovered from the WAL, and in memory: every answer is DuckDB's.

`HEXFLIGHT_RANDOM_QUERIES` and `HEXFLIGHT_SEED` change how many there are and which. A mismatch prints the query, its texts for
both engines and what differs. Without a number of their own, the queries end early on a machine that is too busy for all.
"""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pyarrow as pa
import pyarrow.flight as flight
import pytest

import flight_client
import random_events
from hexserver import Server, wait_until
from random_check import Mismatch, Oracle, check_groups
from random_dialects import DUCKDB, HEXFLIGHT
from random_events import Events
from random_queries import Aggregate, AnyQuery, Generator, Key, Query, Top

SEED = int(os.environ.get("HEXFLIGHT_SEED", "1"))
QUERIES = int(os.environ.get("HEXFLIGHT_RANDOM_QUERIES", "2000"))
SECONDS_MAX = math.inf if "HEXFLIGHT_RANDOM_QUERIES" in os.environ else 40.0
# Fewer than this prove too little.
QUERIES_MIN = min(QUERIES, 200)
# One waits for the server while the other one's answer is checked.
THREADS = 2
FAILURES_MAX = 10
FLUSH_SECONDS = 30.0
# A query that takes longer counts as one without an end.
CALL = flight.FlightCallOptions(timeout=120.0)
FLUSHING, KEEPING = ("--flush-interval", "100ms", "--log", "warn"), ("--flush-interval", "1h", "--log", "warn")
# Batches that are flushed in groups of so many, then those that are recovered from the WAL; the rest stays in memory.
FLUSHED, FLUSHED_AT_ONCE, RECOVERED = 12, 4, 4


@pytest.fixture(scope="module")
def events() -> Events:
    return random_events.make(SEED)


@pytest.fixture(scope="module")
def oracle(events: Events) -> Oracle:
    return Oracle.of(events)


@pytest.fixture(scope="module")
def layered(events: Events, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that holds the events in files of several flushes, recovered from the WAL after a kill, and in memory."""
    batches = events.batches()
    server = Server(tmp_path_factory.mktemp("random") / "data", *FLUSHING)
    try:
        server.start()
        for first in range(0, FLUSHED, FLUSHED_AT_ONCE):
            put(server, batches[first : first + FLUSHED_AT_ONCE])
            sent = sum(batch.num_rows for batch in batches[: first + FLUSHED_AT_ONCE])
            wait_until(lambda: rows_in_files(server) == sent, FLUSH_SECONDS, "flush")
        server.stop()
        server.flags = KEEPING
        server.start()
        put(server, batches[FLUSHED : FLUSHED + RECOVERED])
        server.kill()
        server.start()
        put(server, batches[FLUSHED + RECOVERED :])
        yield server
    finally:
        server.stop()


def put(server: Server, batches: list[pa.RecordBatch]) -> None:
    with flight_client.connect(server.flight_url) as client:
        flight_client.put(client, *batches)


def rows_in_files(server: Server) -> int:
    """Rows of all files that the Delta log names."""
    lines = [line for path in (server.table_dir / "_delta_log").glob("*.json") for line in path.read_text().splitlines()]
    adds = [action["add"] for line in lines if "add" in (action := json.loads(line))]
    return sum(json.loads(add["stats"])["numRecords"] for add in adds)


def test_every_answer_is_duckdbs(layered: Server, events: Events, oracle: Oracle) -> None:
    generator = Generator(SEED, events)
    in_files = rows_in_files(layered)
    assert 0 < in_files < len(events.rows), f"{in_files} of {len(events.rows)} rows are in files"

    with ThreadPoolExecutor(THREADS) as pool:
        shares = [range(first, QUERIES, THREADS) for first in range(THREADS)]
        answered = [pool.submit(ask_all, layered.flight_url, generator, oracle.another(), share) for share in shares]
        asked = sum(one.result()[0] for one in answered)
        failures = [failure for one in answered for failure in one.result()[1]]

    print(f"{asked} queries of seed {SEED}, {in_files} of {len(events.rows)} rows in files")
    assert not failures, "\n\n".join(failures)
    assert asked >= QUERIES_MIN, f"{asked} queries in {SECONDS_MAX} s"


def ask_all(url: str, generator: Generator, oracle: Oracle, numbers: range) -> tuple[int, list[str]]:
    """Asks the queries of these numbers while there is time; returns how many, and what was wrong."""
    failures: list[str] = []
    asked, end = 0, time.monotonic() + SECONDS_MAX
    with flight_client.connect(url) as client:
        for number in numbers:
            if len(failures) == FAILURES_MAX or time.monotonic() > end:
                break
            asked += 1
            query = generator.query(number)
            try:
                # A ticket may be the text itself: one planning less than by GetFlightInfo.
                answer = client.do_get(flight.Ticket(query.sql(HEXFLIGHT).encode()), CALL).read_all()
                oracle.check(query, answer)
            except (Mismatch, pa.ArrowException) as error:
                failures.append(describe(number, query, oracle, error))
    return asked, failures


def describe(number: int, query: AnyQuery, oracle: Oracle, error: Exception) -> str:
    """Returns everything that is needed to see a failure again."""
    return f"seed {SEED}, query {number}: {error}\n  {query.sql(HEXFLIGHT)}\n  {oracle.sql(query)}\n  {query}"


# Proof that the comparison bites.

BY_TYPE = Query(keys=(Key("type"),), aggregates=(Aggregate("count(*)"), Aggregate("sum(value)", of_sum=1)))
# Key, count, sum; then the weights.
WHOLE = [("a", 2, 3.0, 5.0, 2), ("b", 1, 1.0, 1.0, 1), ("c", 1, 2.0, 2.0, 1)]
FOUND = [("a", 2, 3.0), ("b", 1, 1.0), ("c", 1, 2.0)]


def test_check_accepts_any_order_and_rounded_sums() -> None:
    check_groups(BY_TYPE, WHOLE, [("c", 1, 2.0), ("a", 2, 3.0 + 4e-9), ("b", 1, 1.0)])


@pytest.mark.parametrize(
    "wrong",
    [
        FOUND[:2],
        [*FOUND, ("d", 1, 1.0)],
        [*FOUND[:2], ("d", 1, 2.0)],
        [*FOUND[:2], FOUND[1]],
        [*FOUND[:2], (None, 1, 2.0)],
        [*FOUND[:2], ("c", 2, 2.0)],
        [*FOUND[:2], ("c", 1, 2.0 + 4e-9)],
        [*FOUND[:2], ("c", 1, None)],
    ],
    ids=["missing", "added", "another", "twice", "unknown", "count", "sum", "nothing"],
)
def test_check_finds_a_wrong_group(wrong: list[tuple[object, ...]]) -> None:
    with pytest.raises(Mismatch):
        check_groups(BY_TYPE, WHOLE, wrong)


TOP_2 = replace(BY_TYPE, top=Top(aggregate=0, descending=True, limit=2))


@pytest.mark.parametrize("tied", [1, 2])
def test_check_accepts_either_of_two_that_tie(tied: int) -> None:
    check_groups(TOP_2, WHOLE, [FOUND[0], FOUND[tied]])


@pytest.mark.parametrize("wrong", [[FOUND[1], FOUND[0]], [FOUND[1], FOUND[2]], FOUND, FOUND[:1]])
def test_check_finds_a_wrong_order(wrong: list[tuple[object, ...]]) -> None:
    with pytest.raises(Mismatch):
        check_groups(TOP_2, WHOLE, wrong)


def test_another_engine_needs_a_dialect_only(events: Events, oracle: Oracle) -> None:
    """DuckDB answers for the engine: what is generated is meant alike in both dialects' words."""
    generator = Generator(SEED + 1, events)
    for number in range(50):
        query = generator.query(number)
        if isinstance(query, Query):
            found = oracle.rows(query.sql(DUCKDB))
            check_groups(query, oracle.groups(query), found)
