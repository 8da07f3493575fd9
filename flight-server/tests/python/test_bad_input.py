"""Bad input through real clients: the right gRPC code, a message with column, value and rule, nothing kept, server alive.

Batches and SQL go through pyarrow and ADBC; what those would refuse to send goes through hand-made gRPC messages.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import adbc_driver_flightsql.dbapi as flightsql
import adbc_driver_manager
import grpc
import pyarrow as pa
import pyarrow.flight as flight
import pytest

import raw_flight
from conftest import ServerFactory
from flight_client import (
    START_MICROS,
    START_SECONDS,
    TIMESTAMP,
    connect,
    event_count,
    events,
    put,
    query,
    read_ack,
    scalar,
)
from hexserver import Server

ROWS = 4
BAD_ROW = 2
MESSAGE_LIMIT = 64 << 20

# Rows of the batches that are damaged: their 8-byte columns fill whole units of 64 bytes, so that lengths need no padding.
GOOD_ROWS = 776


def one_bad(kind: pa.DataType, good: Any, bad: Any) -> pa.Array:
    """Returns a column of good values with a bad one at row 2."""
    return pa.array([bad if row == BAD_ROW else good for row in range(ROWS)], kind)


def numbers(good: float, bad: float | None) -> pa.Array:
    """Returns a Float64 column with one bad value."""
    return one_bad(pa.float64(), good, bad)


def texts(good: str, bad: str | None) -> pa.Array:
    """Returns a text column with one bad value."""
    return one_bad(pa.string(), good, bad)


def stamps(bad_micros: int) -> pa.Array:
    """Returns a timestamp column with one bad value."""
    return one_bad(TIMESTAMP, START_MICROS, bad_micros)


TWO_HOURS_AHEAD = int((time.time() + 7_200) * 1_000_000)


@dataclass(frozen=True)
class BadBatch:
    """Columns to replace in a good batch, and words that the refusal must contain."""

    columns: dict[str, pa.Array | None]
    named: tuple[str, ...]


BAD_BATCHES = {
    "missing_column": BadBatch({"device_id": None}, ("device_id",)),
    "unknown_column": BadBatch({"colour": texts("red", "blue")}, ("colour",)),
    "misspelled_column": BadBatch({"value": None, "vlaue": numbers(1.0, 2.0)}, ("vlaue", "value")),
    "column_under_two_spellings": BadBatch({"ts": stamps(START_MICROS)}, ("timestamp", "ts")),
    "h3_from_the_client": BadBatch({"h3": pa.array([1] * ROWS, pa.int64())}, ("h3",)),
    "value_as_text": BadBatch({"value": texts("1.5", "2.5")}, ("value", "Utf8", "float")),
    "device_id_as_number": BadBatch({"device_id": pa.array([7] * ROWS, pa.int64())}, ("device_id", "Int64")),
    "timestamp_as_text": BadBatch({"timestamp": texts("now", "then")}, ("timestamp",)),
    "null_timestamp": BadBatch(
        {"timestamp": one_bad(TIMESTAMP, START_MICROS, None)}, ("timestamp", "2", "null")
    ),
    "null_device_id": BadBatch({"device_id": texts("d", None)}, ("device_id", "2", "null")),
    "null_type": BadBatch({"type": texts("t", None)}, ("type", "2", "null")),
    "null_value": BadBatch({"value": numbers(1.0, None)}, ("value", "2", "null")),
    "empty_device_id": BadBatch({"device_id": texts("d", "")}, ("device_id", "2", "256")),
    "long_device_id": BadBatch({"device_id": texts("d", "x" * 300)}, ("device_id", "2", "300", "256")),
    "long_type": BadBatch({"type": texts("t", "x" * 257)}, ("type", "2", "257", "256")),
    "value_nan": BadBatch({"value": numbers(1.0, float("nan"))}, ("value", "2", "NaN", "finite")),
    "value_infinity": BadBatch({"value": numbers(1.0, float("inf"))}, ("value", "2", "inf", "finite")),
    "value_minus_infinity": BadBatch(
        {"value": numbers(1.0, float("-inf"))}, ("value", "2", "-inf", "finite")
    ),
    "latitude_91": BadBatch({"latitude": numbers(52.0, 91.0)}, ("latitude", "2", "91", "90")),
    "longitude_181": BadBatch({"longitude": numbers(13.0, -181.0)}, ("longitude", "2", "-181", "180")),
    "latitude_nan": BadBatch({"latitude": numbers(52.0, float("nan"))}, ("latitude", "2", "NaN")),
    "longitude_without_latitude": BadBatch({"latitude": numbers(52.0, None)}, ("latitude", "longitude", "2")),
    "longitude_without_latitude_column": BadBatch({"latitude": None}, ("latitude", "longitude")),
    "timestamp_in_the_future": BadBatch({"timestamp": stamps(TWO_HOURS_AHEAD)}, ("timestamp", "2", "ahead")),
    "timestamp_before_1970": BadBatch({"timestamp": stamps(-1)}, ("timestamp", "2", "1970")),
    "int64_milliseconds": BadBatch(
        {"timestamp": one_bad(pa.int64(), START_SECONDS, START_SECONDS * 1_000)},
        ("timestamp", "2", "looks like milliseconds"),
    ),
    "int64_before_1970": BadBatch(
        {"timestamp": one_bad(pa.int64(), START_SECONDS, -5)}, ("timestamp", "2", "1969-12-31T23:59:55", "1970")
    ),
    "metadata_not_json": BadBatch(
        {"metadata": texts("{}", "not json")}, ("metadata", "2", "not json", "JSON object")
    ),
    "metadata_array": BadBatch(
        {"metadata": texts("{}", "[1, 2]")}, ("metadata", "2", "[1, 2]", "JSON object")
    ),
    "metadata_text": BadBatch({"metadata": texts("{}", '"text"')}, ("metadata", "2", "JSON object")),
    "metadata_cut_off": BadBatch({"metadata": texts("{}", '{"a": 1')}, ("metadata", "2", "JSON object")),
    "metadata_empty": BadBatch({"metadata": texts("{}", "")}, ("metadata", "2", "JSON object")),
    "metadata_number": BadBatch({"metadata": pa.array([1] * ROWS, pa.int64())}, ("metadata", "Int64")),
}


@dataclass
class Kept:
    """Rows that a test expects to stay in the table."""

    rows: int = 0


@pytest.fixture(autouse=True)
def kept(server: Server) -> Iterator[Kept]:
    """Checks after each test that only the rows it expects were kept, and that the server goes on."""
    expected = Kept()
    with connect(server.flight_url) as before:
        count = event_count(before)
    yield expected
    assert server.exit_code() is None, server.log
    with connect(server.flight_url) as after:
        assert event_count(after) == count + expected.rows
        assert put(after, events(1, "still alive"))[0]["rows"] == 1


@pytest.mark.parametrize("name", BAD_BATCHES)
def test_bad_batch_is_refused_whole(client: flight.FlightClient, name: str) -> None:
    bad = BAD_BATCHES[name]

    with pytest.raises(pa.ArrowInvalid) as refused:
        put(client, events(ROWS, **bad.columns))

    for word in bad.named:
        assert word in str(refused.value)


@pytest.mark.parametrize("name", ["latitude_91", "value_nan", "missing_column"])
def test_bad_ingest_is_a_programming_error(adbc: flightsql.Connection, name: str) -> None:
    bad = BAD_BATCHES[name]

    with adbc.cursor() as cursor, pytest.raises(adbc_driver_manager.ProgrammingError) as refused:
        cursor.adbc_ingest("events", events(ROWS, **bad.columns), mode="append")

    assert refused.value.status_code == adbc_driver_manager.AdbcStatusCode.INVALID_ARGUMENT
    assert bad.named[0] in str(refused.value)


@pytest.mark.parametrize("name", ["device_id", "type"])
def test_refusal_does_not_repeat_a_long_value(client: flight.FlightClient, name: str) -> None:
    with pytest.raises(pa.ArrowInvalid) as refused:
        put(client, events(ROWS, **{name: texts("d", "x" * 100_000)}))

    assert len(str(refused.value)) < 2_000


def test_refusal_names_the_first_bad_rows_only(client: flight.FlightClient) -> None:
    with pytest.raises(pa.ArrowInvalid, match="latitude") as refused:
        put(client, events(50_000, latitude=pa.array([91.0] * 50_000)))

    assert len(str(refused.value)) < 2_000


def test_zero_column_schema_is_refused(client: flight.FlightClient) -> None:
    with pytest.raises(pa.ArrowInvalid, match="column"):
        put(client, pa.RecordBatch.from_pydict({}))


def test_column_twice_is_refused(client: flight.FlightClient) -> None:
    good = events(ROWS)
    names = [*good.schema.names, "value"]

    with pytest.raises(pa.ArrowInvalid, match="value"):
        put(client, pa.RecordBatch.from_arrays([*good.columns, good.column("value")], names=names))


@pytest.mark.parametrize("table", ["nowhere", "", "Events", "../events"])
def test_unknown_table_is_not_found(client: flight.FlightClient, table: str) -> None:
    with pytest.raises((KeyError, pa.ArrowInvalid), match="events"):
        put(client, events(ROWS), table=table)


def test_path_of_two_parts_is_refused(client: flight.FlightClient) -> None:
    descriptor = flight.FlightDescriptor.for_path("events", "more")
    writer, _ = client.do_put(descriptor, events(1).schema)

    with pytest.raises((KeyError, pa.ArrowInvalid)):
        writer.close()


def test_command_that_is_not_flight_sql_is_refused(client: flight.FlightClient) -> None:
    writer, _ = client.do_put(flight.FlightDescriptor.for_command(b"events"), events(1).schema)

    with pytest.raises((pa.ArrowInvalid, NotImplementedError)):
        writer.close()


def test_batches_before_a_bad_one_are_kept(client: flight.FlightClient, kept: Kept) -> None:
    good, bad = events(ROWS), events(ROWS, value=numbers(1.0, float("nan")))
    writer, reader = client.do_put(flight.FlightDescriptor.for_path("events"), good.schema)
    writer.write_batch(good)
    assert read_ack(reader)["rows"] == ROWS

    with pytest.raises(pa.ArrowInvalid, match="NaN"):
        send_and_finish(writer, reader, bad)

    kept.rows = ROWS


def send_and_finish(
    writer: flight.FlightStreamWriter, reader: flight.FlightMetadataReader, batch: pa.RecordBatch
) -> None:
    """Sends one more batch, expects no ack, and ends the stream, which raises what the server said."""
    try:
        writer.write_batch(batch)
        writer.done_writing()
        assert read_ack(reader) is None
    finally:
        writer.close()


def test_put_that_is_cut_off_keeps_what_was_acknowledged(server: Server, kept: Kept) -> None:
    with connect(server.flight_url) as cut:
        writer, reader = cut.do_put(flight.FlightDescriptor.for_path("events"), events(ROWS).schema)
        writer.write_batch(events(ROWS))
        assert read_ack(reader)["rows"] == ROWS
        # Neither `done_writing` nor `close`: the client goes away in the middle of the stream.

    kept.rows = ROWS


def test_put_that_stops_within_a_message_keeps_nothing(server: Server) -> None:
    whole = raw_flight.batch_message(events(ROWS)).encode()

    acks, code, _ = raw_put(server, whole[: len(whole) // 2])

    assert (acks, code) == (0, code) and code in MALFORMED


def test_message_without_data_is_passed_over(server: Server) -> None:
    acks, code, _ = raw_put(server, b"")

    assert (acks, code) == (0, grpc.StatusCode.OK)


def test_schema_without_batches_keeps_nothing(server: Server) -> None:
    acks, code, _ = raw_put(server)

    assert (acks, code) == (0, grpc.StatusCode.OK)


MALFORMED = (grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.INTERNAL)


def raw_put(server: Server, *messages: raw_flight.Message | bytes) -> tuple[int, grpc.StatusCode, str]:
    """Sends the schema of good events, then `messages`."""
    schema = raw_flight.schema_message(events(1).schema)
    return raw_flight.put(server.flight_url.removeprefix("grpc://"), [schema, *messages])


def good_message() -> raw_flight.Message:
    """Returns the message of a good batch."""
    return raw_flight.batch_message(events(GOOD_ROWS))


def garbage() -> raw_flight.Message:
    """Returns a header that is no flatbuffer."""
    return raw_flight.Message(header=b"\xff" * 64, body=b"\x00" * 64)


def cut_header() -> raw_flight.Message:
    """Returns a header that ends in the middle."""
    whole = good_message()
    return raw_flight.Message(header=whole.header[: len(whole.header) // 2], body=whole.body)


def cut_body() -> raw_flight.Message:
    """Returns a body that is shorter than its header says."""
    whole = good_message()
    return raw_flight.Message(header=whole.header, body=whole.body[:100])


def no_body() -> raw_flight.Message:
    """Returns a batch whose body was left out."""
    return raw_flight.Message(header=good_message().header)


def huge_buffer() -> raw_flight.Message:
    """Returns a batch whose value buffer claims to be 4 EiB long."""
    return good_message().with_length(GOOD_ROWS * 8, 1 << 62)


def negative_buffer() -> raw_flight.Message:
    """Returns a batch whose value buffer claims a negative length."""
    return good_message().with_length(GOOD_ROWS * 8, -8)


def more_rows_than_data() -> raw_flight.Message:
    """Returns a batch that claims 2^40 rows."""
    return good_message().with_length(GOOD_ROWS, 1 << 40)


def negative_rows() -> raw_flight.Message:
    """Returns a batch that claims fewer than no rows."""
    return good_message().with_length(GOOD_ROWS, -1)


def offsets_backwards() -> raw_flight.Message:
    """Returns a batch whose text offsets point outside their data."""
    whole = good_message()
    offsets = (8).to_bytes(4, "little") + (16).to_bytes(4, "little")
    assert offsets in whole.body
    bad = (0x7FFF_FFF0).to_bytes(4, "little") + (16).to_bytes(4, "little")
    return raw_flight.Message(header=whole.header, body=whole.body.replace(offsets, bad, 1))


def text_that_is_not_utf8() -> raw_flight.Message:
    """Returns a batch whose device ids are no UTF-8."""
    whole = good_message()
    return raw_flight.Message(header=whole.header, body=whole.body.replace(b"device-1", b"\xff" * 8))


def schema_twice() -> raw_flight.Message:
    """Returns a second schema where a batch belongs."""
    return raw_flight.schema_message(pa.schema([("other", pa.int32())]))


def not_protobuf() -> bytes:
    """Returns bytes that are no protobuf."""
    return b"\xff" * 33


@pytest.mark.parametrize(
    "make",
    [
        garbage, cut_header, cut_body, no_body, huge_buffer, negative_buffer, more_rows_than_data, negative_rows,
        offsets_backwards, text_that_is_not_utf8, schema_twice, not_protobuf,
    ],
)  # fmt: skip
def test_malformed_message_is_refused(server: Server, make: Callable[[], raw_flight.Message | bytes]) -> None:
    acks, code, text = raw_put(server, make())

    assert acks == 0
    assert code in (MALFORMED if make is not_protobuf else MALFORMED[:1]), f"{code}: {text}"
    assert text and "panic" not in text


@pytest.mark.parametrize("codec", ["lz4", "zstd"])
@pytest.mark.parametrize("length", [1 << 20, 1 << 62, -2, 0])
def test_lying_decompressed_length_is_refused(server: Server, codec: str, length: int) -> None:
    good = raw_flight.batch_message(events(GOOD_ROWS), codec)
    stored = (GOOD_ROWS * 8).to_bytes(8, "little")
    assert stored in good.body
    lying = raw_flight.Message(
        good.header, good.body.replace(stored, length.to_bytes(8, "little", signed=True))
    )

    acks, code, text = raw_put(server, lying)

    assert acks == 0
    assert code in (grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.RESOURCE_EXHAUSTED), f"{code}: {text}"


@pytest.mark.parametrize("codec", ["lz4", "zstd"])
def test_decompression_bomb_is_refused(server: Server, codec: str) -> None:
    rows = 2_000_000
    bomb = raw_flight.batch_message(constant_events(rows), codec)
    assert len(bomb.body) < MESSAGE_LIMIT // 2 < MESSAGE_LIMIT < rows * 60

    acks, code, text = raw_put(server, bomb)

    assert acks == 0
    assert code in (grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.RESOURCE_EXHAUSTED), f"{code}: {text}"


def constant_events(rows: int) -> pa.RecordBatch:
    """Returns good events that are all alike, so that they compress to nearly nothing."""
    one = events(1)
    columns = [pa.repeat(column[0], rows) for column in one.columns]
    return pa.RecordBatch.from_arrays(columns, schema=one.schema)


def test_message_over_the_limit_is_refused(client: flight.FlightClient) -> None:
    rows = 2_000_000

    with pytest.raises((pa.ArrowException, OSError), match="(?i)max-message|limit|too large") as refused:
        put(client, constant_events(rows))

    assert str(MESSAGE_LIMIT) in str(refused.value) or "64" in str(refused.value)


def test_message_limit_follows_its_flag(make_server: ServerFactory) -> None:
    with make_server("--max-message", "64KiB") as small, connect(small.flight_url) as client:
        assert put(client, events(100))[0]["rows"] == 100
        with pytest.raises((pa.ArrowException, OSError), match="(?i)max-message|limit|too large"):
            put(client, events(10_000))
        assert event_count(client) == 100


MANY_TERMS = "SELECT " + "+".join(["1"] * 5_000)
DEEP_PARENTHESES = "SELECT " + "(" * 5_000 + "1" + ")" * 5_000
MANY_PREDICATES = "SELECT count(*) FROM events WHERE " + " OR ".join(f"value = {n}" for n in range(5_000))

BAD_SQL = {
    "unknown_function": ("SELECT frobnicate(value) FROM events", ("frobnicate",)),
    "unknown_column": ("SELECT vlaue FROM events", ("vlaue",)),
    "unknown_table": ("SELECT 1 FROM evnts", ("evnts",)),
    "syntax_error": ("SELECT FROM WHERE", ()),
    "unfinished_text": ("SELECT 'a FROM events", ()),
    "empty": ("", ()),
    "two_statements": ("SELECT 1; SELECT 2", ()),
    "copy": ("COPY events TO '/tmp/out.parquet'", ("COPY",)),
    "copy_query": ("COPY (SELECT 1) TO '/tmp/out.csv'", ("COPY",)),
    "create_external_table": (
        "CREATE EXTERNAL TABLE passwd STORED AS CSV LOCATION '/etc/passwd'",
        ("CREATE",),
    ),
    "create_table": ("CREATE TABLE other AS SELECT 1", ("CREATE",)),
    "create_view": ("CREATE VIEW other AS SELECT 1", ("CREATE",)),
    "create_function": ("CREATE FUNCTION f(DOUBLE) RETURNS DOUBLE RETURN $1", ("CREATE",)),
    "insert": ("INSERT INTO events (device_id) VALUES ('a')", ("INSERT",)),
    "update": ("UPDATE events SET value = 0", ("UPDATE",)),
    "delete": ("DELETE FROM events", ("DELETE",)),
    "truncate": ("TRUNCATE TABLE events", ("TRUNCATE",)),
    "drop": ("DROP TABLE events", ("DROP",)),
    "set": ("SET datafusion.execution.batch_size = 1", ("SET",)),
    "begin": ("BEGIN", ()),
    "explain_analyze_insert": ("EXPLAIN ANALYZE INSERT INTO events SELECT * FROM events", ()),
    "file_as_table": ("SELECT * FROM '/etc/passwd'", ()),
    "many_terms": (MANY_TERMS, ()),
    "deep_parentheses": (DEEP_PARENTHESES, ()),
    "missing_parameter": ("SELECT $1", ()),
}


@pytest.mark.parametrize("name", BAD_SQL)
def test_bad_sql_is_refused_over_plain_flight(client: flight.FlightClient, name: str) -> None:
    sql, named = BAD_SQL[name]

    with pytest.raises((pa.ArrowInvalid, KeyError)) as refused:
        query(client, sql)

    for word in named:
        assert word in str(refused.value)
    assert len(str(refused.value)) < 4_000


@pytest.mark.parametrize("name", [name for name in BAD_SQL if name != "missing_parameter"])
def test_bad_sql_is_a_programming_error_over_adbc(adbc: flightsql.Connection, name: str) -> None:
    sql, named = BAD_SQL[name]

    with adbc.cursor() as cursor, pytest.raises(adbc_driver_manager.ProgrammingError) as refused:
        cursor.execute(sql)
        cursor.fetchall()

    for word in named:
        assert word in str(refused.value)


@pytest.mark.parametrize("sql", [MANY_TERMS, DEEP_PARENTHESES], ids=["many_terms", "deep_parentheses"])
def test_prepare_of_an_endless_statement_is_refused(adbc: flightsql.Connection, sql: str) -> None:
    with adbc.cursor() as cursor, pytest.raises(adbc_driver_manager.ProgrammingError):
        cursor.adbc_prepare(sql)


def test_many_predicates_are_answered_or_refused(client: flight.FlightClient) -> None:
    try:
        assert scalar(client, MANY_PREDICATES) >= 0
    except pa.ArrowInvalid as refused:
        assert "token" in str(refused)


def test_forged_ticket_is_refused(client: flight.FlightClient) -> None:
    with pytest.raises((pa.ArrowInvalid, KeyError, NotImplementedError)):
        client.do_get(flight.Ticket(b"\xff\x00 not a ticket")).read_all()


def test_unknown_action_is_refused(client: flight.FlightClient) -> None:
    with pytest.raises((pa.ArrowInvalid, KeyError, NotImplementedError)):
        list(client.do_action(flight.Action("Frobnicate", b"")))
