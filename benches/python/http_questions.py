"""Latency of each question of the HTTP API, beside the same server's `/health/live`: the floor of a request.

    cargo build --release -p hexflight
    target/venv/bin/python benches/python/http_questions.py [--binary target/release/hexflight] [--rows 5000000] [--runs 200]

Starts a server in a temporary folder on free ports, loads the simulator's events (six hours of event time), asks each question
`--runs` times over one kept-alive connection, prints median, p95 and the difference to the floor, and ends the server.
"""

import argparse
import http.client
import json
import os
import statistics
import tempfile
import urllib.parse

import pyarrow.flight as flight

from roundtrip import Server, ask_flight, load, times


class HttpServer(Server):
    """The same server; knows where HTTP listens."""

    def __init__(self, binary, folder):
        super().__init__(binary, folder)
        words = self.process.stdout.readline().split()
        self.http = next(word for word in words if word.startswith("http://")).split("//")[1].split("/")[0]


class Client:
    """One kept-alive connection; reads every answer to its end."""

    def __init__(self, address):
        self.connection = http.client.HTTPConnection(address)

    def get(self, path, **parameters):
        query = urllib.parse.urlencode(parameters)
        return self._ask("GET", f"{path}?{query}" if query else path)

    def sql(self, sql):
        body = json.dumps({"sql": sql})
        return self._ask("POST", "/api/v1/sql", body, {"Content-Type": "application/json"})

    def _ask(self, method, path, body=None, headers=None):
        self.connection.request(method, path, body, headers or {})
        answer = self.connection.getresponse()
        read = answer.read()
        assert answer.status == 200, f"{path}: {answer.status}: {read[:300]}"
        return read


def questions(client, newest, device):
    """Each question by name: the call that asks it. Windows end at the newest event."""
    minute, hour, six = ({"start": newest - seconds, "end": newest} for seconds in (60, 3600, 6 * 3600))
    box = {"min_latitude": 52.3, "max_latitude": 52.7, "min_longitude": 13.1, "max_longitude": 13.7}
    api = "/api/v1"
    return {
        "/health/live": lambda: client.get("/health/live"),
        "POST /sql: SELECT 1": lambda: client.sql("SELECT 1"),
        "/aggregates, 1 minute": lambda: client.get(f"{api}/aggregates", metric_name="temperature", **minute),
        "/aggregates, 1 hour": lambda: client.get(f"{api}/aggregates", metric_name="temperature", **hour),
        "/aggregates, 6 hours": lambda: client.get(f"{api}/aggregates", metric_name="temperature", **six),
        "/aggregates, 1 hour in steps of a minute":
            lambda: client.get(f"{api}/aggregates", metric_name="temperature", step="1m", **hour),
        "/devices/…/average, 1 hour": lambda: client.get(f"{api}/devices/{device}/average", type="temperature", **hour),
        "/top-devices, k = 10, 1 hour": lambda: client.get(f"{api}/top-devices", type="temperature", k=10, **hour),
        "/geo/average, 0.4° × 0.6°, 1 hour": lambda: client.get(f"{api}/geo/average", type="temperature", **box, **hour),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--binary", default="target/release/hexflight")
    parser.add_argument("--rows", type=int, default=5_000_000)
    parser.add_argument("--runs", type=int, default=200)
    args = parser.parse_args()
    binary = os.path.abspath(args.binary)
    with tempfile.TemporaryDirectory(dir=".") as folder, HttpServer(binary, folder) as server:
        load(binary, server.url, args.rows)
        top = ask_flight(flight.connect(server.url),
                         "SELECT device_id, max(timestamp) AS t FROM events WHERE type = 'temperature' "
                         "GROUP BY device_id ORDER BY count(*) DESC LIMIT 1").to_pylist()[0]
        asked = questions(Client(server.http), int(top["t"].timestamp()) + 1, top["device_id"])
        print(f"{args.rows:,} rows, {args.runs} runs each")
        print(f"{'question':<45} {'p50 ms':>8} {'p95 ms':>8} {'over the floor':>15}")
        floor = None
        for name, ask in asked.items():
            taken = times(ask, args.runs)
            middle = statistics.median(taken)
            floor = middle if floor is None else floor
            print(f"{name:<45} {middle:8.2f} {taken[int(len(taken) * 0.95)]:8.2f} {middle - floor:15.2f}")


if __name__ == "__main__":
    main()
