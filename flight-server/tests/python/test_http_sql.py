"""SQL over HTTP: every format read back by a real reader, parameters, limits, what breaks off, and what is refused."""

from __future__ import annotations

import csv
import io
import json
import math
import re
import socket
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import h3
import pyarrow as pa
import pyarrow.ipc as ipc
import pyarrow.parquet as parquet
import pytest
import requests

import hexserver
from flight_client import START_SECONDS, connect, events, put, query
from hexserver import Server

ROWS = 20_000
ALL = "SELECT timestamp, device_id, value, latitude, h3, metadata FROM events ORDER BY value, device_id"
# Billions of rows: runs until it is stopped.
ENDLESS = "SELECT a.value, b.device_id FROM events a CROSS JOIN events b CROSS JOIN events c"
SLOW_START = f"SELECT sum(value) FROM ({ENDLESS})"

FORMATS = {
    "json": "application/json",
    "ndjson": "application/x-ndjson",
    "csv": "text/csv",
    "arrow": "application/vnd.apache.arrow.stream",
    "parquet": "application/vnd.apache.parquet",
}


@pytest.fixture(scope="module", autouse=True)
def sent(server: Server) -> None:
    """Sends rows with text that needs quoting, and some without position and metadata."""
    nowhere = pa.array([None] * 10, pa.float64())
    quoted = events(10, 'odd "device",\nwith é', latitude=nowhere, longitude=nowhere,
                    metadata=pa.array([None] * 10, pa.string()))  # fmt: skip
    with connect(server.flight_url) as client:
        put(client, events(ROWS), quoted)


def ask(server: Server, sql: Any, accept: str | None = None, **members: Any) -> requests.Response:
    """Sends one statement."""
    headers = {} if accept is None else {"Accept": accept}
    body = {"sql": sql, **members}
    return requests.post(f"{server.http_url}/api/v1/sql", json=body, headers=headers, timeout=60)


def rows_of(server: Server, sql: str, *params: Any) -> list[dict[str, Any]]:
    """Returns the rows of a statement that must succeed."""
    response = ask(server, sql, params=list(params))
    assert response.status_code == 200, response.text
    return response.json()["data"]


def problem(response: requests.Response, status: int, code: str) -> dict[str, Any]:
    """Returns the problem that a response must be."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    found = response.json()
    assert (found["status"], found["code"]) == (status, code), found
    assert found["request_id"] == response.headers["x-request-id"]
    return found


def test_arrow_and_parquet_equal_flight(server: Server) -> None:
    with connect(server.flight_url) as client:
        expected = query(client, ALL)

    stream = ipc.open_stream(ask(server, ALL, FORMATS["arrow"]).content).read_all()
    file = parquet.read_table(io.BytesIO(ask(server, ALL, FORMATS["parquet"]).content))

    assert expected.num_rows == ROWS + 10
    assert stream.equals(expected)
    assert file.equals(expected)


def as_text(row: dict[str, Any]) -> dict[str, Any]:
    """Returns a row of Flight's answer as JSON has it."""
    cell = None if row["h3"] is None else h3.int_to_str(row["h3"])
    return row | {"timestamp": row["timestamp"].strftime("%Y-%m-%dT%H:%M:%SZ"), "h3": cell}


def test_json_and_ndjson_equal_flight(server: Server) -> None:
    with connect(server.flight_url) as client:
        expected = [as_text(row) for row in query(client, ALL).to_pylist()]

    document = ask(server, ALL).json()
    lines = ask(server, ALL, FORMATS["ndjson"]).text.split("\n")

    assert list(document) == ["columns", "data", "row_count", "truncated"]
    assert document["columns"][0] == {"name": "timestamp", "type": 'Timestamp(µs, "UTC")'}
    assert document["columns"][4] == {"name": "h3", "type": "H3"}
    assert (document["row_count"], document["truncated"]) == (ROWS + 10, False)
    assert document["data"] == expected
    assert lines.pop() == ""
    assert [json.loads(line) for line in lines] == expected


def test_csv_equals_flight(server: Server) -> None:
    with connect(server.flight_url) as client:
        expected = [as_text(row) for row in query(client, ALL).to_pylist()]

    response = ask(server, ALL, FORMATS["csv"])
    found = list(csv.DictReader(io.StringIO(response.content.decode(), newline="")))

    assert response.headers["content-type"].startswith("text/csv")
    texts = [{name: "" if value is None else str(value) for name, value in row.items()} for row in expected]
    assert found == texts


@pytest.mark.parametrize(("name", "media_type"), FORMATS.items())
def test_format_in_the_body_overrides_accept(server: Server, name: str, media_type: str) -> None:
    response = ask(server, "SELECT 1 AS one", "image/png", format=name)

    assert response.status_code == 200
    assert response.headers["content-type"].split(";")[0] == media_type


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        ("*/*", "application/json"),
        ("text/*;q=0.5, application/json;q=0.1", "text/csv"),
        ("application/json;q=0, application/*", "application/x-ndjson"),
        ("text/html, application/vnd.apache.parquet;q=0.2", "application/vnd.apache.parquet"),
    ],
)
def test_accept_is_weighed(server: Server, accept: str, media_type: str) -> None:
    assert ask(server, "SELECT 1 AS one", accept).headers["content-type"].split(";")[0] == media_type


def test_what_no_format_satisfies_is_not_acceptable(server: Server) -> None:
    found = problem(ask(server, "SELECT 1", "text/html"), 406, "not_acceptable")

    assert "text/html" in found["detail"] and "text/csv" in found["detail"]


@pytest.mark.parametrize("name", FORMATS)
def test_an_empty_result_keeps_its_columns(server: Server, name: str) -> None:
    body = ask(server, "SELECT value, device_id FROM events WHERE false", format=name).content

    read: dict[str, Callable[[], Any]] = {
        "json": lambda: [column["name"] for column in json.loads(body)["columns"]],
        "ndjson": lambda: ["value", "device_id"] if body == b"" else None,
        "csv": lambda: body.decode().strip().split(","),
        "arrow": lambda: ipc.open_stream(body).read_all().column_names,
        "parquet": lambda: parquet.read_table(io.BytesIO(body)).column_names,
    }
    assert read[name]() == ["value", "device_id"]


def test_json_has_null_for_what_is_no_number_and_csv_its_name(server: Server) -> None:
    sql = "SELECT CAST('NaN' AS DOUBLE) AS nan, CAST('-inf' AS DOUBLE) AS inf, 9223372036854775807 AS large"

    assert ask(server, sql).json()["data"] == [{"nan": None, "inf": None, "large": 2**63 - 1}]
    [row] = csv.DictReader(io.StringIO(ask(server, sql, "text/csv").text))
    assert math.isnan(float(row["nan"])) and float(row["inf"]) == -math.inf


def test_a_repeated_name_is_numbered_in_every_format(server: Server) -> None:
    sql = "SELECT a.value, b.value FROM events a JOIN events b ON a.value + 1 = b.value WHERE a.value = 7 LIMIT 1"

    assert rows_of(server, sql) == [{"value": 7.0, "value_2": 8.0}]
    assert ipc.open_stream(ask(server, sql, format="arrow").content).read_all().column_names == ["value", "value_2"]


def test_parameters_take_the_types_that_the_statement_wants(server: Server) -> None:
    sql = "SELECT count(*) AS n FROM events WHERE timestamp >= $1 AND timestamp < $2 AND device_id = $3 AND value >= $4"

    for start, end in [
        (START_SECONDS + 10, START_SECONDS + 20.5),
        ("2025-06-01T12:00:10Z", "2025-06-01T14:00:20.500+02:00"),
    ]:
        assert rows_of(server, sql, start, end, "device-1", 0) == [{"n": 11}]
    assert rows_of(server, "SELECT value FROM events WHERE device_id = ? ORDER BY value LIMIT ?", "device-1", 1) == [
        {"value": 0.0}
    ]
    untyped = rows_of(server, "SELECT ? AS a, ? AS b, ? AS c, ? AS d, ? AS e", "x'y", 2**53 + 1, 0.5, True, None)
    assert untyped == [{"a": "x'y", "b": 2**53 + 1, "c": 0.5, "d": True, "e": None}]


def test_a_number_without_a_type_keeps_every_digit(server: Server) -> None:
    sql = "SELECT CAST('1234567890.12345678901' AS DECIMAL(30, 11)) = x AS same FROM (SELECT $1 AS x)"
    body = b'{"sql": "%s", "params": [%s]}'

    for digits, same in [(b"1234567890.12345678901", True), (b"1234567890.12345678902", False)]:
        assert post(server, body % (sql.encode(), digits)).json()["data"] == [{"same": same}]
    many = b"0." + b"1" * 80
    detail = problem(post(server, body % (b"SELECT $1", many)), 400, "invalid_parameter")["detail"]
    assert "params[0] = 0.111" in detail and "CAST($1 AS DOUBLE)" in detail


def test_keys_of_json_may_be_parameters(server: Server) -> None:
    sql = "SELECT x->>$1 AS a, x->$2->>$3 AS b, x ? $4 AS c FROM (SELECT '{\"k\": 1, \"l\": [2, 3]}' AS x)"

    assert rows_of(server, sql, "k", "l", -1, "m") == [{"a": "1", "b": "3", "c": False}]


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ([], "0 values"),
        ([1, 2], "2 values"),
        (["yesterday"], "params[0]"),
        ([START_SECONDS * 1_000], "looks like milliseconds"),
        ([[1]], "params[0]"),
        ([{"a": 1}], "params[0]"),
        ([True], "params[0]"),
        ({"$1": 1}, "array"),
        ("x", "array"),
    ],
)
def test_bad_parameters_are_named(server: Server, params: Any, said: str) -> None:
    sql = "SELECT count(*) FROM events WHERE timestamp >= ?"

    assert said in problem(ask(server, sql, params=params), 400, "invalid_parameter")["detail"]


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM events",
        "INSERT INTO events VALUES (1)",
        "DROP TABLE events",
        "CREATE TABLE x AS SELECT 1",
        "SELECT * INTO x FROM events",
        "COPY events TO 'x.csv'",
        "SET datafusion.execution.batch_size = 1",
        "SELECT 1; SELECT 2",
        "SELEC 1",
        "SELECT nothing FROM events",
        "SELECT * FROM nowhere",
        "SELECT 1/0",
        "SELECT CAST('x' AS INT)",
        ";",
        "(" * 1_000 + "1" + ")" * 1_000,
    ],
)
def test_statements_that_cannot_run_are_refused_before_the_status(server: Server, sql: str) -> None:
    assert problem(ask(server, sql), 400, "invalid_sql")["detail"]


@pytest.mark.parametrize(
    ("members", "parameter"),
    [
        ({"sql": 5}, "sql"),
        ({"sql": ""}, "sql"),
        ({"sql": None}, "sql"),
        ({"format": "xlsx"}, "format"),
        ({"format": 1}, "format"),
        ({"timeout_ms": 0}, "timeout_ms"),
        ({"timeout_ms": -5}, "timeout_ms"),
        ({"timeout_ms": 1.5}, "timeout_ms"),
        ({"timeout_ms": "5s"}, "timeout_ms"),
        ({"max_rows": 0}, "max_rows"),
        ({"max_rows": 2**63}, "max_rows"),
    ],
)
def test_bad_members_are_named(server: Server, members: dict[str, Any], parameter: str) -> None:
    found = problem(ask(server, **({"sql": "SELECT 1"} | members)), 400, "invalid_parameter")

    assert found["parameter"] == parameter and parameter in found["detail"]


def test_an_unknown_member_is_named_with_its_nearest(server: Server) -> None:
    found = problem(ask(server, "SELECT 1", timeout=5), 400, "unknown_parameter")

    assert found["parameter"] == "timeout" and found["hint"] == "did you mean `timeout_ms`?"


def post(server: Server, body: bytes, **headers: str) -> requests.Response:
    """Sends bytes as the body of a statement."""
    named = {"Content-Type": "application/json"} | {name.replace("_", "-"): value for name, value in headers.items()}
    return requests.post(f"{server.http_url}/api/v1/sql", data=body, headers=named, timeout=60)


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"SELECT 1"', b"\xff", b'{"sql": "a"} x', b"[" * 10_000])
def test_a_body_that_is_no_object_is_refused(server: Server, body: bytes) -> None:
    problem(post(server, body), 400, "invalid_json")


def test_a_member_given_twice_is_refused(server: Server) -> None:
    problem(post(server, b'{"sql": "SELECT 1", "sql": "SELECT 2"}'), 400, "invalid_parameter")


def test_another_content_type_is_unsupported(server: Server) -> None:
    for headers in ({"Content_Type": "text/plain"}, {"Content_Type": ""}, {"Content_Encoding": "br"}):
        problem(post(server, b'{"sql": "SELECT 1"}', **headers), 415, "unsupported_media_type")


def test_a_body_that_is_too_long_names_the_limit(make_server: Callable[..., Server]) -> None:
    server = make_server("--max-body", "64KiB").start()

    found = problem(post(server, b" " * (4 << 20)), 413, "body_too_large")

    assert found["limit_bytes"] == 64 << 10 and "65536" in found["detail"]


def test_max_rows_cuts_and_says_so(server: Server) -> None:
    sql = "SELECT value FROM events WHERE device_id = 'device-1' ORDER BY value"

    cut = ask(server, sql, max_rows=3).json()
    whole = ask(server, sql, max_rows=ROWS).json()

    assert [row["value"] for row in cut["data"]] == [0.0, 1.0, 2.0]
    assert (cut["row_count"], cut["truncated"]) == (3, True)
    assert (whole["row_count"], whole["truncated"]) == (ROWS, False)
    assert ask(server, sql, "text/csv", max_rows=3).text == "value\n0.0\n1.0\n2.0\n"


def test_a_query_that_takes_too_long_is_a_problem(server: Server) -> None:
    found = problem(ask(server, SLOW_START, timeout_ms=300), 408, "timeout")

    assert "300ms" in found["detail"] and "timeout_ms" in found["detail"]


def test_the_servers_time_limit_holds_for_every_query(make_server: Callable[..., Server]) -> None:
    server = make_server("--query-timeout", "300ms").start()
    with connect(server.flight_url) as client:
        put(client, events(20_000))

    found = problem(ask(server, SLOW_START, timeout_ms=60_000), 504, "timeout")

    assert "query_timeout" in found["detail"]


@pytest.mark.parametrize("name", ["json", "ndjson", "csv", "arrow"])
def test_a_result_that_fails_on_its_way_breaks_off(server: Server, name: str) -> None:
    """Time runs out after the first rows have left: no reader may take a part for the whole. (Parquet's footer is its end mark.)"""
    body = {"sql": ENDLESS, "format": name, "timeout_ms": 1_500}
    url = f"{server.http_url}/api/v1/sql"

    with pytest.raises((requests.exceptions.ChunkedEncodingError, requests.exceptions.ConnectionError)) as broken:
        with requests.post(url, json=body, headers={"X-Request-Id": f"broken-{name}"}, stream=True, timeout=60) as response:
            assert response.status_code == 200, response.text
            for _ in response.iter_content(1 << 20):
                pass

    assert "timed out" not in str(broken.value)
    hexserver.wait_until(lambda: f"broken-{name}" in server.log, 10, "the log says that it broke off")


def running(server: Server) -> float:
    """Returns how many queries run now."""
    _, text = hexserver.http_get(f"{server.http_url}/metrics")
    found = re.search(r"^hexflight_query_running (\S+)$", text, re.MULTILINE)
    return float(found[1]) if found else 0.0


@pytest.fixture
def idle(server: Server) -> Iterator[Server]:
    """A server on which no query runs, before and after."""
    hexserver.wait_until(lambda: running(server) == 0, 30, "no query runs")
    yield server
    hexserver.wait_until(lambda: running(server) == 0, 30, "the query that nobody waits for has stopped")


def test_a_client_that_leaves_amid_the_rows_stops_the_query(idle: Server) -> None:
    url = f"{idle.http_url}/api/v1/sql"

    with requests.post(url, json={"sql": ENDLESS}, stream=True, timeout=60) as response:
        # Held on to: an iterator that is dropped closes the connection.
        chunks = response.iter_content(1_000)
        assert next(chunks)
        assert running(idle) == 1


def test_a_client_that_leaves_before_the_answer_stops_the_query(idle: Server) -> None:
    body = json.dumps({"sql": SLOW_START}).encode()
    host = urlsplit(idle.http_url)
    head = f"POST /api/v1/sql HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    with socket.create_connection((host.hostname, host.port)) as connection:
        connection.sendall(head.encode() + body)
        hexserver.wait_until(lambda: running(idle) == 1, 30, "the query runs")


def test_a_client_that_does_not_read_holds_neither_query_nor_memory(idle: Server) -> None:
    """The time limit holds although nobody reads, and meanwhile only a few chunks wait."""
    before = resident_bytes(idle)
    body = {"sql": ENDLESS, "format": "ndjson", "timeout_ms": 2_000}
    with requests.post(f"{idle.http_url}/api/v1/sql", json=body, stream=True, timeout=60) as response:
        assert response.status_code == 200
        hexserver.wait_until(lambda: running(idle) == 0, 30, "the query is stopped by its time limit")
        grown = resident_bytes(idle) - before
    assert grown < 256 << 20, f"{grown >> 20} MiB"


def resident_bytes(server: Server) -> int:
    """Returns the memory that the process holds."""
    with open(f"/proc/{server.pid}/statm", encoding="ascii") as statm:
        return int(statm.read().split()[1]) * 4096


@pytest.mark.parametrize("name", ["csv", "parquet"])
def test_a_type_that_the_format_does_not_have_is_refused(server: Server, name: str) -> None:
    sql = {"csv": "SELECT [1, 2] AS list", "parquet": "SELECT INTERVAL '1 month' AS i"}[name]

    found = problem(ask(server, sql, format=name), 400, "unsupported_format")

    assert name in found["detail"] and "format" in found["hint"]


def test_a_time_beyond_the_calendar_is_refused_where_it_would_be_text(server: Server) -> None:
    sql = "SELECT to_timestamp_seconds(9000000000000) AS t"

    problem(ask(server, sql), 400, "unsupported_format")
    assert ask(server, sql, format="arrow").status_code == 200


def test_a_row_that_would_be_a_huge_text_is_refused(server: Server) -> None:
    sql = "SELECT repeat(chr(1), 20000000) AS a"
    for name in ["json", "ndjson", "csv"]:
        problem(ask(server, sql, format=name), 400, "row_too_large")
    assert ask(server, sql, format="arrow").status_code == 200
    assert len(ask(server, "SELECT repeat('x', 10000000) AS a").json()["data"][0]["a"]) == 10_000_000
