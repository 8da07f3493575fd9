"""Clients that do not read their results, and appends beside them: every append is answered in time, nobody spins, and a stop ends."""

from __future__ import annotations

import concurrent.futures
import contextlib
import json
import os
import socket
import subprocess
import threading
import time
from collections.abc import Iterator

import pyarrow as pa
import pyarrow.flight as flight
import pytest

import raw_flight
from bounds import SCALE, limit_mib
from conftest import ServerFactory
from flight_client import columns, connect, event_count, events, from_columns, put, read_ack
from hexserver import Server, binary, busy_share, clean_environment, http_get, metric, peak_mib, wait_until

FLAGS = ("--memory-limit", "64MiB", "--flush-interval", "1h", "--compaction", "false")

# An append is acknowledged or refused within so long, whatever others do.
ANSWER_SECONDS = 11.0
STOP_SECONDS = 15.0

# Of one core, in a debug build on a busy machine; a task that spins takes all of it.
BUSY_MAX = 0.2

# A client that takes little of what it does not read: gRPC's own guess of what a fast connection can hold is megabytes.
LITTLE_AHEAD = [
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.http2.bdp_probe", 0),
    ("grpc.http2.lookahead_bytes", 64 << 10),
]

STORED = 160_000
SORT = "SELECT value, timestamp, device_id FROM events WHERE device_id < 'device-4' ORDER BY value, device_id"
ALL = "SELECT * FROM events"
# Of a fleet, beside readers that take their time.
MANY, SLOW_READERS, SLOW_SECONDS = (20_000_000, 20, 60.0) if SCALE > 1 else (300_000, 4, 4.0)
PIECES, PIECE = 6, 2_000
SENT = MANY * 3 // 2 + PIECES * PIECE
SOME = "(SELECT value FROM events LIMIT 20000)"
HEAVY = f"SELECT count(*) FROM {SOME} a JOIN {SOME} b ON a.value < b.value + random() WHERE a.value * b.value < 0"


@pytest.fixture
def filled(make_server: ServerFactory) -> Server:
    """A server with more rows than its queries may sort at once, some of them in memory."""
    server = make_server(*FLAGS).start()
    with connect(server.flight_url) as client:
        put(client, *(events(STORED // 8, f"device-{number}") for number in range(8)))
    return server


class Unread:
    """Results that were asked for over connections of their own and are not read."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self._clients: list[flight.FlightClient] = []
        self._readers: list[flight.FlightStreamReader] = []

    def ask(self, sql: str, count: int) -> int:
        """Asks so many times; returns how many results have begun. A sort may be refused for lack of memory."""
        return sum(self._ask_one(sql) for _ in range(count))

    def _ask_one(self, sql: str) -> bool:
        client = flight.FlightClient(self.server.flight_url, generic_options=LITTLE_AHEAD)
        self._clients.append(client)
        try:
            reader = client.do_get(flight.Ticket(sql.encode()), flight.FlightCallOptions(timeout=60))
            reader.read_chunk()
        except pa.ArrowException as refused:
            assert "memory" in str(refused) or "more for this query" in str(refused), refused
            return False
        self._readers.append(reader)
        return True

    def close(self) -> None:
        """Lets go of all of them."""
        for reader in self._readers:
            reader.cancel()
        for client in self._clients:
            client.close()


@contextlib.contextmanager
def unread(server: Server) -> Iterator[Unread]:
    """Holds results open."""
    held = Unread(server)
    try:
        yield held
    finally:
        held.close()


def answered(server: Server, batch: pa.RecordBatch) -> tuple[float, str | None]:
    """Appends a batch; returns how long that took and why it was refused."""
    started = time.monotonic()
    options = flight.FlightCallOptions(timeout=3 * ANSWER_SECONDS)
    refusal = None
    with connect(server.flight_url) as client:
        try:
            writer, reader = client.do_put(flight.FlightDescriptor.for_path("events"), batch.schema, options)
            writer.write_batch(batch)
            writer.done_writing()
            read_ack(reader)
            writer.close()
        except pa.ArrowException as refused:
            refusal = str(refused)
    return time.monotonic() - started, refusal


def waiting(server: Server) -> int:
    """Returns how many batches wait for memory."""
    _, text = http_get(f"{server.http_url}/metrics")
    found = [line.split()[-1] for line in text.splitlines() if line.startswith("hexflight_ingest_waiting ")]
    return int(float(found[0])) if found else 0


def test_appends_go_on_beside_results_that_nobody_reads(filled: Server) -> None:
    with unread(filled) as held:
        assert held.ask(SORT, 3) >= 1
        assert held.ask(ALL, 6) == 6
        # Beside those, at the smallest limit, a sort may find no memory.
        held.ask(SORT, 6)
        answers = [answered(filled, events(10_000, f"late-{number}")) for number in range(12)]
        assert max(seconds for seconds, _ in answers) < ANSWER_SECONDS, answers
        assert [refusal for _, refusal in answers if refusal] == []
        wait_until(lambda: busy_share(filled) < BUSY_MAX, 12, "a server that rests while nobody sends")
    with connect(filled.flight_url) as client:
        assert event_count(client) == STORED + 12 * 10_000


def simulated(server: Server, rows: int) -> None:
    """Sends events of a fleet, as fast as they are taken."""
    target = server.flight_url.replace("grpc://", "http://")
    command = [str(binary()), "simulate", "--target", target, "--rows", str(rows)]
    done = subprocess.run(command, capture_output=True, text=True, env=clean_environment(), timeout=600)
    assert done.returncode == os.EX_OK, done.stdout + done.stderr


def read_slowly(server: Server, slow_until: float) -> int | None:
    """Reads everything, a piece every now and then at first; returns the rows, `None` where events needed the memory that this kept."""
    with connect(server.flight_url) as client:
        rows = 0
        try:
            for chunk in client.do_get(flight.Ticket(ALL.encode())):
                rows += chunk.data.num_rows
                time.sleep(0.3 if time.monotonic() < slow_until else 0)
        except pa.ArrowException as ended:
            assert "nobody has read" in str(ended), ended
            return None
        return rows


def test_slow_readers_beside_ingest_and_merges(make_server: ServerFactory) -> None:
    server = make_server("--memory-limit", f"{limit_mib(96)}MiB", "--flush-interval", "1s", "--vacuum-after", "1s").start()
    simulated(server, MANY)
    with concurrent.futures.ThreadPoolExecutor(SLOW_READERS) as pool:
        read = [pool.submit(read_slowly, server, time.monotonic() + SLOW_SECONDS) for _ in range(SLOW_READERS)]
        started = time.monotonic()
        simulated(server, MANY // 2)
        print(f"{MANY // 2} rows beside {SLOW_READERS} readers: {time.monotonic() - started:.1f} s")
        # Small files, which are merged.
        for _ in range(PIECES):
            simulated(server, PIECE)
            time.sleep(1.2)
        found = [future.result() for future in read]
    print(f"peak {peak_mib(server):.0f} MiB, merges {metric(server, 'hexflight_compact_rewrites_total'):.0f}")
    # Each has seen one moment: all that was acknowledged before, and maybe some of what came meanwhile.
    assert all(MANY <= rows <= SENT for rows in found if rows is not None), found
    assert any(found), "no reader has come to the end"
    wait_until(lambda: metric(server, "hexflight_compact_rewrites_total") > 0, 60, "a merge: at the latest once nothing comes any more")
    assert peak_mib(server) < limit_mib(96) + 256
    with connect(server.flight_url) as client:
        assert event_count(client) == SENT


def large_events(rows: int = 3_000) -> pa.RecordBatch:
    """Returns a batch of about 1 KiB a row."""
    note = json.dumps({"note": "x" * 1_000})
    return from_columns(columns(rows) | {"metadata": pa.array([note] * rows, pa.string())})


@pytest.fixture
def stuck(make_server: ServerFactory) -> Iterator[Server]:
    """A server whose memory is full of rows that cannot be flushed: the folder of its table has gone."""
    server = make_server(*FLAGS).start()
    aside = server.table_dir.with_name("aside")
    server.table_dir.rename(aside)
    server.table_dir.write_text("in the way")
    with raw_flight.begun_put(server.flight_url.removeprefix("grpc://"), filling(server)):
        wait_until(lambda: waiting(server) == 1, 20, "an append over Flight that waits")
    yield server
    server.table_dir.unlink()
    aside.rename(server.table_dir)


def filling(server: Server) -> Iterator[raw_flight.Message]:
    """Yields batches until one finds no memory."""
    batch = large_events()
    yield raw_flight.schema_message(batch.schema)
    while waiting(server) == 0:
        yield raw_flight.batch_message(batch)


def test_an_append_that_waits_ends_with_its_client(stuck: Server) -> None:
    wait_until(lambda: waiting(stuck) == 0, 3, "the end of the append over Flight whose client left")

    connection = http_append(stuck)
    wait_until(lambda: waiting(stuck) == 1, 5, "an append over HTTP that waits")
    connection.close()
    wait_until(lambda: waiting(stuck) == 0, 3, "the end of an append over HTTP whose client left")

    seconds, refusal = answered(stuck, large_events())
    assert seconds < ANSWER_SECONDS
    assert refusal is not None
    assert "events on their way to files (5/10 of memory_limit)" in refusal
    assert "retry in 1000 ms" in refusal


def http_append(server: Server) -> socket.socket:
    """Sends a request with events whose answer is not read."""
    event = {"timestamp": 1_748_779_200, "device_id": "d", "type": "t", "value": 1.0, "metadata": {"n": "x" * 1_000}}
    return http_request(server, "/api/v1/events", json.dumps([event] * 3_000).encode())


def http_request(server: Server, path: str, body: bytes, more: int = 0) -> socket.socket:
    """Sends a request of which `more` bytes never come."""
    host, port = server.http_url.removeprefix("http://").split(":")
    connection = socket.create_connection((host, int(port)))
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    head = (
        f"POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body) + more}\r\n\r\n"
    )
    connection.sendall(head.encode() + body)
    return connection


def ask_in_vain(server: Server, sql: str) -> None:
    """Asks what is not answered before the server stops."""
    with contextlib.suppress(pa.ArrowException), connect(server.flight_url) as client:
        client.do_get(flight.Ticket(sql.encode())).read_chunk()


def test_a_stop_ends_whatever_clients_do(filled: Server) -> None:
    with contextlib.ExitStack() as stack, unread(filled) as held:
        held.ask(ALL, 6)
        held.ask(SORT, 4)
        for _ in range(24):
            threading.Thread(target=ask_in_vain, args=(filled, HEAVY), daemon=True).start()
        stalled = connect(filled.flight_url)
        writer, _ = stalled.do_put(flight.FlightDescriptor.for_path("events"), events(1).schema)
        writer.write_batch(events(1))
        sql = json.dumps({"sql": ALL}).encode()
        stack.enter_context(http_request(filled, "/api/v1/sql", sql))
        stack.enter_context(http_request(filled, "/api/v1/sql", json.dumps({"sql": HEAVY}).encode()))
        stack.enter_context(http_request(filled, "/api/v1/events", b"[", more=1_000))
        stack.enter_context(http_request(filled, "/api/v1/import", b"PAR1", more=1_000))
        time.sleep(1)
        started = time.monotonic()
        filled.terminate()
        code = wait_until(lambda: (filled.exit_code(),) if filled.exit_code() is not None else None, 40, "the end")
        seconds = time.monotonic() - started
        assert code == (os.EX_OK,), filled.log
        assert seconds < STOP_SECONDS, f"{seconds} s\n{filled.log}"
    filled.stop()
    filled.start()
    with connect(filled.flight_url) as client:
        assert event_count(client) in (STORED, STORED + 1)
