"""One producer of the kill test: sends batches of known content as fast as it may, and writes a ledger.

Run by `killtest.py` as a process of its own. A batch that was not acknowledged is never sent again: it may be in the table
wholly or not at all. Finds the server anew in the address file whenever its connection breaks; ends when stdin closes.
"""

from __future__ import annotations

import argparse
import random
import select
import sys
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.flight as flight

from flight_client import HOUR_MICROS, START_MICROS, TIMESTAMP, connect, read_ack
from ledger import Intent, LedgerWriter

TYPES = ["temperature", "humidity", "pressure", "vibration"]
PIPELINE_MAX = 4
RECONNECT_SECONDS = 0.02

# A send can outlive its server only if the system hides the broken connection; then this ends it.
PUT_SECONDS = 30.0


class Producer:
    """Makes batches, sends them, and keeps the ledger."""

    def __init__(self, name: str, ledger: Path, address: Path, seed: int, pause: float) -> None:
        self._name = name
        self._ledger = LedgerWriter(ledger)
        self._address = address
        self._random = random.Random(seed)
        self._pause = pause
        self._batch_count = 0

    def run(self) -> None:
        """Sends until stdin closes, over as many connections as it takes."""
        while not stop_wanted():
            try:
                with connect(self._address.read_text()) as client:
                    self._send_over(client)
            except (flight.FlightError, pa.ArrowException, OSError):
                time.sleep(RECONNECT_SECONDS)

    def _send_over(self, client: flight.FlightClient) -> None:
        """Sends over one DoPut until it breaks."""
        options = flight.FlightCallOptions(timeout=PUT_SECONDS)
        descriptor = flight.FlightDescriptor.for_path("events")
        deadline = time.monotonic() + PUT_SECONDS / 2
        writer, reader = client.do_put(descriptor, self._batch("schema", 1)[1].schema, options=options)
        with writer:
            while not stop_wanted() and time.monotonic() < deadline:
                self._send_pipelined(writer, reader)
                time.sleep(self._random.uniform(0, 2 * self._pause))

    def _send_pipelined(self, writer: flight.FlightStreamWriter, reader: flight.FlightMetadataReader) -> None:
        """Sends a few batches at once and waits for their acks."""
        made = [self._next_batch() for _ in range(self._random.randint(1, PIPELINE_MAX))]
        self._ledger.intend([intent for intent, _ in made])
        for _, batch in made:
            writer.write_batch(batch)
        for intent, _ in made:
            ack = read_ack(reader)
            if ack is None:
                raise ConnectionError("the server ended the stream")
            if ack["rows"] != intent.rows:
                raise SystemExit(f"{intent.device}: {intent.rows} rows sent, {ack['rows']} acknowledged")
            self._ledger.acknowledge(intent.device)

    def _next_batch(self) -> tuple[Intent, pa.RecordBatch]:
        self._batch_count += 1
        rows = 5_000 if self._random.random() < 0.005 else self._random.randint(1, 60)
        return self._batch(f"{self._name}-b{self._batch_count}", rows)

    def _batch(self, device: str, rows: int) -> tuple[Intent, pa.RecordBatch]:
        """Makes a batch that one device fills: `value` numbers its rows, `metadata` repeats a random nonce."""
        nonce = f"{self._random.getrandbits(64):016x}"
        start = START_MICROS + self._random.randrange(72) * HOUR_MICROS
        step = self._random.choice([1_000, 1_000_000, 30_000_000])
        batch = pa.RecordBatch.from_pydict({
            "timestamp": pa.array([start + row * step for row in range(rows)], TIMESTAMP),
            "device_id": pa.array([device] * rows, pa.string()),
            "type": pa.array([TYPES[row % len(TYPES)] for row in range(rows)], pa.string()),
            "value": pa.array([float(row) for row in range(rows)], pa.float64()),
            "latitude": pa.array([self._random.uniform(-90, 90)] * rows, pa.float64()),
            "longitude": pa.array([self._random.uniform(-180, 180)] * rows, pa.float64()),
            "metadata": pa.array([f'{{"nonce":"{nonce}"}}'] * rows, pa.string()),
        })  # fmt: skip
        return Intent(device, rows, rows * (rows - 1) / 2, nonce), batch


def stop_wanted() -> bool:
    """Tells whether the parent has closed stdin."""
    readable, _, _ = select.select([sys.stdin], [], [], 0)
    return bool(readable)


def main() -> None:
    """Runs one producer."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--name", required=True)
    arguments.add_argument("--ledger", type=Path, required=True)
    arguments.add_argument("--address", type=Path, required=True)
    arguments.add_argument("--seed", type=int, required=True)
    arguments.add_argument("--pause", type=float, required=True)
    given = arguments.parse_args()
    Producer(given.name, given.ledger, given.address, given.seed, given.pause).run()


if __name__ == "__main__":
    main()
