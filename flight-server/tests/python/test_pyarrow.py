"""pyarrow against `serve`: DoPut with its acks, visibility, every accepted spelling and type, SQL over plain Flight."""

from __future__ import annotations

import json
import uuid
from datetime import datetime, timezone
from typing import Any

import h3
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.flight as flight
import pytest

from flight_client import (
    START_MICROS,
    START_SECONDS,
    columns,
    event_count,
    events,
    from_columns,
    put,
    query,
    read_ack,
    rows,
    scalar,
)

LATITUDE, LONGITUDE = 52.52, 13.405
ROWS = 3


def test_put_acknowledges_each_batch_with_table_rows_stream_and_sequence(client: flight.FlightClient) -> None:
    acks = put(client, events(5), events(7))

    assert [ack["rows"] for ack in acks] == [5, 7]
    assert {ack["table"] for ack in acks} == {"events"}
    assert len({uuid.UUID(ack["stream"]) for ack in acks}) == 1
    assert 1 <= acks[0]["sequence"] <= acks[1]["sequence"]


def test_batch_is_visible_as_soon_as_its_ack_is_read(client: flight.FlightClient) -> None:
    before = event_count(client)
    writer, reader = client.do_put(flight.FlightDescriptor.for_path("events"), events(1).schema)
    with writer:
        for sent in range(1, 51):
            writer.write_batch(events(10))
            assert read_ack(reader)["rows"] == 10
            assert event_count(client) == before + 10 * sent
        writer.done_writing()


def test_pipelined_batches_are_acknowledged_in_order(client: flight.FlightClient) -> None:
    before = event_count(client)
    sizes = [1 + index % 17 for index in range(200)]

    acks = put(client, *[events(size, "pipelined") for size in sizes])

    assert [ack["rows"] for ack in acks] == sizes
    sequences = [ack["sequence"] for ack in acks]
    assert sequences == sorted(sequences)
    assert event_count(client) == before + sum(sizes)


def test_large_batch_is_stored_whole(client: flight.FlightClient) -> None:
    count = 65_536
    put(client, events(count, "large-batch"))

    answer = rows(client, "SELECT count(*) AS n, sum(value) AS s FROM events WHERE device_id = 'large-batch'")

    assert answer == [{"n": count, "s": count * (count - 1) / 2}]


def test_sliced_batch_keeps_only_its_slice(client: flight.FlightClient) -> None:
    put(client, events(10, "sliced").slice(3, 4))

    values = query(client, "SELECT value FROM events WHERE device_id = 'sliced' ORDER BY value")

    assert values.column(0).to_pylist() == [3.0, 4.0, 5.0, 6.0]


def test_get_flight_info_gives_the_schema_and_one_endpoint(client: flight.FlightClient) -> None:
    command = flight.FlightDescriptor.for_command(b"SELECT device_id, value FROM events LIMIT 1")

    info = client.get_flight_info(command)

    assert info.schema.names == ["device_id", "value"]
    assert info.schema.field("value").type == pa.float64()
    assert len(info.endpoints) == 1


def test_answer_has_the_schema_that_flight_info_promised(client: flight.FlightClient) -> None:
    put(client, events(2, "schema"))
    command = flight.FlightDescriptor.for_command(b"SELECT * FROM events WHERE device_id = 'schema'")

    info = client.get_flight_info(command)
    table = client.do_get(info.endpoints[0].ticket).read_all()

    assert table.schema.equals(info.schema)
    assert table.schema.names == [
        "timestamp", "device_id", "type", "value", "latitude", "longitude", "h3", "metadata",
    ]  # fmt: skip
    assert table.schema.field("timestamp").type == pa.timestamp("us", tz="UTC")
    assert table.schema.field("h3").type == pa.int64()


def test_select_without_table_answers(client: flight.FlightClient) -> None:
    assert scalar(client, "SELECT 1") == 1


def test_empty_answer_keeps_its_columns(client: flight.FlightClient) -> None:
    table = query(client, "SELECT device_id, value FROM events WHERE device_id = 'nobody'")

    assert table.num_rows == 0
    assert table.schema.names == ["device_id", "value"]


def test_metadata_is_queried_with_json_operators(client: flight.FlightClient) -> None:
    put(client, events(2, "json"))

    answer = rows(client, "SELECT metadata->>'site' AS site, metadata->'floor' AS floor FROM events "
                          "WHERE device_id = 'json' AND metadata->>'site' = 'a' LIMIT 1")  # fmt: skip

    assert answer[0]["site"] == "a"


def test_abandoned_do_get_leaves_the_server_answering(client: flight.FlightClient) -> None:
    put(client, *[events(8_192, "abandoned") for _ in range(8)])
    command = flight.FlightDescriptor.for_command(b"SELECT a.value FROM events a CROSS JOIN events b")

    reader = client.do_get(client.get_flight_info(command).endpoints[0].ticket)
    reader.read_chunk()
    reader.cancel()

    assert scalar(client, "SELECT 1") == 1


def test_h3_is_derived_from_the_position(client: flight.FlightClient) -> None:
    put(client, events(1, "h3"))

    cell = scalar(client, "SELECT h3 FROM events WHERE device_id = 'h3'")

    assert cell == h3.str_to_int(h3.latlng_to_cell(LATITUDE, LONGITUDE, 9))


def test_events_without_position_have_no_cell(client: flight.FlightClient) -> None:
    put(client, events(2, "no-position", latitude=None, longitude=None))

    answer = rows(
        client, "SELECT DISTINCT latitude, longitude, h3 FROM events WHERE device_id = 'no-position'"
    )

    assert answer == [{"latitude": None, "longitude": None, "h3": None}]


def test_position_may_be_missing_in_single_rows(client: flight.FlightClient) -> None:
    latitude = pa.array([None, LATITUDE], pa.float64())
    longitude = pa.array([None, LONGITUDE], pa.float64())
    put(client, events(2, "half-position", latitude=latitude, longitude=longitude))

    answer = rows(client, "SELECT value, h3 IS NULL AS bare FROM events "
                          "WHERE device_id = 'half-position' ORDER BY value")  # fmt: skip

    assert answer == [{"value": 0.0, "bare": True}, {"value": 1.0, "bare": False}]


def renamed(**names: str) -> dict[str, pa.Array | None]:
    """Returns good columns with some of them under another name."""
    return {names.get(name, name): values for name, values in columns(ROWS).items()}


def replaced(**values: pa.Array | None) -> dict[str, pa.Array | None]:
    """Returns good columns with some of them replaced, added or dropped."""
    return columns(ROWS) | values


def cast(name: str, kind: pa.DataType) -> dict[str, pa.Array | None]:
    """Returns good columns with one of them in another type."""
    return replaced(**{name: columns(ROWS)[name].cast(kind)})


def located(**fields: pa.DataType) -> dict[str, pa.Array | None]:
    """Returns good columns with the position as a struct whose fields have the given names."""
    values = [
        pa.array([coordinate] * ROWS, kind)
        for coordinate, kind in zip((LATITUDE, LONGITUDE), fields.values())
    ]
    position = pa.StructArray.from_arrays(values, names=list(fields))
    return replaced(latitude=None, longitude=None, location=position)


def described(kind: pa.DataType, value: Any) -> dict[str, pa.Array | None]:
    """Returns good columns with the metadata in another type."""
    return replaced(metadata=pa.array([value] * ROWS, kind))


def timed(unit: str, zone: str | None) -> dict[str, pa.Array | None]:
    """Returns good columns with the timestamps in another unit and zone."""
    stamps = columns(ROWS)["timestamp"].cast(pa.timestamp(unit, tz="UTC"))
    return replaced(timestamp=stamps.cast(pa.timestamp(unit, tz=zone)))


SECONDS = pa.array([START_SECONDS + row for row in range(ROWS)], pa.int64())
DICTIONARY = pa.dictionary(pa.int32(), pa.string())
SITE_FLOOR = pa.struct([("site", pa.string()), ("floor", pa.int64())])

ACCEPTED = {
    "plain": replaced(),
    "ts": renamed(timestamp="ts"),
    "time": renamed(timestamp="time"),
    "metric_name_and_metric_value": renamed(type="metric_name", value="metric_value"),
    "lat_and_lon": renamed(latitude="lat", longitude="lon"),
    "lat_and_lng": renamed(latitude="lat", longitude="lng"),
    "location_struct": located(latitude=pa.float64(), longitude=pa.float64()),
    "columns_in_reverse": dict(reversed(columns(ROWS).items())),
    "int64_seconds": replaced(timestamp=SECONDS),
    "int64_seconds_as_ts": replaced(timestamp=None, ts=SECONDS),
    "timestamp_s": timed("s", "UTC"),
    "timestamp_ms": timed("ms", "UTC"),
    "timestamp_us_without_zone": timed("us", None),
    "timestamp_ns": timed("ns", "UTC"),
    "timestamp_in_berlin": timed("ms", "Europe/Berlin"),
    "timestamp_with_offset": timed("us", "+05:30"),
    "large_string": cast("device_id", pa.large_string()),
    "string_view": cast("device_id", pa.string_view()),
    "dictionary_device": cast("device_id", DICTIONARY),
    "dictionary_type": cast("type", DICTIONARY),
    "dictionary_of_large_string": cast("type", pa.dictionary(pa.int8(), pa.large_string())),
    "metadata_large_string": cast("metadata", pa.large_string()),
    "metadata_string_view": cast("metadata", pa.string_view()),
    "metadata_struct": described(SITE_FLOOR, {"site": "a", "floor": 3}),
}


@pytest.mark.parametrize("name", ACCEPTED)
def test_accepted_spelling_is_stored_as_the_plain_one(client: flight.FlightClient, name: str) -> None:
    sent = dict(ACCEPTED[name])
    sent["device_id"] = relabelled(sent["device_id"], name)

    put(client, from_columns(sent))

    stored = rows(client, f"SELECT * FROM events WHERE device_id = '{name}' ORDER BY value")
    assert [normalised(row) for row in stored] == [expected(row) for row in range(ROWS)]


def relabelled(device: pa.Array, name: str) -> pa.Array:
    """Returns the device column with another device in it, in the same type."""
    return pa.array([name] * len(device), pa.string()).cast(device.type)


def normalised(row: dict[str, Any]) -> dict[str, Any]:
    """Returns a stored row without its device and with its metadata parsed."""
    return {name: value for name, value in row.items() if name != "device_id"} | {
        "metadata": json.loads(row["metadata"])
    }


def expected(row: int) -> dict[str, Any]:
    """Returns row `row` of the good columns as the server must hold it."""
    return {
        "timestamp": datetime.fromtimestamp(START_SECONDS + row, timezone.utc),
        "type": "temperature",
        "value": float(row),
        "latitude": LATITUDE,
        "longitude": LONGITUDE,
        "h3": h3.str_to_int(h3.latlng_to_cell(LATITUDE, LONGITUDE, 9)),
        "metadata": {"site": "a", "floor": 3},
    }


def test_metadata_map_becomes_an_object(client: flight.FlightClient) -> None:
    kind = pa.map_(pa.string(), pa.string())
    sent = described(kind, [("site", "a"), ("quote", 'say "hi"\n')]) | {"device_id": pa.array(["map"] * ROWS)}

    put(client, from_columns(sent))

    stored = query(client, "SELECT metadata FROM events WHERE device_id = 'map'").column(0)
    assert [json.loads(text) for text in stored.to_pylist()] == [{"site": "a", "quote": 'say "hi"\n'}] * ROWS


@pytest.mark.parametrize("dropped", [{}, {"metadata": None}], ids=["null", "absent"])
def test_metadata_may_be_null_or_absent(
    client: flight.FlightClient, dropped: dict[str, None], request: Any
) -> None:
    device = request.node.name
    sent = replaced(metadata=pa.nulls(ROWS, pa.string())) | dropped | {"device_id": pa.array([device] * ROWS)}

    put(client, from_columns(sent))

    stored = query(client, f"SELECT metadata FROM events WHERE device_id = '{device}'").column(0)
    assert stored.to_pylist() == [None] * ROWS


def test_older_form_without_location_is_accepted(client: flight.FlightClient) -> None:
    older = {
        "ts": SECONDS,
        "device_id": pa.array(["older"] * ROWS),
        "metric_name": pa.array(["humidity"] * ROWS),
        "metric_value": pa.array([1.5] * ROWS),
    }

    put(client, from_columns(older))

    answer = rows(client, "SELECT count(*) AS n, min(type) AS t, sum(value) AS s, count(h3) AS cells "
                          "FROM events WHERE device_id = 'older'")  # fmt: skip
    assert answer == [{"n": ROWS, "t": "humidity", "s": 1.5 * ROWS, "cells": 0}]


def test_dictionary_that_changes_between_batches_is_followed(client: flight.FlightClient) -> None:
    first = events(ROWS, device_id=pa.array(["dictionary-1"] * ROWS).dictionary_encode())
    second = events(ROWS, device_id=pa.array(["dictionary-2"] * ROWS).dictionary_encode())

    put(client, first, second)

    answer = rows(client, "SELECT device_id, count(*) AS n FROM events WHERE device_id LIKE 'dictionary-_' "
                          "GROUP BY device_id ORDER BY device_id")  # fmt: skip
    assert answer == [{"device_id": "dictionary-1", "n": ROWS}, {"device_id": "dictionary-2", "n": ROWS}]


@pytest.mark.parametrize("codec", ["lz4", "zstd"])
def test_compressed_batches_are_accepted(client: flight.FlightClient, codec: str) -> None:
    batch = events(1_000, f"compressed-{codec}")
    options = flight.FlightCallOptions(write_options=pa.ipc.IpcWriteOptions(compression=codec))
    descriptor = flight.FlightDescriptor.for_path("events")
    writer, reader = client.do_put(descriptor, batch.schema, options=options)
    with writer:
        writer.write_batch(batch)
        writer.done_writing()
        assert read_ack(reader)["rows"] == 1_000

    stored = query(client, f"SELECT value FROM events WHERE device_id = 'compressed-{codec}'")
    assert pc.sum(stored.column(0)).as_py() == 999 * 1_000 / 2


def test_late_and_out_of_order_events_are_stored(client: flight.FlightClient) -> None:
    stamps = [START_MICROS - day * 86_400_000_000 for day in (0, 400, 3, 9_000)]
    put(client, events(4, "late", timestamp=pa.array(stamps, pa.timestamp("us", tz="UTC"))))

    found = query(client, "SELECT timestamp FROM events WHERE device_id = 'late' ORDER BY timestamp").column(
        0
    )

    assert found.cast(pa.int64()).to_pylist() == sorted(stamps)
