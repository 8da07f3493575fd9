"""ADBC's Flight SQL driver against `serve`: statements, parameters, ingest, the catalog, and its error classes."""

from __future__ import annotations

from typing import Any

import adbc_driver_flightsql.dbapi as flightsql
import adbc_driver_manager
import pyarrow as pa
import pytest

from flight_client import columns, events
from hexserver import Server

COLUMNS = ["timestamp", "device_id", "type", "value", "latitude", "longitude", "h3", "metadata"]


def fetch(adbc: flightsql.Connection, sql: str, parameters: Any = None) -> list[tuple[Any, ...]]:
    """Runs one statement and returns its rows."""
    with adbc.cursor() as cursor:
        cursor.execute(sql, parameters)
        return cursor.fetchall()


def ingest(adbc: flightsql.Connection, data: pa.RecordBatch | pa.Table, mode: str = "append") -> int:
    """Ingests `data` into `events`."""
    with adbc.cursor() as cursor:
        return cursor.adbc_ingest("events", data, mode=mode)


def test_execute_and_fetch(adbc: flightsql.Connection) -> None:
    assert fetch(adbc, "SELECT 1 AS one, 'a' AS letter") == [(1, "a")]


def test_fetch_arrow_table_has_the_types_of_the_table(adbc: flightsql.Connection) -> None:
    ingest(adbc, events(3, "arrow"))

    with adbc.cursor() as cursor:
        cursor.execute("SELECT timestamp, value, h3 FROM events WHERE device_id = 'arrow' ORDER BY value")
        table = cursor.fetch_arrow_table()

    assert table.schema.types == [pa.timestamp("us", tz="UTC"), pa.float64(), pa.int64()]
    assert table.column("value").to_pylist() == [0.0, 1.0, 2.0]


def test_description_names_the_columns(adbc: flightsql.Connection) -> None:
    with adbc.cursor() as cursor:
        cursor.execute("SELECT * FROM events LIMIT 0")

        assert [column[0] for column in cursor.description] == COLUMNS


@pytest.mark.parametrize("placeholders", [("?", "?"), ("$1", "$2")], ids=["question_mark", "dollar"])
def test_parameters_are_bound(adbc: flightsql.Connection, placeholders: tuple[str, str]) -> None:
    device = f"bound-{placeholders[0]}"
    ingest(adbc, events(10, device))
    sql = f"SELECT value FROM events WHERE device_id = {placeholders[0]} AND value >= {placeholders[1]} ORDER BY value"

    assert fetch(adbc, sql, (device, 7.0)) == [(7.0,), (8.0,), (9.0,)]


def test_prepared_statement_is_run_again_with_other_parameters(adbc: flightsql.Connection) -> None:
    ingest(adbc, events(10, "again"))
    sql = "SELECT count(*) FROM events WHERE device_id = 'again' AND value < ?"

    with adbc.cursor() as cursor:
        answers = []
        for bound in (3.0, 8.0):
            cursor.execute(sql, (bound,))
            answers.append(cursor.fetchone())

    assert answers == [(3,), (8,)]


def test_a_parameter_is_a_value_and_never_sql(adbc: flightsql.Connection) -> None:
    ingest(adbc, events(1, "injection"))

    answer = fetch(adbc, "SELECT count(*) FROM events WHERE device_id = ?", ("' OR 1 = 1 --",))

    assert answer == [(0,)]


def test_numbered_parameter_is_used_twice(adbc: flightsql.Connection) -> None:
    ingest(adbc, events(10, "twice"))
    sql = "SELECT count(*) FROM events WHERE device_id = $1 AND value >= $2 AND value <= $2"

    assert fetch(adbc, sql, ("twice", 4.0)) == [(1,)]


def test_prepared_statement_tells_its_parameters(adbc: flightsql.Connection) -> None:
    with adbc.cursor() as cursor:
        schema = cursor.adbc_prepare("SELECT value FROM events WHERE device_id = $1 AND value > $2")

    assert schema is not None
    assert len(schema) == 2


def test_wrong_number_of_parameters_is_refused(adbc: flightsql.Connection) -> None:
    with pytest.raises(adbc_driver_manager.Error):
        fetch(adbc, "SELECT value FROM events WHERE device_id = $1 AND value > $2", ("only one",))


def test_ingest_appends_and_counts(adbc: flightsql.Connection) -> None:
    table = pa.Table.from_batches([events(100, "ingest"), events(50, "ingest")])

    assert ingest(adbc, table) == 150
    assert fetch(adbc, "SELECT count(*), sum(value) FROM events WHERE device_id = 'ingest'") == [
        (150, 6_175.0)
    ]


def test_ingest_takes_a_record_batch_reader(adbc: flightsql.Connection) -> None:
    batches = [events(1_000, "reader") for _ in range(20)]

    assert ingest(adbc, pa.RecordBatchReader.from_batches(batches[0].schema, batches)) == 20_000


def test_ingest_takes_other_spellings(adbc: flightsql.Connection) -> None:
    named = columns(2, "ingest-spelling")
    renamed = {"ts": named["timestamp"], "device_id": named["device_id"], "metric_name": named["type"],
               "metric_value": named["value"]}  # fmt: skip

    assert ingest(adbc, pa.RecordBatch.from_pydict(renamed)) == 2


@pytest.mark.parametrize("mode", ["create", "replace"])
def test_ingest_that_would_replace_a_table_is_refused(adbc: flightsql.Connection, mode: str) -> None:
    before = fetch(adbc, "SELECT count(*) FROM events")

    with pytest.raises(adbc_driver_manager.Error, match="append"):
        ingest(adbc, events(1, "replaced"), mode)

    assert fetch(adbc, "SELECT count(*) FROM events") == before


def test_create_append_into_the_existing_table_appends(adbc: flightsql.Connection) -> None:
    assert ingest(adbc, events(4, "create-append"), "create_append") == 4


def test_ingest_into_an_unknown_table_is_refused(adbc: flightsql.Connection) -> None:
    with adbc.cursor() as cursor, pytest.raises(adbc_driver_manager.Error, match="nowhere"):
        cursor.adbc_ingest("nowhere", events(1), mode="append")


def objects(adbc: flightsql.Connection, **filters: Any) -> list[dict[str, Any]]:
    """Returns the catalogs of `adbc_get_objects`."""
    return adbc.adbc_get_objects(**filters).read_all().to_pylist()


def tables(catalogs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Returns the tables of all schemas of `catalogs`."""
    schemas = [schema for catalog in catalogs for schema in catalog["catalog_db_schemas"] or []]
    return [table for schema in schemas for table in schema["db_schema_tables"] or []]


def test_get_objects_lists_the_columns_of_the_table(adbc: flightsql.Connection) -> None:
    found = [table for table in tables(objects(adbc, depth="all")) if table["table_name"] == "events"]

    assert [table["table_type"] for table in found] == ["BASE TABLE"]
    assert [column["column_name"] for column in found[0]["table_columns"]] == COLUMNS
    assert [column["ordinal_position"] for column in found[0]["table_columns"]] == list(range(1, 9))


@pytest.mark.parametrize("depth", ["catalogs", "db_schemas", "tables", "all"])
def test_get_objects_goes_as_deep_as_asked(adbc: flightsql.Connection, depth: str) -> None:
    catalogs = objects(adbc, depth=depth)

    assert len(catalogs) == 1
    schemas = catalogs[0]["catalog_db_schemas"]
    assert (schemas is None) == (depth == "catalogs")
    if depth == "db_schemas":
        assert all(schema["db_schema_tables"] is None for schema in schemas)
    if depth == "tables":
        assert [table["table_columns"] for table in tables(catalogs)] == [None, None]


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ({"table_name_filter": "events"}, 1),
        ({"table_name_filter": "ev%"}, 1),
        ({"table_name_filter": "event_"}, 1),
        ({"table_name_filter": "nothing"}, 0),
        ({"table_types_filter": ["BASE TABLE"]}, 1),
        ({"table_types_filter": ["TABLE"]}, 1),
        ({"table_types_filter": ["VIEW"]}, 0),
        ({"table_types_filter": ["SYSTEM TABLE"]}, 1),
        ({"db_schema_filter": "%"}, 2),
        ({"db_schema_filter": "public"}, 1),
        ({"db_schema_filter": "elsewhere"}, 0),
        ({"catalog_filter": "elsewhere"}, 0),
    ],
    ids=str,
)
def test_get_objects_filters(adbc: flightsql.Connection, filters: dict[str, Any], found: int) -> None:
    assert len(tables(objects(adbc, depth="tables", **filters))) == found


def test_get_objects_filters_columns(adbc: flightsql.Connection) -> None:
    found = tables(objects(adbc, depth="all", column_name_filter="lat%"))

    assert [column["column_name"] for table in found for column in table["table_columns"]] == ["latitude"]


def test_get_objects_names_the_catalog_and_schema_that_sql_accepts(adbc: flightsql.Connection) -> None:
    catalog = objects(adbc, depth="tables", table_name_filter="events")[0]
    schema = next(entry for entry in catalog["catalog_db_schemas"] if entry["db_schema_tables"])
    name = f'"{catalog["catalog_name"]}"."{schema["db_schema_name"]}"."events"'

    assert len(fetch(adbc, f"SELECT count(*) FROM {name}")) == 1


def test_get_table_schema_gives_the_arrow_types(adbc: flightsql.Connection) -> None:
    schema = adbc.adbc_get_table_schema("events")

    assert schema.names == COLUMNS
    assert schema.field("timestamp").type == pa.timestamp("us", tz="UTC")
    assert not schema.field("device_id").nullable
    assert schema.field("h3").type == pa.int64()
    assert schema.field("metadata").nullable


def test_get_table_schema_of_an_unknown_table_fails(adbc: flightsql.Connection) -> None:
    with pytest.raises(adbc_driver_manager.Error):
        adbc.adbc_get_table_schema("nothing")


def test_get_table_types_lists_base_table(adbc: flightsql.Connection) -> None:
    assert "BASE TABLE" in adbc.adbc_get_table_types()


def test_get_info_names_the_vendor(adbc: flightsql.Connection) -> None:
    info = adbc.adbc_get_info()

    assert "hexflight" in info["vendor_name"].lower()
    assert info["vendor_version"]
    assert info["vendor_arrow_version"]


@pytest.mark.parametrize(
    ("sql", "kind", "named"),
    [
        ("SELEC 1", adbc_driver_manager.ProgrammingError, "SELEC"),
        ("SELECT nothing FROM events", adbc_driver_manager.ProgrammingError, "nothing"),
        ("SELECT nothing(value) FROM events", adbc_driver_manager.ProgrammingError, "nothing"),
        ("SELECT 1 FROM nowhere", adbc_driver_manager.ProgrammingError, "nowhere"),
        ("", adbc_driver_manager.ProgrammingError, ""),
    ],
)
def test_bad_sql_is_a_programming_error(
    adbc: flightsql.Connection, sql: str, kind: type[Exception], named: str
) -> None:
    with pytest.raises(kind) as raised:
        fetch(adbc, sql)

    assert named in str(raised.value)


def test_runtime_error_reaches_the_client(adbc: flightsql.Connection) -> None:
    ingest(adbc, events(3, "runtime"))

    with pytest.raises(adbc_driver_manager.Error, match="(?i)cast|parse|runtime"):
        fetch(adbc, "SELECT CAST(device_id AS INT) FROM events WHERE device_id = 'runtime'")


def test_connection_survives_an_error(adbc: flightsql.Connection) -> None:
    with pytest.raises(adbc_driver_manager.Error):
        fetch(adbc, "SELECT nothing")

    assert fetch(adbc, "SELECT 1") == [(1,)]


def test_answer_of_many_batches_arrives_whole(adbc: flightsql.Connection) -> None:
    batches = [events(8_192, "many") for _ in range(12)]
    ingest(adbc, pa.Table.from_batches(batches))

    with adbc.cursor() as cursor:
        cursor.execute("SELECT value FROM events WHERE device_id = 'many'")
        table = cursor.fetch_arrow_table()

    assert table.num_rows == 12 * 8_192


def test_many_connections_ask_at_once(server: Server) -> None:
    connections = [flightsql.connect(server.flight_url, autocommit=True) for _ in range(16)]
    try:
        assert [fetch(one, "SELECT 42") for one in connections] == [[(42,)]] * 16
    finally:
        for one in connections:
            one.close()
