"""What goes in and out through Flight by real clients: empty data, decimals, units of time, and schemas that are kept."""

from __future__ import annotations

import datetime as dt
import decimal

import adbc_driver_flightsql.dbapi as flightsql
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.flight as flight
import pytest
from adbc_driver_flightsql import DatabaseOptions

from flight_client import START_MICROS, columns, connect, events, from_columns, put, query, scalar
from hexserver import Server

# Of each the planner says one thing about nulls before it optimises and another after.
STATEMENTS = [
    "SELECT DISTINCT ON (device_id) device_id, value FROM events ORDER BY device_id, timestamp DESC",
    "SELECT coalesce(latitude, 0) AS a, coalesce(latitude, 1) AS b FROM events",
    "SELECT coalesce(metadata->>'site', '') AS a, coalesce(metadata->>'site', '-') AS b FROM events",
    "SELECT latitude IS NOT NULL AS known, CASE WHEN latitude IS NOT NULL THEN value END AS v FROM events",
    "SELECT device_id, array_agg(value) AS v, count(*) AS n FROM events GROUP BY device_id",
    "SELECT a.value, b.value AS other FROM events a LEFT JOIN events b ON a.value = b.value + 5",
    "SELECT date_bin(INTERVAL '1 minute', timestamp) AS t, coalesce(avg(value), 0) AS v FROM events GROUP BY 1",
]


@pytest.fixture(scope="module", autouse=True)
def sent(server: Server) -> None:
    """Sends rows with and without positions."""
    nowhere = pa.array([None] * 5, pa.float64())
    with connect(server.flight_url) as client:
        put(client, events(20), events(5, "d2", latitude=nowhere, longitude=nowhere))


# --- Schemas


@pytest.mark.parametrize("sql", STATEMENTS)
def test_clients_that_compare_schemas_read_every_statement(
    server: Server, adbc: flightsql.Connection, sql: str
) -> None:
    with adbc.cursor() as cursor:
        cursor.execute(sql)
        table = cursor.fetch_arrow_table()
    assert table.num_rows > 0
    assert pl.read_database(sql, adbc).height == table.num_rows
    with connect(server.flight_url) as client:
        assert query(client, sql).schema.equals(table.schema)


# --- Empty data


def test_an_empty_table_and_an_empty_frame_are_no_rows(adbc: flightsql.Connection) -> None:
    whole = pa.Table.from_batches([events(3)])
    empties = [
        whole.slice(0, 0),
        pa.Table.from_batches([], whole.schema),
        pa.Table.from_batches([events(0), events(0)]),
        pa.Table.from_pandas(pd.DataFrame(columns=whole.column_names), preserve_index=False),
    ]
    with adbc.cursor() as cursor:
        for empty in empties:
            assert cursor.adbc_ingest("events", empty, mode="append") in (0, -1)
        assert cursor.adbc_ingest("events", pl.from_arrow(whole.slice(0, 0)).to_arrow(), mode="append") in (0, -1)
    for frame in (whole.to_pandas().iloc[:0], pd.DataFrame(columns=whole.column_names)):
        assert frame.to_sql("events", adbc, if_exists="append", index=False) in (0, -1, None)


def test_an_empty_batch_is_acknowledged_in_its_turn(client: flight.FlightClient) -> None:
    acks = put(client, events(2, "turn"), events(0, "turn"), events(3, "turn"))

    assert [ack["rows"] for ack in acks] == [2, 0, 3]
    assert acks[1] == {"table": "events", "rows": 0, "stream": None, "sequence": None}
    assert scalar(client, "SELECT count(*) FROM events WHERE device_id = 'turn'") == 5


# --- Decimals


def test_decimals_are_numbers(client: flight.FlightClient) -> None:
    values = [decimal.Decimal("99.03553410406639"), decimal.Decimal("-0.1")]
    for index, kind in enumerate([pa.decimal64(18, 14), pa.decimal128(20, 14), pa.decimal256(60, 14)]):
        device = f"decimal-{index}"
        put(client, events(2, device, value=pa.array(values, kind)))
        found = query(client, f"SELECT value FROM events WHERE device_id = '{device}' ORDER BY timestamp")
        assert found["value"].to_pylist() == [99.03553410406639, -0.1], kind


def test_a_decimal_parameter_finds_the_float_of_its_digits(
    client: flight.FlightClient, adbc: flightsql.Connection
) -> None:
    put(client, events(1, "exact", value=pa.array([99.03553410406639])))
    with adbc.cursor() as cursor:
        for value in (decimal.Decimal("99.03553410406639"), 99.03553410406639, "99.03553410406639"):
            cursor.execute("SELECT count(*) FROM events WHERE device_id = 'exact' AND value = ?", (value,))
            assert cursor.fetchall() == [(1,)], value


# --- Units of time


def test_a_header_or_a_session_asks_for_nanoseconds(server: Server, client: flight.FlightClient) -> None:
    sql = "SELECT timestamp FROM events WHERE device_id = 'device-1' ORDER BY timestamp LIMIT 1"
    options = flight.FlightCallOptions(headers=[(b"timestamp_unit", b"ns")])
    info = client.get_flight_info(flight.FlightDescriptor.for_command(sql.encode()), options)
    nanos = pa.timestamp("ns", "UTC")
    assert info.schema.types == [nanos]
    table = client.do_get(info.endpoints[0].ticket).read_all()
    assert table.schema.equals(info.schema)
    assert table["timestamp"].cast(pa.int64()).to_pylist() == [START_MICROS * 1_000]

    cookies = {DatabaseOptions.WITH_COOKIE_MIDDLEWARE.value: "true"}
    with flightsql.connect(server.flight_url, db_kwargs=cookies, autocommit=True) as session:
        session.adbc_connection.set_options(**{"adbc.flight.sql.session.option.timestamp_unit": "ns"})
        with session.cursor() as cursor:
            cursor.execute(sql)
            assert cursor.fetch_arrow_table().schema.types == [nanos]
            cursor.execute(sql + " OFFSET ?", (0,))
            assert cursor.fetch_arrow_table().schema.types == [nanos]
    assert query(client, sql).schema.types == [pa.timestamp("us", "UTC")]


def test_a_moment_between_two_microseconds_finds_what_a_literal_finds(
    client: flight.FlightClient, adbc: flightsql.Connection
) -> None:
    put(client, from_columns(columns(10, "nanos")))
    moment = pa.array([(START_MICROS + 4_000_000) * 1_000 + 500], pa.timestamp("ns", "UTC"))
    text = "2025-06-01T12:00:04.0000005Z"
    with adbc.cursor() as cursor:
        for operator, expected in ((">=", 5), ("<", 5), ("=", 0)):
            where = f"SELECT count(*) FROM events WHERE device_id = 'nanos' AND timestamp {operator}"
            assert scalar(client, f"{where} '{text}'") == expected
            for value in (moment, pa.array([text])):
                cursor.execute(f"{where} ?", pa.record_batch([value], ["x"]))
                assert cursor.fetchall() == [(expected,)], (operator, value)
        cursor.execute("SELECT count(*) FROM events WHERE device_id = 'nanos' AND timestamp < ?", ("2025-06-01 12:01",))
        assert cursor.fetchall() == [(10,)]
        cursor.execute("SELECT ?", (dt.datetime(2025, 6, 1, tzinfo=dt.timezone.utc),))
        assert cursor.fetchall() == [(dt.datetime(2025, 6, 1, tzinfo=dt.timezone.utc),)]
