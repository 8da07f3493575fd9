"""The pyarrow side of the tests: event batches, DoPut with acks, SQL through GetFlightInfo and DoGet.

Batches are built from plain lists, so that a test can replace or drop a single column. Never decides what is right.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

import pyarrow as pa
import pyarrow.flight as flight

TIMESTAMP = pa.timestamp("us", tz="UTC")
HOUR_MICROS = 3_600_000_000

# 2025-06-01T12:00:00Z, the first event of every test batch.
START_SECONDS = 1_748_779_200
START_MICROS = START_SECONDS * 1_000_000

Ack = dict[str, Any]


def columns(rows: int, device: str = "device-1", start_micros: int = START_MICROS) -> dict[str, pa.Array]:
    """Returns the columns of `rows` good events of one device, a second apart, `value` counting from 0."""
    return {
        "timestamp": pa.array([start_micros + 1_000_000 * row for row in range(rows)], TIMESTAMP),
        "device_id": pa.array([device] * rows, pa.string()),
        "type": pa.array(["temperature"] * rows, pa.string()),
        "value": pa.array([float(row) for row in range(rows)], pa.float64()),
        "latitude": pa.array([52.52] * rows, pa.float64()),
        "longitude": pa.array([13.405] * rows, pa.float64()),
        "metadata": pa.array(['{"site":"a","floor":3}'] * rows, pa.string()),
    }


def events(rows: int, device: str = "device-1", **replaced: pa.Array | None) -> pa.RecordBatch:
    """Returns a good batch with some columns `replaced` or added; `None` drops a column."""
    return from_columns(columns(rows, device) | replaced)


def from_columns(named: Mapping[str, pa.Array | None]) -> pa.RecordBatch:
    """Returns a batch of the columns that are not `None`."""
    return pa.RecordBatch.from_pydict({name: values for name, values in named.items() if values is not None})


def connect(url: str) -> flight.FlightClient:
    """Returns a client with a connection of its own, which never waits out the back-off of another one."""
    return flight.FlightClient(url, generic_options=[("grpc.use_local_subchannel_pool", 1)])


def put(client: flight.FlightClient, *batches: pa.RecordBatch, table: str = "events") -> list[Ack]:
    """Sends all `batches` in one DoPut and returns the acks; raises what the server refused with."""
    descriptor = flight.FlightDescriptor.for_path(table)
    writer, reader = client.do_put(descriptor, batches[0].schema)
    acks: list[Ack] = []
    try:
        for batch in batches:
            writer.write_batch(batch)
        writer.done_writing()
        acks.extend(read_acks(reader))
    finally:
        writer.close()
    return acks


def read_acks(reader: flight.FlightMetadataReader) -> Iterable[Ack]:
    """Yields the acks until the server ends the stream."""
    while (ack := read_ack(reader)) is not None:
        yield ack


def read_ack(reader: flight.FlightMetadataReader) -> Ack | None:
    """Returns the next ack, `None` at the end of the stream."""
    message = reader.read()
    return None if message is None else json.loads(message.to_pybytes())


def query(client: flight.FlightClient, sql: str) -> pa.Table:
    """Runs `sql` as a plain Flight command; what comes must be what was announced."""
    info = client.get_flight_info(flight.FlightDescriptor.for_command(sql.encode()))
    table = client.do_get(info.endpoints[0].ticket).read_all()
    assert table.schema.equals(info.schema, check_metadata=True), f"{sql}\n{info.schema}\n\n{table.schema}"
    return table


def rows(client: flight.FlightClient, sql: str) -> list[dict[str, Any]]:
    """Returns the rows of an answer as dictionaries."""
    return query(client, sql).to_pylist()


def scalar(client: flight.FlightClient, sql: str) -> Any:
    """Returns the only value of an answer of one row and one column."""
    table = query(client, sql)
    assert table.shape == (1, 1), f"{sql}: {table.shape}"
    return table.column(0)[0].as_py()


def event_count(client: flight.FlightClient) -> int:
    """Returns how many events the server holds."""
    return scalar(client, "SELECT count(*) FROM events")
