"""Numbers are never touched: doubles go in at every door by real clients, and come out with the same bits.

`HEXFLIGHT_DOUBLES` says how many, `HEXFLIGHT_SEED` which; −0.0 becomes 0.0 everywhere.
"""

from __future__ import annotations

import csv
import io
import json
import math
import os
import random
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path

import adbc_driver_flightsql.dbapi as flightsql
import deltalake
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as parquet
import pytest
import requests

import hexserver
from conftest import ServerFactory
from flight_client import START_SECONDS, TIMESTAMP, connect, put, query
from hexserver import Server

COUNT = int(os.environ.get("HEXFLIGHT_DOUBLES", "10000"))
SEED = int(os.environ.get("HEXFLIGHT_SEED", "11"))
# HTTP takes 100,000 events and 8 MiB at once.
BODY_ROWS = 20_000
DOORS = ("flight", "adbc", "http", "csv", "ndjson", "parquet")

EXTREMES = (1.7976931348623157e308, -1.7976931348623157e308, 2.2250738585072014e-308, 5e-324, -0.0, 0.0, 1e22, 1e23)


def double(draw: random.Random) -> float:
    """Returns a double of 17 digits, a denormal, an extreme, a whole number, or any bits."""
    match draw.randrange(6):
        case 0:
            return draw.uniform(0, 100)
        case 1:
            return draw.uniform(10, 16)
        case 2:
            return struct.unpack("<d", struct.pack("<Q", draw.randrange(1, 2**52)))[0]
        case 3:
            return draw.choice(EXTREMES)
        case 4:
            return float(draw.randrange(-(2**60), 2**60))
    while not math.isfinite(found := struct.unpack("<d", draw.randbytes(8))[0]):
        pass
    return found


def longitude(value: float) -> float:
    """Returns degrees with as many digits as the double."""
    return math.fmod(value, 180.0)


def bits(values: Sequence[float]) -> list[bytes]:
    """Returns the bits of doubles, after −0.0 became 0.0."""
    return [struct.pack("<d", value + 0.0) for value in values]


def table(door: str, values: Sequence[float]) -> pa.Table:
    """Returns an event for each double."""
    return pa.table({
        "timestamp": pa.array([START_SECONDS * 1_000_000] * len(values), TIMESTAMP),
        "device_id": [f"d{row:07}" for row in range(len(values))],
        "type": [door] * len(values),
        "value": pa.array(values, pa.float64()),
        "latitude": pa.array([1.0] * len(values), pa.float64()),
        "longitude": pa.array([longitude(value) for value in values], pa.float64()),
    })  # fmt: skip


def lines(events: pa.Table) -> Iterator[str]:
    """Returns the events as JSON, with Python's digits."""
    for row in events.drop_columns("timestamp").to_pylist():
        yield json.dumps(row | {"timestamp": START_SECONDS})


def load(folder: Path, name: str, *arguments: str) -> None:
    """Runs `hexflight import` for one file."""
    result = hexserver.run("import", "--data-dir", str(folder / "data"), str(folder / name), *arguments)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.fixture(scope="module")
def doubles() -> list[float]:
    """The doubles of the test."""
    draw = random.Random(SEED)
    return [double(draw) for _ in range(COUNT // len(DOORS) + 1)]


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory, doubles: list[float]) -> Iterator[Server]:
    """A server with the doubles of every door, half of them in files."""
    folder = tmp_path_factory.mktemp("doubles")
    parquet.write_table(table("parquet", doubles), folder / "events.parquet")
    pa_csv.write_csv(table("csv", doubles), folder / "events.csv")
    (folder / "events.ndjson").write_text("\n".join(lines(table("ndjson", doubles))))
    for name in ("events.parquet", "events.csv", "events.ndjson"):
        load(folder, name)
    with Server(folder / "data", "--flush-interval", "1h") as running:
        with connect(running.flight_url) as client:
            put(client, *table("flight", doubles).to_batches(max_chunksize=50_000))
        events = table("http", doubles)
        for start in range(0, len(doubles), BODY_ROWS):
            body = "\n".join(lines(events.slice(start, BODY_ROWS)))
            headers = {"Content-Type": "application/x-ndjson"}
            answer = requests.post(f"{running.http_url}/api/v1/events", body, headers=headers, timeout=60)
            assert answer.status_code == 200, answer.text
        running.restart()
        with flightsql.connect(running.flight_url, autocommit=True) as adbc, adbc.cursor() as cursor:
            cursor.adbc_ingest("events", table("adbc", doubles), mode="append")
        yield running


def select(door: str) -> str:
    """Returns the statement that reads what came through a door."""
    return f"SELECT value, longitude FROM events WHERE type = '{door}' ORDER BY device_id"


def sql(server: Server, statement: str, *params: float, accept: str = "application/json") -> requests.Response:
    """Asks over HTTP."""
    body = {"sql": statement, "params": params}
    answer = requests.post(f"{server.http_url}/api/v1/sql", json=body, headers={"Accept": accept}, timeout=60)
    assert answer.status_code == 200, answer.text
    return answer


def shell(server: Server, form: str, statement: str) -> str:
    """Asks with the command line."""
    printed = hexserver.run("sql", "--target", server.flight_url, "--format", form, statement)
    assert printed.returncode == 0, printed.stderr
    return printed.stdout


@pytest.mark.parametrize("door", DOORS)
def test_a_double_keeps_its_bits(filled: Server, doubles: list[float], door: str) -> None:
    sent, degrees = bits(doubles), bits([longitude(value) for value in doubles])

    with connect(filled.flight_url) as client:
        by_flight = query(client, select(door))
    by_json = sql(filled, select(door)).json()["data"]
    by_csv = list(csv.DictReader(io.StringIO(sql(filled, select(door), accept="text/csv").text)))
    by_shell = list(csv.DictReader(io.StringIO(shell(filled, "csv", select(door)))))
    by_shell_lines = [json.loads(line) for line in shell(filled, "jsonl", select(door)).splitlines()]

    assert bits(by_flight["value"].to_pylist()) == sent
    assert bits(by_flight["longitude"].to_pylist()) == degrees
    for rows in (by_json, by_csv, by_shell, by_shell_lines):
        assert bits([float(row["value"]) for row in rows]) == sent
        assert bits([float(row["longitude"]) for row in rows]) == degrees


@pytest.mark.parametrize("door", DOORS)
def test_a_double_is_found_by_its_bits(filled: Server, doubles: list[float], door: str) -> None:
    of_door = f"FROM events WHERE type = '{door}'"

    bounds = sql(filled, f"SELECT min(value) AS a, max(value) AS b {of_door}").json()["data"][0]

    assert bits([bounds["a"], bounds["b"]]) == bits([min(doubles), max(doubles)])
    draw = random.Random(SEED)
    for value in [min(doubles), max(doubles), *draw.sample(doubles, 10)]:
        found = sql(filled, f"SELECT count(*) AS n {of_door} AND value = ?", value).json()["data"][0]["n"]
        assert found == doubles.count(value), value
    for where, value in (("value >= ?", max(doubles)), ("value <= ?", min(doubles))):
        found = sql(filled, f"SELECT count(*) AS n {of_door} AND {where}", value).json()["data"][0]["n"]
        assert found == doubles.count(value), (where, value)


def test_statistics_of_the_files_hold_what_is_in_them(filled: Server, doubles: list[float]) -> None:
    """Another reader of the table trusts them."""
    with connect(filled.flight_url) as client:
        in_files = set(deltalake.DeltaTable(str(filled.table_dir)).to_pyarrow_table()["type"].to_pylist())
        assert in_files == set(DOORS) - {"adbc"}
        assert query(client, "SELECT count(*) AS n FROM events")["n"][0].as_py() == len(DOORS) * len(doubles)
    actions = pa.table(deltalake.DeltaTable(str(filled.table_dir)).get_add_actions(flatten=True)).to_pydict()
    assert all(least <= most for least, most in zip(actions["min.value"], actions["max.value"], strict=True))
    assert min(actions["min.value"]) <= min(doubles) and max(actions["max.value"]) >= max(doubles)
