"""The Delta table below the data directory, read by other tools while the server runs: rows equal the server's answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timezone

import deltalake
import duckdb
import polars as pl
import pyarrow as pa
import pytest

from flight_client import (
    HOUR_MICROS,
    START_MICROS,
    TIMESTAMP,
    connect,
    events,
    put,
    query,
)
from hexserver import Server, wait_until

ROWS = 6_000
FLUSH_SECONDS = 30.0
ORDER = [("device_id", "ascending"), ("value", "ascending")]
SCHEMA = pa.schema({
    "timestamp": TIMESTAMP,
    "device_id": pa.string(),
    "type": pa.string(),
    "value": pa.float64(),
    "latitude": pa.float64(),
    "longitude": pa.float64(),
    "h3": pa.int64(),
    "metadata": pa.string(),
})  # fmt: skip

Reader = Callable[[Server], pa.Table]


@pytest.fixture(scope="module")
def flushed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A running server whose rows have all been flushed, in several commits and time buckets."""
    server = Server(tmp_path_factory.mktemp("open") / "data", "--flush-interval", "200ms")
    with server, connect(server.flight_url) as client:
        put(client, *batches())
        wait_until(lambda: rows_in_files(server) == 3 * ROWS, FLUSH_SECONDS, "all rows in the table")
        put(client, *batches())
        wait_until(lambda: rows_in_files(server) == 6 * ROWS, FLUSH_SECONDS, "all rows in the table")
        yield server


def batches() -> list[pa.RecordBatch]:
    """Returns batches over several hours, with and without positions and metadata."""
    stamps = pa.array([START_MICROS + row * 5 * HOUR_MICROS // ROWS for row in range(ROWS)], TIMESTAMP)
    bare = pa.nulls(ROWS, pa.float64())
    return [
        events(ROWS, "spread", timestamp=stamps),
        events(ROWS, "no-position", latitude=bare, longitude=bare),
        events(ROWS, 'odd "name"\n', metadata=pa.nulls(ROWS, pa.string())),
    ]


def rows_in_files(server: Server) -> int:
    """Returns how many rows the committed files hold, 0 as long as there is no table."""
    if not deltalake.DeltaTable.is_deltatable(str(server.table_dir)):
        return 0
    return deltalake.QueryBuilder().register("t", delta_table(server)).execute(
        "SELECT count(*) AS n FROM t"
    ).read_all()["n"][0].as_py()  # fmt: skip


def delta_table(server: Server) -> deltalake.DeltaTable:
    """Opens the table as it is now."""
    return deltalake.DeltaTable(str(server.table_dir))


def by_deltalake_pyarrow(server: Server) -> pa.Table:
    """Reads through deltalake's pyarrow dataset."""
    return delta_table(server).to_pyarrow_table()


def by_deltalake_query(server: Server) -> pa.Table:
    """Reads through deltalake's own engine."""
    answer = deltalake.QueryBuilder().register("t", delta_table(server)).execute("SELECT * FROM t")
    return pa.table(answer.read_all())


def by_polars(server: Server) -> pa.Table:
    """Reads through Polars' Delta scan."""
    return pl.scan_delta(str(server.table_dir)).collect().to_arrow()


def by_duckdb(server: Server) -> pa.Table:
    """Reads through DuckDB's delta extension, or, where it is not to be had, the active files as Parquet."""
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        try:
            connection.execute("INSTALL delta")
            connection.execute("LOAD delta")
            source = f"delta_scan('{server.table_dir}')"
        except duckdb.Error:
            source = (
                f"read_parquet({[uri.removeprefix('file://') for uri in delta_table(server).file_uris()]})"
            )
        return connection.sql(f"SELECT * FROM {source}").to_arrow_table()


def comparable(table: pa.Table) -> list[dict[str, object]]:
    """Returns the rows in one order, with one type per column, as plain values."""
    ordered = table.select(SCHEMA.names).cast(SCHEMA).sort_by(ORDER).to_pylist()
    return [row | {"timestamp": row["timestamp"].astimezone(timezone.utc)} for row in ordered]


@pytest.mark.parametrize("read", [by_deltalake_pyarrow, by_deltalake_query, by_polars, by_duckdb])
def test_other_tool_reads_the_same_rows_while_the_server_runs(flushed: Server, read: Reader) -> None:
    with connect(flushed.flight_url) as client:
        ours = query(client, "SELECT * FROM events")

    theirs = read(flushed)

    assert ours.num_rows == 6 * ROWS
    assert comparable(theirs) == comparable(ours)


def test_statistics_are_complete_and_true(flushed: Server) -> None:
    actions = pa.table(delta_table(flushed).get_add_actions(flatten=True))

    assert sum(actions["num_records"].to_pylist()) == 6 * ROWS
    for name in ("timestamp", "device_id", "type", "value"):
        assert actions[f"null_count.{name}"].to_pylist() == [0] * actions.num_rows
        assert actions[f"min.{name}"].null_count == 0
        assert actions[f"max.{name}"].null_count == 0


def test_deltalake_prunes_by_our_statistics_and_loses_nothing(flushed: Server) -> None:
    reader = deltalake.QueryBuilder().register("t", delta_table(flushed))
    late = "timestamp >= TIMESTAMP '2025-06-01T14:00:00Z' AND value > 100"

    found = pa.table(reader.execute(f"SELECT count(*) AS n FROM t WHERE {late}").read_all())["n"][0].as_py()

    with connect(flushed.flight_url) as client:
        assert found == query(client, f"SELECT count(*) AS n FROM events WHERE {late}")["n"][0].as_py()
    assert found > 0


def test_files_are_few(flushed: Server) -> None:
    # 6 x 6,000 rows over 5 hours in at most a handful of commits: buckets that are thin share a file.
    assert len(delta_table(flushed).file_uris()) <= 40


def test_every_commit_says_which_stream_it_covers(flushed: Server) -> None:
    log = sorted((flushed.table_dir / "_delta_log").glob("*.json"))
    txns = [path.name for path in log if '"txn"' in path.read_text()]

    assert len(txns) >= 2


def test_append_by_another_tool_would_not_hide_ours(flushed: Server) -> None:
    history = delta_table(flushed).history()

    assert len(history) == delta_table(flushed).version() + 1
