"""What careless or hostile clients who may write send to a server with a small memory limit: the memory of the process stays within the
limit and what lies beside it, and others are served meanwhile.

Memory is the process's own high water mark (VmHWM), which nothing can hide from.
"""

from __future__ import annotations

import contextlib
import io
import json
import socket
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import pyarrow as pa
import pyarrow.flight as flight
import pyarrow.parquet as pq
import pytest

import raw_http2
from bounds import SCALE, limit_mib
from conftest import ServerFactory
from flight_client import connect, event_count, events, put, query
from hexserver import Server, peak_mib
from raw_flight import bytes_field
from raw_flight_sql import RawClient, any_of

LIMIT_MIB = limit_mib(64)

# What the process may take beside the limit: code, stacks, what the allocator keeps.
BESIDE_MIB = 256

DO_PUT = "/arrow.flight.protocol.FlightService/DoPut"
MIB = 1 << 20

MESSAGES, BODIES = min(72, 6 * SCALE), min(250, 60 * SCALE)
PREPARED, NAMES = min(10_000, 1_000 * SCALE), min(100_000, 20_000 * SCALE)


@pytest.fixture
def small(make_server: ServerFactory) -> Iterator[Server]:
    """A server with a small memory limit, whose memory is looked at in the end."""
    server = make_server("--memory-limit", f"{LIMIT_MIB}MiB").start()
    yield server
    print(f"peak {peak_mib(server):.0f} MiB of {LIMIT_MIB}")
    assert peak_mib(server) <= LIMIT_MIB + BESIDE_MIB


def assert_others_are_served(server: Server) -> None:
    """Somebody asks, and somebody appends a little, over both protocols."""
    with connect(server.flight_url) as client:
        assert query(client, "SELECT 1 AS one").column("one").to_pylist() == [1]
        assert [ack["rows"] for ack in put(client, events(10, "other"))] == [10]
    status, _ = post(server, "/api/v1/sql", {"sql": "SELECT 1"})
    assert status == 200
    event = {"timestamp": "2025-06-01T12:00:00Z", "device_id": "other", "type": "temperature", "value": 1.0}
    status, _ = post(server, "/api/v1/events", event)
    assert status == 200


def test_messages_that_never_end(small: Server) -> None:
    """Streams that declare 64 MiB and send all but the last byte."""
    message = raw_http2.message(64 * MIB, 64 * MIB - 1)
    with contextlib.ExitStack() as stack:
        calls = [stack.enter_context(raw_http2.Call(small.flight_url, DO_PUT)) for _ in range(MESSAGES)]
        with ThreadPoolExecutor(len(calls)) as threads:
            sent = list(threads.map(lambda call: call.send(message, 4.0), calls))
            assert_others_are_served(small)
    print(f"{sum(sent) // MIB} of {64 * len(calls)} MiB taken")


def test_bodies_that_never_end(small: Server) -> None:
    """Bodies of statements that lack their last byte."""
    size = 8 * MIB - 1
    head = f"POST /api/v1/sql HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {size + 1}\r\n\r\n"
    body = b'{"sql": "' + b"x" * (size - 9)
    with contextlib.ExitStack() as stack:
        bodies = [stack.enter_context(_connected(small.http_url)) for _ in range(BODIES)]

        def send(connection: socket.socket) -> None:
            with contextlib.suppress(OSError):
                connection.sendall(head.encode() + body)

        with ThreadPoolExecutor(8) as threads:
            list(threads.map(send, bodies))
        assert_others_are_served(small)


@pytest.mark.parametrize("use_dictionary", [True, False], ids=["dictionary", "plain"])
def test_a_small_file_with_a_huge_text(small: Server, use_dictionary: bool) -> None:
    """A Parquet file of some kilobytes, one text of which takes hundreds of megabytes."""
    batch = events(1, metadata=pa.array(['{"a":"' + "x" * (200 * MIB) + '"}']))
    file = io.BytesIO()
    pq.write_table(pa.table(batch), file, compression="zstd", use_dictionary=use_dictionary)
    del batch
    assert len(file.getvalue()) < MIB
    status, answer = post(small, "/api/v1/import", file.getvalue(), "application/octet-stream")
    assert status == 422, answer
    detail = answer["detail"]
    assert "metadata" in detail and "67108864" in detail, detail
    assert_others_are_served(small)


def _writers(server: Server, batch: pa.RecordBatch, count: int, compression: str | None = None) -> list[str]:
    """Sends the same batch from many clients at once; returns why they were refused."""
    options = pa.ipc.IpcWriteOptions(compression=compression)
    call = flight.FlightCallOptions(write_options=options, timeout=30)
    refused: list[str] = []

    def write(_: int) -> None:
        with connect(server.flight_url) as client:
            try:
                writer, reader = client.do_put(flight.FlightDescriptor.for_path("events"), batch.schema, call)
                writer.write_batch(batch)
                writer.done_writing()
                reader.read()
                writer.close()
            except (flight.FlightError, pa.ArrowException, OSError) as error:
                refused.append(str(error))

    threads = [threading.Thread(target=write, args=(n,)) for n in range(count)]
    for thread in threads:
        thread.start()
    time.sleep(0.5)
    assert_others_are_served(server)
    for thread in threads:
        thread.join()
    return refused


def test_dictionaries_that_grow(small: Server) -> None:
    """Batches of keys that name one long text again and again."""
    text = json.dumps({"a": "x" * 60_000})
    metadata = pa.DictionaryArray.from_arrays(pa.array([0] * 1_000, pa.int32()), pa.array([text]))
    refused = _writers(small, events(1_000, metadata=metadata), 24)
    assert all("memory" in reason for reason in refused), refused


def test_compressed_batches(small: Server) -> None:
    """Batches of some kilobytes that take megabytes once they are decompressed."""
    text = json.dumps({"a": "x" * 60_000})
    refused = _writers(small, events(330, metadata=pa.array([text] * 330)), 16, "zstd")
    assert all("retry" in reason for reason in refused), refused


def test_compressed_dictionaries_that_stay(small: Server) -> None:
    """Streams that send a dictionary, large once it is decompressed, and then nothing."""
    values = pa.array([json.dumps({"a": str(n) + "x" * 60_000}) for n in range(500)])
    metadata = pa.DictionaryArray.from_arrays(pa.array([0] * 10, pa.int32()), values)
    batch = events(10, metadata=metadata)
    call = flight.FlightCallOptions(write_options=pa.ipc.IpcWriteOptions(compression="zstd"), timeout=30)
    with contextlib.ExitStack() as stack:
        for _ in range(24):
            client = stack.enter_context(connect(small.flight_url))
            writer, reader = client.do_put(flight.FlightDescriptor.for_path("events"), batch.schema, call)
            with contextlib.suppress(flight.FlightError, pa.ArrowException, OSError):
                writer.write_batch(batch)
                reader.read()
            stack.callback(_closed, writer)
        assert_others_are_served(small)


def test_keys_that_each_row_repeats(small: Server) -> None:
    """Structs whose one key has 60 kB, which the JSON text of every row says again."""
    rows = 60_000
    metadata = pa.StructArray.from_arrays([pa.array([1] * rows)], ["k" * 60_000])
    refused = _writers(small, events(rows, metadata=metadata), 8)
    assert len(refused) == 8
    assert all("metadata" in reason and "send smaller batches" in reason for reason in refused), refused


def test_prepared_statements_that_nobody_closes(small: Server) -> None:
    """Each has parameters bound to it, most of them for nothing."""
    bound = pa.record_batch({"1": [1.0], "2": ["x" * 10_000]})

    def prepare(numbers: range) -> None:
        with grpc.insecure_channel(small.flight_url.removeprefix("grpc://")) as channel:
            client = RawClient(channel)
            for number in numbers:
                sql = f"SELECT count(*) AS n{number} FROM events WHERE value > ? AND type <> ?"
                handle = client.prepare(sql)[1][0]
                client.put(any_of("CommandPreparedStatementQuery", bytes_field(1, handle)), bound)

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(prepare, (range(at, PREPARED, 4) for at in range(4))))
    assert_others_are_served(small)


def test_names_that_are_long_and_many(small: Server) -> None:
    """A device and a type of 256 bytes for each row."""
    with connect(small.flight_url) as client:
        for at in range(0, NAMES, 5_000):
            names = pa.array([f"{number:0256}" for number in range(at, at + 5_000)])
            assert put(client, events(5_000, device_id=names, type=names))[0]["rows"] == 5_000
        assert event_count(client) == NAMES
        last = f"{NAMES - 1:0256}"
        window = f"SELECT count(*), max(device_id) FROM events WHERE type = '{last}' AND timestamp >= '2020-01-01T00:00:00Z'"
        assert query(client, window).to_pylist() == [{"count(*)": 1, "max(events.device_id)": last}]
        for heavy in (
            "SELECT count(DISTINCT device_id), count(DISTINCT type) FROM events",
            "SELECT device_id, type, count(*) AS n FROM events GROUP BY 1, 2 ORDER BY n DESC, 1 LIMIT 3",
        ):
            status, answer = post(small, "/api/v1/sql", {"sql": heavy})
            assert status == 200 or answer["code"] in ("memory_exhausted", "overloaded"), (status, answer)
    assert_others_are_served(small)


def _closed(writer: flight.FlightStreamWriter) -> None:
    with contextlib.suppress(flight.FlightError, pa.ArrowException, OSError):
        writer.close()


def _connected(url: str) -> socket.socket:
    host, port = url.split("://")[1].rsplit(":", 1)
    return socket.create_connection((host, int(port)), timeout=2.0)


def post(server: Server, path: str, body: Any, content_type: str = "application/json") -> tuple[int, Any]:
    """Returns status and JSON of an answer."""
    payload = body if isinstance(body, bytes) else json.dumps(body).encode()
    request = urllib.request.Request(server.http_url + path, payload, {"Content-Type": content_type})
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)
