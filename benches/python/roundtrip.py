"""Round trips of small queries through pyarrow Flight and ADBC, beside a Flight server that does nothing.

    cargo build --release -p hexflight
    target/venv/bin/python benches/python/roundtrip.py [--binary target/release/hexflight] [--rows 5000000] [--runs 200]

Starts a server in a temporary folder on free ports, loads the simulator's events, asks each query `--runs` times through one
connection, prints median, p95 and the difference to `SELECT 1`, and ends the server. Each answer is read to its end.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time

import adbc_driver_flightsql.dbapi as adbc
import pyarrow as pa
import pyarrow.flight as flight

# Warm-up runs that do not count.
WARM_UP = 20


class Noop(flight.FlightServerBase):
    """Answers every query with the same one-row table: the floor of a round trip."""

    TABLE = pa.table({"1": [1]})

    def get_flight_info(self, context, descriptor):
        endpoint = flight.FlightEndpoint(b"1", [])
        return flight.FlightInfo(self.TABLE.schema, descriptor, [endpoint], -1, -1)

    def do_get(self, context, ticket):
        return flight.RecordBatchStream(self.TABLE)


class Server:
    """A real server in a temporary folder; killed at the end."""

    def __init__(self, binary, folder):
        arguments = ["serve", "--flight-bind", "127.0.0.1:0", "--http-bind", "127.0.0.1:0", "--log", "warn"]
        self.process = subprocess.Popen(
            [binary, *arguments, "--data-dir", folder], stdout=subprocess.PIPE, text=True
        )
        self.url = self.process.stdout.readline().split()[-1]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()


def statement(sql):
    """A descriptor as Flight SQL clients make it: Any(CommandStatementQuery{query})."""

    def field(number, data):
        length, out = len(data), bytearray([number << 3 | 2])
        while length > 127:
            out.append(length & 127 | 128)
            length >>= 7
        out.append(length)
        return bytes(out) + data

    kind = b"type.googleapis.com/arrow.flight.protocol.sql.CommandStatementQuery"
    return flight.FlightDescriptor.for_command(field(1, kind) + field(2, field(1, sql.encode())))


def ask_flight(client, sql):
    info = client.get_flight_info(statement(sql))
    return client.do_get(info.endpoints[0].ticket).read_all()


def ask_adbc(connection, sql):
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetch_arrow_table()


def times(ask, runs):
    """Milliseconds of each run, sorted."""
    for _ in range(WARM_UP):
        ask()
    taken = []
    for _ in range(runs):
        started = time.perf_counter()
        ask()
        taken.append((time.perf_counter() - started) * 1e3)
    return sorted(taken)


def load(binary, url, rows):
    target = url.replace("grpc://", "http://")
    arguments = ["simulate", "--target", target, "--rows", str(rows), "--time-span", "6h", "--batch-rows", "16384"]
    subprocess.run([binary, *arguments], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def queries(client):
    """The questions, over the newest data that there is."""
    newest = ask_flight(client, "SELECT max(timestamp) AS t FROM events")["t"][0].as_py()
    minute = f"timestamp >= TIMESTAMP '{newest.isoformat()}' - INTERVAL '1 minute'"
    hour = f"timestamp >= TIMESTAMP '{newest.isoformat()}' - INTERVAL '1 hour'"
    box = "latitude BETWEEN 52.3 AND 52.7 AND longitude BETWEEN 13.1 AND 13.7"
    return {
        "SELECT 1": "SELECT 1",
        "newest minute: count, sum, avg, min, max of temperature":
            "SELECT count(*), sum(value), avg(value), min(value), max(value) FROM events "
            f"WHERE type = 'temperature' AND {minute}",
        "last hour: average by device (temperature)":
            f"SELECT device_id, avg(value) FROM events WHERE type = 'temperature' AND {hour} GROUP BY device_id",
        "last hour: top 10 devices by average":
            f"SELECT device_id, avg(value) AS a FROM events WHERE type = 'temperature' AND {hour} "
            "GROUP BY device_id ORDER BY a DESC LIMIT 10",
        "all time: average in a box (Berlin)":
            f"SELECT count(*), avg(value) FROM events WHERE type = 'temperature' AND {box}",
    }


def report(rows):
    print(f"{'query':<58} {'client':<8} {'p50 ms':>8} {'p95 ms':>8} {'over SELECT 1':>14}  rows")
    floor = {}
    for query, client, taken, answer_rows in rows:
        middle = statistics.median(taken)
        floor.setdefault(client, middle)
        high = taken[int(len(taken) * 0.95)]
        print(f"{query:<58} {client:<8} {middle:8.2f} {high:8.2f} {middle - floor[client]:14.2f}  {answer_rows}")


def measure(url, runs):
    client = flight.connect(url)
    asked = queries(client)
    rows = []
    for name, sql in asked.items():
        answer = ask_flight(client, sql)
        taken = times(lambda: ask_flight(client, sql), runs)
        rows.append((name, "pyarrow", taken, answer.num_rows))
    with adbc.connect(url.replace("grpc://", "grpc+tcp://")) as connection:
        for name, sql in list(asked.items())[:2]:
            answer = ask_adbc(connection, sql)
            taken = times(lambda: ask_adbc(connection, sql), runs)
            rows.append((name, "adbc", taken, answer.num_rows))
    return rows


def noop(runs):
    """A process of its own, so that client and server do not share an interpreter."""
    child = subprocess.Popen([sys.executable, __file__, "--serve-noop"], stdout=subprocess.PIPE, text=True)
    try:
        client = flight.connect(child.stdout.readline().strip())
        taken = times(lambda: ask_flight(client, "SELECT 1"), runs)
        return ("no-op server (pyarrow)", "no-op", taken, 1)
    finally:
        child.kill()
        child.wait()


def serve_noop():
    server = Noop("grpc://127.0.0.1:0")
    print(f"grpc://127.0.0.1:{server.port}", flush=True)
    server.serve()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--binary", default="target/release/hexflight")
    parser.add_argument("--rows", type=int, default=5_000_000)
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--serve-noop", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.serve_noop:
        serve_noop()
        return
    binary = os.path.abspath(args.binary)
    with tempfile.TemporaryDirectory(dir=".") as folder, Server(binary, folder) as server:
        load(binary, server.url, args.rows)
        client = flight.connect(server.url)
        counted = ask_flight(client, "SELECT count(*) AS n FROM events")["n"][0].as_py()
        assert counted == args.rows, f"{args.rows} rows were sent, {counted} are there"
        rows = [noop(args.runs), *measure(server.url, args.runs)]
    print(f"{args.rows:,} rows, {args.runs} runs each")
    report(rows)


if __name__ == "__main__":
    main()
