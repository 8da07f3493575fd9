"""Statements that take all of the memory or the time they can get: they are refused, wait, spill or end, and others are answered meanwhile."""

from __future__ import annotations

import concurrent.futures
import json
import os
import subprocess
import time
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.flight as flight
import pytest
import requests

from bounds import SCALE, limit_mib
from conftest import ServerFactory
from flight_client import connect, event_count, events, put, query
from hexserver import Server, binary, busy_share, clean_environment, metric, peak_mib, wait_until

LIMIT_MIB = limit_mib(128)
QUERY_SECONDS = 4.0
# What a process may take beside its limit.
BESIDE_MIB = 256
# `SELECT 1` beside anything; 1 s in a release build on a quiet machine.
ANSWER_SECONDS = 5.0
# Until nothing is left of what has ended; 2 s in a release build on a quiet machine.
REST_SECONDS_MAX = 15.0

GROWING = [
    "SELECT repeat('x', 1000000000)",
    "SELECT length(repeat(device_id, 100000000)) FROM events",
    "SELECT cardinality(array_repeat(1, 1000000000))",
    "SELECT cardinality(range(1, 1000000000))",
    "SELECT length(lpad('x', 2000000000, 'y'))",
    "SELECT length(replace(repeat('a', 1000000), 'a', repeat('b', 1000000)))",
    "SELECT length(regexp_replace(repeat('a', 1000000), 'a', repeat('b', 1000000), 'g'))",
    "SELECT cardinality(string_to_array(repeat('a,', 400000000), ','))",
    "SELECT length(repeat('a', 30000000) || repeat('b', 30000000) || repeat('c', 30000000)) FROM events",
    "SELECT levenshtein(repeat('a', 300000), repeat('b', 300000))",
    "SELECT sum(length(l)) FROM (SELECT string_agg(repeat('x', 2000), '') OVER (ORDER BY value) AS l FROM events) q",
]
# Texts that all rows share are one value each until a function or a cast makes one of each row.
TEXT = "(SELECT arrow_cast(repeat('x', 60000), 'Utf8View') AS t) a"
SHARED = [
    f"SELECT min(length(concat(arrow_cast(t, 'Utf8'), arrow_cast(t, 'LargeUtf8')))) FROM {TEXT}, generate_series(1, 8192) b(v) WHERE v > 0",
    f"SELECT max(length(reverse(t))), max(length(upper(t))), max(length(lower(t))) FROM {TEXT} CROSS JOIN generate_series(1, 8192) b",
    f"SELECT count(*) FROM {TEXT} JOIN generate_series(1, 8192) b(v) ON length(arrow_cast(t, 'Utf8')) > v",
    f"SELECT max(length(w)) FROM (SELECT max(t || v::text) OVER () AS w FROM {TEXT}, generate_series(1, 8192) b(v)) q",
]
ENDLESS = [
    "SELECT count(*) FROM events a, events b, events c WHERE a.value * b.value * c.value = 7.125",
    "SELECT sum(levenshtein(repeat('a', 2000), repeat(b.device_id, 200))) FROM events a, events b",
    "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r) SELECT count(*) FROM r",
    "SELECT a.value FROM events a, events b, events c ORDER BY a.value + b.value + c.value",
]
# One turn of these is long by itself: a sort, a hash table, a list, a text, a frame. Asked in the full form alone.
LONG_TURNS = [
    "SELECT max(n) FROM (SELECT row_number() OVER (ORDER BY a.value * b.value) AS n FROM events a, events b) q",
    "SELECT count(DISTINCT md5((a.value * b.value)::text || c.device_id)) FROM events a, events b, events c",
    "SELECT median(a.value + b.value * c.value) FROM events a, events b, events c",
    "SELECT count(*) FROM events a JOIN (SELECT b.value * c.value AS v FROM events b, events c) d ON a.value = d.v",
    "SELECT sum(v) FROM (SELECT unnest(range(1, 400)) AS v FROM events a, events b, events c) q",
    "SELECT count(*) FROM events a, events b WHERE repeat(a.device_id || b.device_id, 200) LIKE '%x%y%z%d_v%q'",
    "SELECT count(*) FROM events a, events b WHERE regexp_like(repeat(a.device_id || b.device_id, 200), '(d|e|v)*(i|c|e)*x$')",
    "SELECT max(s) FROM (SELECT sum(a.value) OVER (ORDER BY a.value ROWS BETWEEN 100000 PRECEDING AND 100000 FOLLOWING) AS s FROM events a, events b) q",
    "SELECT count(*) FROM (SELECT a.type, array_agg(a.value ORDER BY b.value) FROM events a, events b GROUP BY 1) q",
    "SELECT sum(cardinality(array_sort(array_repeat(a.value * b.value, 400)))) FROM events a, events b",
    "SELECT max(cardinality(a.l)) FROM (SELECT array_repeat(value, 1000) AS l, type FROM events LIMIT 3000) a JOIN events b ON a.type = b.type",
]
HEAVY = "SELECT count(*) FROM (SELECT v % 300000 AS k, sum(v) AS s FROM generate_series(1, 600000) t(v) GROUP BY 1) q"
WINDOW = "SELECT avg(value) FROM events WHERE type = 'temperature' AND timestamp >= '2025-06-01T12:00:00Z'"


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with little memory whose queries end soon."""
    flags = ("--memory-limit", f"{LIMIT_MIB}MiB", "--query-timeout", f"{int(QUERY_SECONDS)}s", "--max-queries", "4")
    with Server(tmp_path_factory.mktemp("bounded") / "data", *flags) as server:
        with connect(server.flight_url) as client:
            put(client, *(events(5_000, f"device-{number}") for number in range(4)))
        yield server


def ask(server: Server, sql: str, **members: Any) -> requests.Response:
    """Sends a statement over HTTP."""
    return requests.post(f"{server.http_url}/api/v1/sql", json={"sql": sql, **members}, timeout=120)


def answer_seconds(server: Server, sql: str = "SELECT 1") -> float:
    """Returns how long a question takes on a connection of its own."""
    started = time.monotonic()
    with connect(server.flight_url) as client:
        query(client, sql)
    return time.monotonic() - started


def test_what_grows_without_bound_is_refused(small: Server) -> None:
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda sql: ask(small, sql), GROWING))
    for sql, answer in zip(GROWING, answers, strict=True):
        assert answer.status_code in (400, 429, 504), (sql, answer.text[:200])
    assert answer_seconds(small) < ANSWER_SECONDS
    print(f"peak {peak_mib(small):.0f} MiB of {LIMIT_MIB}")
    assert peak_mib(small) < LIMIT_MIB + BESIDE_MIB


def test_texts_that_rows_share_are_made_a_few_at_a_time(small: Server) -> None:
    for sql in SHARED:
        answer = ask(small, sql)
        assert answer.status_code in (200, 400, 429, 504), (sql, answer.text[:200])
        print(f"{answer.status_code}, peak {peak_mib(small):.0f} MiB of {LIMIT_MIB}: {sql}")
        assert peak_mib(small) < LIMIT_MIB + BESIDE_MIB, sql


def rest_seconds(server: Server, reserved: float) -> tuple[float, float]:
    """Returns how long it takes until nothing is computed any more, and until the memory that was reserved is back."""
    started, idle, back = time.monotonic(), None, None
    while idle is None or back is None:
        looked = time.monotonic() - started
        assert looked < REST_SECONDS_MAX, f"after {looked:.1f} s: idle {idle}, memory back {back}"
        if back is None and metric(server, "hexflight_memory_used_bytes") <= reserved + (8 << 20):
            back = looked
        if busy_share(server, 0.2) < 0.2 and idle is None:
            idle = looked
    return idle, back


@pytest.mark.parametrize("ended_by", ["timeout", "cancel"])
@pytest.mark.parametrize("sql", [None, *LONG_TURNS] if SCALE > 1 else [None])
def test_what_never_ends_is_ended_and_others_are_answered(small: Server, sql: str | None, ended_by: str) -> None:
    statements = [sql] * 4 if sql else ENDLESS
    wait_until(lambda: busy_share(small, 0.5) < 0.2, 15, "an idle server")
    reserved = metric(small, "hexflight_memory_used_bytes")
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        asked = [pool.submit(ask, small, statement) for statement in statements]
        waits: list[float] = []
        started = time.monotonic()
        while not all(future.done() for future in asked):
            waits += [answer_seconds(small), answer_seconds(small, WINDOW)]
            time.sleep(0.1)
            if ended_by == "cancel" and time.monotonic() - started > QUERY_SECONDS / 2:
                for query_id in running_ids(small):
                    requests.delete(f"{small.http_url}/api/v1/queries/{query_id}", timeout=10)
        answers = [future.result() for future in asked]
    idle, back = rest_seconds(small, reserved)
    print(f"{ended_by}: others within {max(waits):.2f} s, idle after {idle:.1f} s, memory back after {back:.1f} s, peak {peak_mib(small):.0f} MiB: {sql}")
    ended = 503 if ended_by == "cancel" else 504
    for statement, answer in zip(statements, answers, strict=True):
        assert answer.status_code in (429, ended), (statement, answer.text[:300])
    assert max(waits) < ANSWER_SECONDS, waits
    assert busy_share(small, 1.0) < 0.2
    wait_until(lambda: metric(small, "hexflight_query_running") == 0, 5, "the end of all queries")
    assert peak_mib(small) < LIMIT_MIB + BESIDE_MIB


def running_ids(server: Server) -> list[int]:
    """Returns the ids of all queries but those that ask for them."""
    with connect(server.flight_url) as client:
        rows = query(client, "SELECT query_id FROM system.queries WHERE state IN ('running', 'queued') AND sql NOT LIKE '%system.queries%'")
    return rows.column(0).to_pylist()


def test_a_time_limit_holds_while_nobody_reads(small: Server) -> None:
    sql = "SELECT a.value, repeat('x', 1000) AS x FROM events a, events b"
    with connect(small.flight_url) as client:
        reader = client.do_get(flight.Ticket(sql.encode()))
        reader.read_chunk()
        started = time.monotonic()
        wait_until(lambda: metric(small, "hexflight_memory_process_bytes") > 0, 5, "a figure of the process")
        ended = "SELECT error FROM system.queries WHERE sql LIKE '%AS x FROM events a, events b' AND state = 'failed'"

        def error() -> str:
            with connect(small.flight_url) as other:
                rows = query(other, ended).column(0).to_pylist()
            return rows[-1] if rows else ""

        reason = ""
        with pytest.raises(flight.FlightTimedOutError, match="query_timeout"):
            while time.monotonic() - started < QUERY_SECONDS + 1.5:
                time.sleep(0.1)
            while True:
                reader.read_chunk()
        reason = wait_until(error, 5, "the end of the query in the log")
    assert "query_timeout" in reason


def test_many_heavy_questions_wait_for_their_turn(make_server: ServerFactory) -> None:
    server = make_server("--memory-limit", f"{LIMIT_MIB}MiB", "--max-queries", "2").start()
    with connect(server.flight_url) as client:
        put(client, events(5_000))
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            asked = [pool.submit(ask, server, HEAVY) for _ in range(16)]
            wait_until(lambda: metric(server, "hexflight_query_queued") > 3, 20, "a queue")
            states = query(client, "SELECT state FROM system.queries").column(0).to_pylist()
            assert "queued" in states
            waits: list[float] = []
            appends = 0
            while not all(future.done() for future in asked):
                waits.append(answer_seconds(server, WINDOW))
                put(client, events(10, f"late-{appends}"))
                appends += 1
            answers = [future.result() for future in asked]
        assert event_count(client) == 5_000 + 10 * appends
    for answer in answers:
        if answer.status_code == 429:
            assert int(answer.headers["Retry-After"]) > 0
        else:
            assert answer.status_code == 200, answer.text[:300]
            assert answer.json()["data"] == [{"count(*)": 300000}]
    assert sum(answer.status_code == 200 for answer in answers) >= 8
    assert max(waits) < ANSWER_SECONDS, waits
    assert peak_mib(server) < LIMIT_MIB + BESIDE_MIB


def running_id(server: Server, like: str) -> int:
    """Returns the id of a statement that runs."""
    sql = f"SELECT query_id FROM system.queries WHERE state = 'running' AND sql LIKE '{like}'"

    def found() -> list[int]:
        with connect(server.flight_url) as client:
            return query(client, sql).column(0).to_pylist()

    return wait_until(found, 10, "the statement in system.queries")[0]


def killed_by_http(server: Server, query_id: int) -> None:
    """Ends it over HTTP; a second time there is nothing to end."""
    url = f"{server.http_url}/api/v1/queries/{query_id}"
    assert requests.delete(url, timeout=10).json() == {"cancelled": query_id}
    wait_until(lambda: requests.delete(url, timeout=10).status_code == 404, 10, "its end")
    wrong = requests.delete(f"{server.http_url}/api/v1/queries/x", timeout=10)
    assert wrong.status_code == 400 and "id = 'x'" in wrong.json()["detail"]


def killed_by_flight(server: Server, query_id: int) -> None:
    """Ends it by an action."""
    with connect(server.flight_url) as client:
        body = json.dumps({"query_id": query_id}).encode()
        answer = next(iter(client.do_action(flight.Action("hexflight.CancelQuery", body))))
        assert json.loads(answer.body.to_pybytes()) == {"cancelled": True}
        with pytest.raises(pa.ArrowInvalid, match="query_id"):
            list(client.do_action(flight.Action("hexflight.CancelQuery", b"{}")))


def killed_by_shell(server: Server, query_id: int) -> None:
    """Ends it as a person would."""
    target = server.flight_url.replace("grpc://", "http://")
    command = [str(binary()), "sql", "--target", target, f"\\kill {query_id}"]
    done = subprocess.run(command, capture_output=True, text=True, env=clean_environment(), timeout=60)
    assert done.returncode == os.EX_OK, done.stderr
    assert f"query {query_id} is ended" in done.stderr


@pytest.mark.parametrize("kill", [killed_by_http, killed_by_flight, killed_by_shell])
def test_a_query_is_ended_by_its_id(make_server: ServerFactory, kill: Any) -> None:
    server = make_server("--memory-limit", f"{LIMIT_MIB}MiB").start()
    with connect(server.flight_url) as client:
        put(client, events(5_000))
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        asked = pool.submit(ask, server, ENDLESS[0])
        kill(server, running_id(server, "SELECT count(*) FROM events a, events b, events c%"))
        answer = asked.result(20)
    assert answer.status_code == 503, answer.text
    assert answer.json()["code"] == "cancelled"


def test_an_answer_names_its_query(small: Server) -> None:
    answer = ask(small, "SELECT 1 AS one")
    query_id = int(answer.headers["X-Query-Id"])
    with connect(small.flight_url) as client:
        row = query(client, f"SELECT sql, state FROM system.queries WHERE query_id = {query_id}").to_pylist()
    assert row == [{"sql": "SELECT 1 AS one", "state": "finished"}]
