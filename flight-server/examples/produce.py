#!/usr/bin/env python3
"""A producer: sends batches of events over Arrow Flight and keeps each one until the server has acknowledged it.

    python produce.py --events 100000

An acknowledgement means that the batch is on disk and that every query from now on sees it. Whatever has none when the
connection breaks, or when the server is short of memory, is sent again: after a pause, on a new call.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections import deque
from collections.abc import Iterator

import pyarrow as pa
import pyarrow.flight as flight

BATCH_ROWS = 8_192
# Batches on their way at once: enough to keep the server busy, few enough to be sent again cheaply.
IN_FLIGHT = 16
ATTEMPTS = 10

SCHEMA = pa.schema([
    ("timestamp", pa.timestamp("us", "UTC")),
    ("device_id", pa.string()),
    ("type", pa.string()),
    ("value", pa.float64()),
    ("latitude", pa.float64()),
    ("longitude", pa.float64()),
    ("metadata", pa.string()),
])


def measured(count: int, devices: int, seed: int) -> Iterator[pa.RecordBatch]:
    """Yields batches of made-up measurements of the last ten minutes: thermometers around Zurich."""
    rng = random.Random(seed)
    now = time.time()
    homes = [(rng.uniform(47.32, 47.43), rng.uniform(8.45, 8.60)) for _ in range(devices)]
    for start in range(0, count, BATCH_ROWS):
        rows = []
        for _ in range(min(BATCH_ROWS, count - start)):
            device = rng.randrange(devices)
            latitude, longitude = homes[device]
            rows.append({
                "timestamp": int((now - rng.uniform(0, 600)) * 1e6),
                "device_id": f"thermo-{device}",
                "type": rng.choice(["temperature", "humidity"]),
                "value": round(rng.gauss(20, 5), 2),
                "latitude": latitude,
                "longitude": longitude,
                "metadata": json.dumps({"firmware": "1.4.2"}),
            })
        yield pa.RecordBatch.from_pylist(rows, schema=SCHEMA)


def send(client: flight.FlightClient, waiting: deque[pa.RecordBatch]) -> int:
    """Sends batches until none is left; takes a batch off `waiting` when it is acknowledged. Returns the rows that are."""
    descriptor = flight.FlightDescriptor.for_path("events")
    writer, acks = client.do_put(descriptor, SCHEMA)
    acknowledged = sent = 0
    with writer:
        while waiting:
            while sent < min(IN_FLIGHT, len(waiting)):
                writer.write_batch(waiting[sent])
                sent += 1
            answer = acks.read()
            if answer is None:
                break
            acknowledged += json.loads(answer.to_pybytes())["rows"]
            waiting.popleft()
            sent -= 1
        writer.done_writing()
    return acknowledged


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--target", default="grpc://127.0.0.1:8815")
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--devices", type=int, default=1_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()

    waiting = deque(measured(options.events, options.devices, options.seed))
    pause = 0.1
    for _ in range(ATTEMPTS):
        try:
            with flight.connect(options.target) as client:
                send(client, waiting)
        # Too busy, or gone: what is unacknowledged waits. A batch that breaks a rule is another error, and final.
        except (flight.FlightUnavailableError, flight.FlightServerError) as error:
            print(f"{error}; sending {len(waiting)} batches again in {pause:.1f} s")
            time.sleep(pause)
            pause *= 2
        if not waiting:
            break
    if waiting:
        raise SystemExit(f"gave up with {len(waiting)} batches unacknowledged")
    print(f"{options.events} events are durable")


if __name__ == "__main__":
    main()
