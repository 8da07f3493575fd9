"""Flight SQL as clients speak it: ADBC, Polars and pandas themselves; Grafana, flightsql-dbapi and JDBC call by call.

The call sequences were read from the clients' sources; each test names its source.
"""

from __future__ import annotations

import datetime as dt
import decimal
import warnings
from collections.abc import Iterator
from typing import Any

import adbc_driver_flightsql
import adbc_driver_flightsql.dbapi as flightsql
import adbc_driver_manager
import grpc
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from flight_client import START_MICROS, connect, events, put
from hexserver import Server
from raw_flight import bytes_field, varint
from raw_flight_sql import RawClient, any_of, fields_of, packed, text, unpacked, whole

UTC = dt.timezone.utc
START = dt.datetime.fromtimestamp(START_MICROS / 1e6, UTC)

COLUMNS = ["timestamp", "device_id", "type", "value", "latitude", "longitude", "h3", "metadata"]

# Runs for ages, and yields its first rows at once.
ENDLESS = "SELECT * FROM generate_series(1, 100000000000)"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with 1,000 events of a device, value 0 to 999, a second apart."""
    with Server(tmp_path_factory.mktemp("clients") / "data") as running:
        with connect(running.flight_url) as client:
            put(client, events(1_000, "d"))
        yield running


@pytest.fixture
def raw(server: Server) -> Iterator[RawClient]:
    """A client that builds its messages by hand."""
    with grpc.insecure_channel(server.flight_url.removeprefix("grpc://")) as channel:
        yield RawClient(channel)


def fetch(adbc: flightsql.Connection, sql: str, parameters: Any = None) -> list[tuple[Any, ...]]:
    """Runs one statement and returns its rows."""
    with adbc.cursor() as cursor:
        cursor.execute(sql, parameters)
        return cursor.fetchall()


# --- The catalog

GET_TABLES = "CommandGetTables"


def tables(*fields: bytes) -> bytes:
    """Returns `CommandGetTables`: catalog 1, schema pattern 2, table pattern 3, types 4, with columns 5."""
    return any_of(GET_TABLES, *fields)


@pytest.mark.parametrize(
    ("fields", "found"),
    [
        ((text(1, "hexflight"), text(2, "public")), 1),
        ((text(1, "elsewhere"),), 0),
        ((text(1, "HEXFLIGHT"),), 0),
        ((text(1, ""),), 0),
        ((text(2, "public"),), 1),
        ((text(2, "p%c"),), 1),
        ((text(2, ""),), 0),
        ((text(2, "p%"),), 1),
        ((text(3, "events"),), 1),
        ((text(3, "%vent%"),), 1),
        ((text(3, "e_ents"),), 1),
        ((text(3, "e_nts"),), 0),
        ((text(3, "event\\_"),), 0),
        ((text(3, "\\events"),), 1),
        ((text(3, "event\\%"),), 0),
        ((text(3, "e.*"),), 0),
        ((text(4, "TABLE"),), 1),
        ((text(4, "BASE TABLE"),), 1),
        ((text(4, "table"),), 1),
        ((text(4, "VIEW"),), 0),
        ((text(4, "VIEW"), text(4, "TABLE")), 1),
        ((text(4, "TABLE"), text(4, "BASE TABLE")), 1),
        ((text(4, ""),), 0),
        ((text(1, "hexflight"), text(2, "public"), text(3, "events"), text(4, "TABLE"), whole(5, 1)), 1),
    ],
    ids=str,
)
def test_tables_are_found_by_filter(raw: RawClient, fields: tuple[bytes, ...], found: int) -> None:
    answer = raw.ask(tables(*fields))

    assert answer.num_rows == found
    assert answer.select(range(4)).to_pylist() == [
        {
            "catalog_name": "hexflight",
            "db_schema_name": "public",
            "table_name": "events",
            "table_type": "BASE TABLE",
        }
    ] * found


@pytest.mark.parametrize(
    ("fields", "found"),
    [
        ((), ["public", "system"]),
        ((text(1, "hexflight"),), ["public", "system"]),
        ((text(1, ""),), []),
        ((text(2, "pub%"),), ["public"]),
        ((text(2, "x"),), []),
    ],
    ids=str,
)
def test_schemas_are_found_by_filter(raw: RawClient, fields: tuple[bytes, ...], found: list[str]) -> None:
    answer = raw.ask(any_of("CommandGetDbSchemas", *fields))

    assert answer.to_pylist() == [{"catalog_name": "hexflight", "db_schema_name": name} for name in found]


@pytest.mark.parametrize(
    "fields", [(text(2, "system"),), (text(3, "quer%"),), (text(4, "system table"),), (text(2, "s%"), whole(5, 1))], ids=str
)
def test_the_table_of_queries_is_listed_and_can_be_read(raw: RawClient, fields: tuple[bytes, ...]) -> None:
    (listed,) = raw.ask(tables(*fields)).select(range(4)).to_pylist()

    assert list(listed.values()) == ["hexflight", "system", "queries", "SYSTEM TABLE"]
    assert raw.ask(any_of("CommandStatementQuery", text(1, "SELECT 40 + 2"))).num_rows == 1
    sql = "SELECT state, rows_returned, error FROM system.queries WHERE sql = 'SELECT 40 + 2' ORDER BY query_id DESC LIMIT 1"
    answer = raw.ask(any_of("CommandStatementQuery", text(1, sql)))
    assert answer.to_pylist() == [{"state": "finished", "rows_returned": 1, "error": None}]


def test_without_a_filter_all_tables_are_listed(raw: RawClient) -> None:
    assert raw.ask(tables()).column("table_name").to_pylist() == ["events", "queries"]


@pytest.mark.parametrize(("data_type", "names"), [(12, ["VARCHAR"]), (8, ["DOUBLE"]), (4_711, []), (-5, ["BIGINT"])])
def test_types_are_found_by_number(raw: RawClient, data_type: int, names: list[str]) -> None:
    answer = raw.ask(any_of("CommandGetXdbcTypeInfo", whole(1, data_type & (1 << 64) - 1)))

    assert answer.column("type_name").to_pylist() == names


STATEMENTS = [
    "SELECT 1",
    "SELECT * FROM events",
    "SELECT device_id, count(*), avg(value) AS mean, min(timestamp) FROM events GROUP BY device_id",
    "SELECT count(*) FILTER (WHERE value > 3) AS n, sum(value) OVER () FROM events GROUP BY value",
    "SELECT a.value, b.type FROM events a LEFT JOIN events b ON a.h3 = b.h3 AND a.value = b.value + 1",
    "SELECT value FROM events UNION ALL SELECT NULL",
    "SELECT metadata->>'site' AS site, metadata->'floor', CASE WHEN value > 1 THEN 'a' END FROM events",
    "SELECT coalesce(latitude, 0), now(), INTERVAL '1 hour', CAST(value AS DECIMAL(10, 2)) FROM events LIMIT 1",
    "WITH x AS (SELECT DISTINCT type FROM events) SELECT * FROM x WHERE type IN (SELECT type FROM events)",
    "SELECT value FROM events ORDER BY value LIMIT 3",
    "SELECT * FROM events WHERE false",
    "VALUES (1, 'a'), (2, NULL)",
    "EXPLAIN SELECT * FROM events",
    "EXPLAIN ANALYZE SELECT count(*) FROM events",
    "SHOW TABLES",
    "SHOW COLUMNS FROM events",
    "DESCRIBE events",
    "SELECT * FROM information_schema.columns",
]

EVERY_COMMAND = {
    "sql info": any_of("CommandGetSqlInfo"),
    "one sql info": any_of("CommandGetSqlInfo", packed(1, [0])),
    "unknown sql info": any_of("CommandGetSqlInfo", packed(1, [99_999])),
    "catalogs": any_of("CommandGetCatalogs"),
    "schemas": any_of("CommandGetDbSchemas"),
    "tables": tables(),
    "tables with columns": tables(whole(5, 1)),
    "no tables": tables(text(4, "VIEW")),
    "table types": any_of("CommandGetTableTypes"),
    "types": any_of("CommandGetXdbcTypeInfo"),
    "primary keys": any_of("CommandGetPrimaryKeys", text(3, "events")),
    "exported keys": any_of("CommandGetExportedKeys", text(3, "events")),
    "imported keys": any_of("CommandGetImportedKeys", text(3, "events")),
    "cross reference": any_of("CommandGetCrossReference", text(3, "events"), text(6, "events")),
} | {sql: any_of("CommandStatementQuery", text(1, sql)) for sql in STATEMENTS}


@pytest.mark.parametrize("command", EVERY_COMMAND.values(), ids=EVERY_COMMAND)
def test_info_schema_and_stream_tell_one_schema(raw: RawClient, command: bytes) -> None:
    info = raw.info(command)
    streamed = raw.get(info.tickets[0]).schema

    assert info.schema is not None
    assert info.schema.equals(streamed, check_metadata=True), f"{info.schema}\n\n{streamed}"
    assert raw.schema(command).equals(streamed, check_metadata=True)


@pytest.mark.parametrize("sql", STATEMENTS)
def test_a_prepared_statement_tells_the_schema_of_its_stream(raw: RawClient, sql: str) -> None:
    prepared = raw.prepare(sql)
    command = any_of("CommandPreparedStatementQuery", bytes_field(1, prepared[1][0]))

    told = pa.ipc.read_schema(pa.py_buffer(prepared[2][0]))

    assert told.equals(raw.ask(command).schema, check_metadata=True)
    assert told.equals(raw.schema(command), check_metadata=True)


@pytest.mark.parametrize(
    ("sql", "value"),
    [
        ("SELECT value FROM events WHERE value > ?", pa.array([3])),
        ("SELECT coalesce(value, value + ?) AS v, ? + latitude AS w FROM events LIMIT 1", pa.array([1.5])),
        ("SELECT CASE WHEN value > ? THEN value END FROM events WHERE value < ?", pa.array([1.5])),
        ("SELECT * FROM events WHERE timestamp >= ? LIMIT 1", pa.array(["2025-06-01T12:00:00Z"])),
    ],
)
def test_a_bound_statement_announces_the_schema_of_its_stream(raw: RawClient, sql: str, value: pa.Array) -> None:
    prepared = raw.prepare(sql)
    command = any_of("CommandPreparedStatementQuery", bytes_field(1, prepared[1][0]))
    count = sql.count("?")
    raw.put(command, pa.record_batch([value] * count, [f"p{index}" for index in range(count)]))

    info = raw.info(command)

    assert info.schema is not None
    assert info.schema.equals(raw.get(info.tickets[0]).schema, check_metadata=True)


# The infos that `ArrowDatabaseMetadata` of the JDBC driver asks for, by the type that it casts them to. Up to 18.3 a missing one
# is a NullPointerException. Source: apache/arrow-java, flight-sql-jdbc-core, ArrowDatabaseMetadata.java
JDBC_STRINGS = [0, 1, 2, 504, 513, 514, 529, 530, 531]
JDBC_FLAGS = [3, 515, 516, 518, 519, 520, 521, 523, 524, 527, 532, 536, 537, 539, 556, 563, 565, 566, 572, 573, 574, 575, 576]
JDBC_LONGS = [*range(541, 556), 557, 558, 559, 560, 561, 562]
JDBC_MASKS = [522, 525, 526, 528, 533, 534, 535, 538, 540, 564, 567]
JDBC_LISTS = [508, 509, 510, 511, 512]
JDBC_MAPS = [517]
UNION = ["string_value", "bool_value", "bigint_value", "int32_bitmask", "string_list", "int32_to_int32_list_map"]


def test_jdbc_finds_every_info_in_the_type_it_expects(raw: RawClient) -> None:
    answer = raw.ask(any_of("CommandGetSqlInfo")).combine_chunks()
    value = answer.column("value").chunk(0)
    assert [value.type.field(code).name for code in range(6)] == UNION
    kinds = dict(zip(answer.column("info_name").to_pylist(), value.type_codes.to_pylist(), strict=True))

    wanted = [JDBC_STRINGS, JDBC_FLAGS, JDBC_LONGS, JDBC_MASKS, JDBC_LISTS, JDBC_MAPS]
    for kind, infos in enumerate(wanted):
        assert {info: kinds.get(info) for info in infos} == dict.fromkeys(infos, kind), UNION[kind]


def sql_info(raw: RawClient, *infos: int) -> dict[int, Any]:
    """Returns infos by number."""
    answer = raw.ask(any_of("CommandGetSqlInfo", packed(1, infos)))
    return {row["info_name"]: row["value"] for row in answer.to_pylist()}


def test_infos_say_what_is_so(raw: RawClient) -> None:
    told = sql_info(raw, 0, 3, 4, 5, 8, 9, 10, 11, 504, 529, 563)

    assert told == {
        0: "Hexflight",
        3: False,  # read only
        4: True,  # SQL
        5: False,  # Substrait
        8: 0,  # no transactions
        9: True,  # cancel
        10: True,  # bulk ingestion
        11: False,  # in a transaction
        504: '"',
        529: "schema",
        563: False,  # transactions
    }
    assert sql_info(raw, 99_999) == {}


# --- Actions


def test_actions_are_exactly_those_that_work(raw: RawClient) -> None:
    handle = raw.prepare("SELECT 1")[1][0]
    info = raw.info(any_of("CommandStatementQuery", text(1, "SELECT 1")))
    endpoint = fields_of(info.message)[3][0]
    bodies = {
        "CreatePreparedStatement": any_of("ActionCreatePreparedStatementRequest", text(1, "SELECT 1")),
        "ClosePreparedStatement": any_of("ActionClosePreparedStatementRequest", bytes_field(1, handle)),
        "CancelFlightInfo": bytes_field(1, info.message),
        "CancelQuery": any_of("ActionCancelQueryRequest", bytes_field(1, info.message)),
        "RenewFlightEndpoint": bytes_field(1, endpoint),
        "SetSessionOptions": b"",
        "GetSessionOptions": b"",
        "CloseSession": b"",
    }

    listed = raw.actions()

    assert set(bodies) <= set(listed) and len(listed) == len(set(listed))
    for name, body in bodies.items():
        raw.act(name, body)


@pytest.mark.parametrize("name", ["CreatePreparedSubstraitPlan", "Dance", ""])
def test_an_action_that_is_not_listed_is_unimplemented(raw: RawClient, name: str) -> None:
    with pytest.raises(grpc.RpcError) as raised:
        raw.act(name)

    assert raised.value.code() == grpc.StatusCode.UNIMPLEMENTED


CANCEL_FLIGHT_INFO_CANCELLED, CANCEL_QUERY_CANCELLED = 1, 1


@pytest.mark.parametrize("name", ["CancelFlightInfo", "CancelQuery"])
def test_a_running_query_is_cancelled(raw: RawClient, name: str) -> None:
    info = raw.info(any_of("CommandStatementQuery", text(1, ENDLESS)))
    stream = raw.start(info.tickets[0])
    assert next(stream) and next(stream)

    if name == "CancelQuery":
        (answer,) = raw.act(name, any_of("ActionCancelQueryRequest", bytes_field(1, info.message)))
        assert unpacked(answer)[1] == [CANCEL_QUERY_CANCELLED]
    else:
        (answer,) = raw.act(name, bytes_field(1, info.message))
        assert fields_of(answer)[1] == [CANCEL_FLIGHT_INFO_CANCELLED]

    with pytest.raises(grpc.RpcError) as raised:
        list(stream)
    assert raised.value.code() == grpc.StatusCode.CANCELLED


def test_an_endpoint_is_renewed_as_it_is(raw: RawClient) -> None:
    endpoint = fields_of(raw.info(any_of("CommandStatementQuery", text(1, "SELECT 7"))).message)[3][0]

    (renewed,) = raw.act("RenewFlightEndpoint", bytes_field(1, endpoint))

    assert renewed == endpoint
    ticket = fields_of(fields_of(renewed)[1][0])[1][0]
    assert raw.get(ticket).column(0).to_pylist() == [7]
    for body in (b"", bytes_field(1, bytes_field(1, bytes_field(1, b"\x00 not ours")))):
        with pytest.raises(grpc.RpcError) as raised:
            raw.act("RenewFlightEndpoint", body)
        assert raised.value.code() == grpc.StatusCode.INVALID_ARGUMENT


@pytest.mark.parametrize(
    ("command", "rows"), [(tables(), 2), (any_of("CommandStatementQuery", text(1, "SELECT 7 AS x")), 1)]
)
def test_polling_ends_at_once(raw: RawClient, command: bytes, rows: int) -> None:
    answer = raw.poll(command)

    assert set(answer) == {1, 3}  # an info and a progress, no descriptor to poll again
    info = fields_of(answer[1][0])
    assert raw.get(fields_of(fields_of(info[3][0])[1][0])[1][0]).num_rows == rows


# --- Parameters


def test_more_than_nine_parameters_keep_their_order(adbc: flightsql.Connection) -> None:
    values = tuple(range(1, 13))

    for sql in (", ".join("?" * 12), ", ".join(f"${number}" for number in values)):
        assert fetch(adbc, f"SELECT {sql}", values) == [values]
    assert fetch(adbc, "SELECT $12, $10, $9, $1, $2, $3, $4, $5, $6, $7, $8, $11", values)[0][:4] == (12, 10, 9, 1)


@pytest.mark.parametrize(
    "value",
    [
        1, -(2**63), 1.5, "text", "", True, None, b"bytes", decimal.Decimal("12.50"), START, dt.datetime(2025, 6, 1),
        dt.date(2025, 6, 1), dt.timedelta(hours=1), [1, 2],
    ],
    ids=repr,
)  # fmt: skip
def test_an_untyped_parameter_is_what_it_is(adbc: flightsql.Connection, value: Any) -> None:
    assert fetch(adbc, "SELECT ?", pa.record_batch([pa.array([value])], ["x"])) == [(value,)]


NANOS = pa.timestamp("ns", "Europe/Berlin")


@pytest.mark.parametrize(
    ("where", "value", "found"),
    [
        ("value >= ?", 990, 10),
        ("value >= ?", 989.5, 10),
        ("value >= ?", decimal.Decimal("989.5"), 10),
        ("value >= ?", "990", 10),
        ("value >= ?", None, 0),
        ("value >= ?", pa.array([200], pa.uint8()), 800),
        ("value >= ?", pa.array([989.5], pa.float32()), 10),
        ("device_id = ?", "d", 1_000),
        ("device_id = ?", 7, 0),
        ("device_id = ?", pa.array(["d"]).dictionary_encode(), 1_000),
        ("device_id = ?", pa.array(["d"], pa.string_view()), 1_000),
        ("device_id = ?", pa.array(["d"], pa.large_string()), 1_000),
        ("device_id IN (?, ?)", ("d", "e"), 1_000),
        ("timestamp < ?", START + dt.timedelta(seconds=10), 10),
        ("timestamp < ?", (START + dt.timedelta(seconds=10)).replace(tzinfo=None), 10),
        ("timestamp < ?", (START + dt.timedelta(seconds=10)).astimezone(dt.timezone(dt.timedelta(hours=5))), 10),
        ("timestamp < ?", "2025-06-01T12:00:10Z", 10),
        ("timestamp < ?", "2025-06-01 14:00:10+02:00", 10),
        ("timestamp < ?", pa.array([(START_MICROS + 10_000_000) * 1_000], NANOS), 10),
        ("timestamp < ?", pa.array([(START_MICROS + 10_000_000) * 1_000 + 1], NANOS), 11),
        ("timestamp < ?", dt.date(2025, 6, 2), 1_000),
        ("timestamp BETWEEN ? AND ?", (START, "2025-06-01T12:00:04Z"), 5),
        ("h3 = ?", 3.5, 0),
        ("(value < 10) = ?", True, 10),
        ("metadata->>'site' = ?", "a", 1_000),
        ("value < ? AND device_id = ? AND timestamp >= ?", (5, "d", START), 5),
    ],
    ids=str,
)
def test_a_parameter_takes_the_type_it_is_compared_with(
    adbc: flightsql.Connection, where: str, value: Any, found: int
) -> None:
    bound = pa.record_batch([value], ["x"]) if isinstance(value, pa.Array) else value
    bound = bound if isinstance(bound, (tuple, pa.RecordBatch)) else (bound,)

    assert fetch(adbc, f"SELECT count(*) FROM events WHERE {where}", bound) == [(found,)]


@pytest.mark.parametrize(("limit", "found"), [(3, 3), ("3", 3), (3.0, 3), (0, 0), (None, 1_000)])
def test_a_limit_can_be_a_parameter(adbc: flightsql.Connection, limit: Any, found: int) -> None:
    assert len(fetch(adbc, "SELECT value FROM events LIMIT ?", (limit,))) == found


@pytest.mark.parametrize(
    ("sql", "parameters", "named"),
    [
        ("SELECT value FROM events WHERE value > ?", ("warm",), r"parameter \$1: Cannot cast string 'warm'"),
        ("SELECT value FROM events WHERE timestamp > ?", ("yesterday",), r"parameter \$1: .*'yesterday'"),
        ("SELECT value FROM events WHERE timestamp > ?", (1_748_779_200,), "Timestamp.*Int64"),
        ("SELECT value FROM events WHERE value > ?", (True,), r"Boolean.*parameter \$1 is Boolean where Float64"),
        ("SELECT value FROM events LIMIT ?", (1.5,), "LIMIT"),
        ("SELECT value FROM events WHERE timestamp > ?", ("2025-06-01T12:00:00.0000000001Z",), "finer than a nanosecond"),
        ("SELECT ?, ?", (1,), "has 2 parameters, 1 values were given"),
        ("SELECT 1", (1,), "has 0 parameters, 1 values were given"),
        ("SELECT ? + $1", (1, 2), r"either as \? or as \$1"),
        ("SELECT $0", (1,), r"\$0"),
        ("SELECT $name", (1,), r"\$name"),
    ],
)
def test_a_wrong_parameter_is_refused_with_words(
    adbc: flightsql.Connection, sql: str, parameters: Any, named: str
) -> None:
    if isinstance(parameters, pa.Array):
        parameters = pa.record_batch([parameters], ["x"])
    with pytest.raises(adbc_driver_manager.ProgrammingError, match=named):
        fetch(adbc, sql, parameters)


def test_an_event_is_no_union(adbc: flightsql.Connection) -> None:
    value = pa.UnionArray.from_sparse(pa.array([0], pa.int8()), [pa.array([1.0])])
    with pytest.raises(adbc_driver_manager.ProgrammingError, match="Union is not accepted"):
        ingest(adbc, "events", events(1, "union", value=value), mode="append")


def test_no_parameters_are_bound_to_a_statement_without(adbc: flightsql.Connection) -> None:
    assert fetch(adbc, "SELECT 1", ()) == [(1,)]


def test_a_statement_runs_once_for_each_row_of_parameters(adbc: flightsql.Connection) -> None:
    rows = pa.record_batch({"low": [10, 20], "high": [12.0, 21.0]})
    sql = "SELECT value FROM events WHERE value >= ? AND value < ? ORDER BY value"

    assert fetch(adbc, sql, rows) == [(10.0,), (11.0,), (20.0,)]


def test_executemany_of_a_select_counts_its_rows(adbc: flightsql.Connection) -> None:
    with adbc.cursor() as cursor:
        cursor.executemany("SELECT value FROM events WHERE value < ?", [(3,), (5,)])
        assert cursor.rowcount == 8
        cursor.executemany("SELECT value FROM events WHERE value < 4", [(), ()])
        assert cursor.rowcount == 4


# --- Statements that do not read

REFUSED = [
    ("INSERT INTO events VALUES (1)", "INSERT is not allowed.*adbc_ingest"),
    ("INSERT INTO events (value) VALUES (?)", "INSERT is not allowed.*adbc_ingest"),
    ("UPDATE events SET value = 1", "UPDATE is not allowed.*only ever added"),
    ("DELETE FROM events", "DELETE is not allowed.*only ever added"),
    ("TRUNCATE events", "TRUNCATE is not allowed.*only ever added"),
    ("CREATE TABLE t (a INT)", "CREATE is not allowed.*table events"),
    ("CREATE EXTERNAL TABLE t STORED AS CSV LOCATION '/etc/passwd'", "CREATE is not allowed"),
    ("DROP TABLE events", "DROP is not allowed"),
    ("ALTER TABLE events ADD COLUMN x INT", "ALTER is not allowed"),
    ("COPY events TO '/tmp/x.parquet'", "COPY is not allowed.*files"),
    ("SET timezone = 'UTC'", "SET is not allowed.*SetSessionOptions"),
    ("BEGIN", "BEGIN is not allowed.*autocommit"),
    ("COMMIT", "COMMIT is not allowed.*autocommit"),
    ("ROLLBACK", "ROLLBACK is not allowed.*autocommit"),
    ("/* why */ EXPLAIN INSERT INTO events VALUES (1)", "INSERT is not allowed.*adbc_ingest"),
    ("SELECT * INTO t FROM events", "would write"),
]


@pytest.mark.parametrize(("sql", "named"), REFUSED)
def test_a_statement_that_does_not_read_is_refused_wherever_it_comes(
    adbc: flightsql.Connection, raw: RawClient, sql: str, named: str
) -> None:
    with pytest.raises(adbc_driver_manager.ProgrammingError, match=named):
        fetch(adbc, sql)
    with pytest.raises(adbc_driver_manager.ProgrammingError, match=named):
        with adbc.cursor() as cursor:
            cursor.executemany(sql, [(1,)])
    with pytest.raises(adbc_driver_manager.ProgrammingError, match=named):
        with adbc.cursor() as cursor:
            cursor.adbc_statement.set_sql_query(sql)
            cursor.adbc_statement.execute_update()
    for command in ("CommandStatementQuery", "CommandStatementUpdate"):
        call = raw.info if command == "CommandStatementQuery" else raw.put_nothing
        with pytest.raises(grpc.RpcError) as raised:
            call(any_of(command, text(1, sql)))
            raise AssertionError("the statement was taken")
        assert raised.value.code() == grpc.StatusCode.INVALID_ARGUMENT


def test_an_update_that_reads_counts_its_rows(adbc: flightsql.Connection, raw: RawClient) -> None:
    with adbc.cursor() as cursor:
        cursor.adbc_statement.set_sql_query("SELECT value FROM events WHERE value < 5")
        assert cursor.adbc_statement.execute_update() == 5
    (answer,) = raw.put_nothing(any_of("CommandStatementUpdate", text(1, "SELECT value FROM events WHERE value < 6")))
    assert fields_of(answer) == {1: [6]}


def test_a_transaction_id_is_refused(raw: RawClient) -> None:
    with pytest.raises(grpc.RpcError) as raised:
        raw.info(any_of("CommandStatementQuery", text(1, "SELECT 1"), bytes_field(2, b"t")))

    assert raised.value.code() == grpc.StatusCode.UNIMPLEMENTED


def test_autocommit_connects_without_a_warning(server: Server) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with flightsql.connect(server.flight_url, autocommit=True) as connection:
            assert fetch(connection, "SELECT 1") == [(1,)]


# --- Ingest

NOT_FOUND = (adbc_driver_manager.ProgrammingError, "NOT_FOUND.*nowhere.*tables: events")
NOT_CREATED = (adbc_driver_manager.NotSupportedError, "nowhere.*tables: events.*cannot be created")


def ingest(adbc: flightsql.Connection, table: str, data: Any, **options: Any) -> int:
    """Ingests `data` into `table`."""
    with adbc.cursor() as cursor:
        return cursor.adbc_ingest(table, data, **options)


@pytest.mark.parametrize(
    ("mode", "table", "refused"),
    [
        ("append", "events", None),
        ("create_append", "events", None),
        ("create", "events", (adbc_driver_manager.ProgrammingError, "ALREADY_EXISTS.*'events'.*append")),
        ("replace", "events", (adbc_driver_manager.ProgrammingError, "cannot be replaced.*append")),
        ("append", "nowhere", NOT_FOUND),
        ("create", "nowhere", NOT_CREATED),
        ("replace", "nowhere", NOT_CREATED),
        ("create_append", "nowhere", NOT_CREATED),
    ],
)
def test_ingest_modes(
    adbc: flightsql.Connection, mode: str, table: str, refused: tuple[type[Exception], str] | None
) -> None:
    device = f"mode-{mode}-{table}"
    count = f"SELECT count(*) FROM events WHERE device_id = '{device}'"

    if refused is None:
        assert ingest(adbc, table, events(3, device), mode=mode) == 3
        assert fetch(adbc, count) == [(3,)]
    else:
        with pytest.raises(refused[0], match=refused[1]):
            ingest(adbc, table, events(3, device), mode=mode)
        assert fetch(adbc, count) == [(0,)]


@pytest.mark.parametrize(
    ("options", "refused"),
    [
        ({"catalog_name": "hexflight", "db_schema_name": "public"}, None),
        ({"catalog_name": "elsewhere"}, "catalog 'elsewhere' does not exist.*'hexflight'"),
        ({"db_schema_name": "elsewhere"}, "schema 'elsewhere' does not exist.*'public'"),
        ({"temporary": True}, "temporary tables are not supported"),
    ],
    ids=str,
)
def test_ingest_options(adbc: flightsql.Connection, options: dict[str, Any], refused: str | None) -> None:
    if refused is None:
        assert ingest(adbc, "events", events(2, "options"), mode="append", **options) == 2
    else:
        with pytest.raises(adbc_driver_manager.Error, match=refused):
            ingest(adbc, "events", events(2, "options"), mode="append", **options)


def test_ingest_passes_over_empty_batches(adbc: flightsql.Connection) -> None:
    batches = [events(0, "empty"), events(2, "empty"), events(0, "empty")]

    assert ingest(adbc, "events", pa.Table.from_batches(batches), mode="append") == 2
    assert ingest(adbc, "events", events(0, "empty"), mode="append") == 0


# --- Clients themselves


def test_the_driver_manager_alone_works(server: Server) -> None:
    kwargs = {"uri": server.flight_url, "driver": adbc_driver_flightsql._driver_path()}
    with adbc_driver_manager.AdbcDatabase(**kwargs) as database:
        with adbc_driver_manager.AdbcConnection(database) as connection:
            with adbc_driver_manager.AdbcStatement(connection) as statement:
                statement.set_sql_query("SELECT count(*) FROM events WHERE device_id = ?")
                statement.prepare()
                schema = statement.get_parameter_schema()
                assert pa.Schema._import_from_c(schema.address).names == ["$1"]
                data, described = pa.record_batch({"x": ["d"]}), adbc_driver_manager.ArrowArrayHandle()
                type_ = adbc_driver_manager.ArrowSchemaHandle()
                data._export_to_c(described.address, type_.address)
                statement.bind(described, type_)
                stream, _ = statement.execute_query()
                reader = pa.RecordBatchReader._import_from_c(stream.address)
                assert reader.read_all().column(0).to_pylist() == [1_000]


def test_polars_reads_over_a_connection(adbc: flightsql.Connection) -> None:
    query = "SELECT timestamp, value, h3 FROM events WHERE value < 3 AND device_id = 'd' ORDER BY value"

    frame = pl.read_database(query, adbc)

    assert frame.schema == {"timestamp": pl.Datetime("us", "UTC"), "value": pl.Float64, "h3": pl.Int64}
    assert frame["value"].to_list() == [0.0, 1.0, 2.0]
    bound = pl.read_database(
        "SELECT count(*) AS n FROM events WHERE value < ? AND device_id = ?",
        adbc,
        execute_options={"parameters": (7, "d")},
    )
    assert bound["n"].to_list() == [7]


def test_pandas_reads_over_a_connection(adbc: flightsql.Connection) -> None:
    query = "SELECT timestamp, value, device_id FROM events WHERE value < 3 AND device_id = 'd' ORDER BY value"

    frame = pd.read_sql(query, adbc)

    assert frame["value"].tolist() == [0.0, 1.0, 2.0]
    assert str(frame["timestamp"].dtype) == "datetime64[us, UTC]"


def test_pandas_appends_to_the_table(adbc: flightsql.Connection) -> None:
    rows = events(3, "pandas", h3=None).to_pandas()

    assert rows.to_sql("events", adbc, if_exists="append", index=False) == 3
    assert fetch(adbc, "SELECT count(*) FROM events WHERE device_id = 'pandas'") == [(3,)]


def test_polars_appends_to_the_table(adbc: flightsql.Connection) -> None:
    frame = pl.from_arrow(events(4, "polars"))

    assert frame.write_database("events", adbc, if_table_exists="append", engine="adbc") == 4
    assert fetch(adbc, "SELECT count(*) FROM events WHERE device_id = 'polars'") == [(4,)]


# --- Clients that cannot be installed here, call by call


def test_the_calls_of_grafana(raw: RawClient) -> None:
    """`pkg/flightsql` of influxdata/grafana-flightsql-datasource: flightsql.go, resources.go, query_data.go.

    Settings add headers of the user's choice to every call; the token of the login replaces the password.
    """
    raw.headers = [("bucket-name", "events"), ("iox-debug", "true")]
    assert raw.handshake("grafana", "any")
    # CheckHealth
    assert raw.ask(any_of("CommandStatementQuery", text(1, "select 1"))).num_rows == 1
    # /flightsql/sql-info, /flightsql/tables, /flightsql/columns
    assert raw.ask(any_of("CommandGetSqlInfo")).num_rows > 80
    listed = raw.ask(tables(text(4, "BASE TABLE")))
    assert listed.column("table_name").to_pylist() == ["events"]
    described = raw.ask(tables(text(3, "events"), whole(5, 1)))
    assert pa.ipc.read_schema(described.column("table_schema")[0].as_buffer()).names == COLUMNS
    # The builder groups by $__dateBin, which the plugin expands itself; see macro.go.
    window = "timestamp >= '2025-06-01T12:00:00Z' AND timestamp <= '2025-06-01T12:16:39Z'"
    binned = "date_bin(interval '60000 millisecond', timestamp, timestamp '1970-01-01T00:00:00Z')"
    sql = f"SELECT {binned} AS time, avg(value) FROM events WHERE {window} AND device_id = 'd' GROUP BY {binned} ORDER BY time"
    command = any_of("CommandStatementQuery", text(1, sql))
    info = raw.info(command)
    assert len(info.tickets) == 1  # any other number is an error of the plugin
    assert raw.get(info.tickets[0]).column(1).to_pylist()[0] == 29.5


def test_the_calls_of_flightsql_dbapi(raw: RawClient) -> None:
    """`flightsql/client.py` and `dbapi.py` of influxdata/flightsql-dbapi (0.2.2 and the versions before it).

    Without a user it sends `Bearer None`; earlier versions bind parameters without any header; the handle that DoPut answers with is
    not used.
    """
    raw.headers = [("authorization", "Bearer None")]
    assert raw.ask(any_of("CommandGetDbSchemas")).column("db_schema_name").to_pylist() == ["public", "system"]
    described = raw.ask(tables(text(3, "events"), whole(5, 1)))
    with pa.ipc.open_stream(described.column("table_schema")[0].as_buffer()) as reader:
        assert reader.schema.names == COLUMNS
    handle = raw.prepare("SELECT count(*) FROM events WHERE device_id = ? AND value < ?")[1][0]
    command = any_of("CommandPreparedStatementQuery", bytes_field(1, handle))
    for value in (7, 9):
        # ParameterRecordBuilder: each value in a dense union of the types that it knows.
        members = [pa.array([value], pa.int64()), pa.array([], pa.float64()), pa.array(["d"]),
                   pa.array([], pa.binary()), pa.array([], pa.bool_())]  # fmt: skip
        columns = [
            pa.UnionArray.from_dense(pa.array([kind], pa.int8()), pa.array([0], pa.int32()), members)
            for kind in (2, 0)
        ]
        RawClient(raw.channel).put(command, pa.record_batch(columns, ["param_0", "param_1"]))
        assert raw.ask(command).column(0).to_pylist() == [value]
    raw.close_prepared(handle)
    # execute_update puts a schema without columns.
    (answer,) = raw.put(any_of("CommandStatementUpdate", text(1, "SELECT 1")))
    assert fields_of(answer) == {1: [1]}


def test_the_calls_of_jdbc(raw: RawClient) -> None:
    """The JDBC driver of apache/arrow-java as DBeaver drives it: ArrowFlightSqlClientHandler, ArrowDatabaseMetadata, ArrowFlightMetaImpl.

    A login, `catalog` of the connection URL as a session option under a cookie, metadata for the navigator, a prepared statement for every
    query (a result without columns would make it an update), and the session closed at the end.
    """
    assert raw.handshake("dbeaver", "any")
    catalog = bytes_field(1, text(1, "catalog") + bytes_field(2, text(1, "hexflight")))
    assert raw.act("SetSessionOptions", catalog) == [b""]
    raw.headers.append(("cookie", raw.answered["set-cookie"]))
    assert raw.ask(any_of("CommandGetSqlInfo")).num_rows > 80
    assert raw.ask(any_of("CommandGetCatalogs")).column(0).to_pylist() == ["hexflight"]
    assert raw.ask(any_of("CommandGetDbSchemas", text(1, "hexflight"))).num_rows == 2
    assert raw.ask(any_of("CommandGetTableTypes")).column(0).to_pylist() == ["BASE TABLE", "SYSTEM TABLE"]
    wanted = (text(1, "hexflight"), text(2, "public"), text(3, "%"))
    assert raw.ask(tables(*wanted)).num_rows == 1
    assert raw.ask(tables(*wanted, whole(5, 1))).num_rows == 1  # getColumns
    table = (text(1, "hexflight"), text(2, "public"), text(3, "events"))
    for keys in ("CommandGetPrimaryKeys", "CommandGetImportedKeys", "CommandGetExportedKeys"):
        assert raw.ask(any_of(keys, *table)).num_rows == 0

    prepared = raw.prepare("SELECT value FROM events WHERE timestamp >= ? AND device_id = ? ORDER BY value LIMIT 2")
    handle = prepared[1][0]
    assert pa.ipc.read_schema(pa.py_buffer(prepared[2][0])).names == ["value"]
    parameters = pa.ipc.read_schema(pa.py_buffer(prepared[3][0]))
    assert parameters.types == [pa.timestamp("us", "UTC"), pa.string()]
    command = any_of("CommandPreparedStatementQuery", bytes_field(1, handle))
    # setParameters, then execute with the handle that came back.
    bound = pa.record_batch([pa.array([START_MICROS + 5_000_000], parameters.types[0]), ["d"]], schema=parameters)
    (answer,) = raw.put(command, bound)
    command = any_of("CommandPreparedStatementQuery", bytes_field(1, fields_of(answer)[1][0]))
    assert raw.ask(command).column(0).to_pylist() == [5.0, 6.0]
    raw.close_prepared(handle)

    # executeUpdate puts parameters without columns.
    handle = raw.prepare("SELECT value FROM events LIMIT 3")[1][0]
    (answer,) = raw.put(any_of("CommandPreparedStatementUpdate", bytes_field(1, handle)))
    assert fields_of(answer) == {1: [3]}
    assert fields_of(raw.act("CloseSession")[0]) == {1: [1]}


def test_a_message_of_a_later_protocol_is_refused_by_name(raw: RawClient) -> None:
    with pytest.raises(grpc.RpcError) as raised:
        raw.info(any_of("CommandDance"))

    assert raised.value.code() == grpc.StatusCode.UNIMPLEMENTED
    assert "CommandDance" in raised.value.details()


def test_varints_of_the_helpers_are_those_of_protobuf() -> None:
    assert (varint(0), varint(300)) == (b"\0", b"\xac\x02")
