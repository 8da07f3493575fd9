"""Merging in the background: files per hour get few, other tools read the same rows, and no query ever counts wrong."""

from __future__ import annotations

import threading
from collections import Counter
from pathlib import Path

import deltalake
import duckdb

from conftest import ServerFactory
from flight_client import connect, event_count, events, put
from hexserver import Server, http_get, wait_until

MERGE_SECONDS = 120.0
BATCHES = 40
BATCH_ROWS = 500
FLAGS = ("--flush-interval", "100ms")


def files(server: Server) -> list[Path]:
    """Returns the active data files."""
    return [Path(uri.removeprefix("file://")) for uri in deltalake.DeltaTable(str(server.table_dir)).file_uris()]


def on_disk(server: Server) -> set[Path]:
    """Returns all data files, active or not."""
    return set(server.table_dir.rglob("*.parquet"))


def hours(server: Server) -> Counter[str]:
    """Returns the number of active files by day and hour of their first row."""
    return Counter(f"{path.parent.name}/{path.name[:2]}" for path in files(server))


def merges(server: Server) -> int:
    """Returns how many merges were committed."""
    _, text = http_get(f"{server.http_url}/metrics")
    found = [line.split()[-1] for line in text.splitlines() if line.startswith("hexflight_compact_rewrites_total ")]
    return int(found[0]) if found else 0


def values(server: Server) -> Counter[tuple[str, float]]:
    """Returns every row of the active files, read by DuckDB."""
    with duckdb.connect() as connection:
        source = f"read_parquet({[str(path) for path in files(server)]})"
        return Counter(connection.sql(f"SELECT device_id, value FROM {source}").fetchall())


def expected() -> Counter[tuple[str, float]]:
    """Returns the rows of all batches."""
    return Counter((f"device-{n}", float(row)) for n in range(BATCHES) for row in range(BATCH_ROWS))


def test_files_get_few_while_rows_stay_and_queries_count_right(make_server: ServerFactory) -> None:
    server = make_server(*FLAGS).start()
    done = threading.Event()
    wrong: list[str] = []
    counted: list[int] = []
    acknowledged = [0]

    def count() -> None:
        with connect(server.flight_url) as client:
            while not done.is_set():
                least = acknowledged[0]
                found = event_count(client)
                most = acknowledged[0] + BATCH_ROWS
                if not least <= found <= most or found % BATCH_ROWS:
                    wrong.append(f"{least} <= {found} <= {most}")
                counted.append(found)

    counter = threading.Thread(target=count)
    counter.start()
    try:
        with connect(server.flight_url) as client:
            for n in range(BATCHES):
                put(client, events(BATCH_ROWS, f"device-{n}"))
                acknowledged[0] += BATCH_ROWS
                # Each batch is flushed by itself.
                wait_until(lambda n=n: flushed(server) == (n + 1) * BATCH_ROWS, MERGE_SECONDS, "batch flushed")
            wait_until(lambda: max(hours(server).values()) <= 3, MERGE_SECONDS, "files merged")
    finally:
        done.set()
        counter.join()

    assert not wrong, wrong[:5]
    assert len(counted) > 10
    assert merges(server) >= 2
    assert values(server) == expected()
    assert deltalake.DeltaTable(str(server.table_dir)).to_pyarrow_table().num_rows == BATCHES * BATCH_ROWS
    assert len(on_disk(server)) > len(files(server))

    server.stop()
    server.flags = (*FLAGS, "--vacuum-after", "1ms")
    server.start()
    wait_until(lambda: on_disk(server) == set(files(server)), MERGE_SECONDS, "merged files deleted")
    with connect(server.flight_url) as client:
        assert event_count(client) == BATCHES * BATCH_ROWS
    assert values(server) == expected()


def test_without_compaction_files_stay(make_server: ServerFactory) -> None:
    server = make_server("--flush-interval", "100ms", "--compaction", "false").start()
    with connect(server.flight_url) as client:
        for n in range(8):
            put(client, events(10, f"device-{n}"))
            wait_until(lambda n=n: flushed(server) == (n + 1) * 10, MERGE_SECONDS, "batch flushed")

    assert len(files(server)) == 8
    assert merges(server) == 0


def flushed(server: Server) -> int:
    """Returns how many rows the active files hold, 0 as long as there is no table."""
    if not deltalake.DeltaTable.is_deltatable(str(server.table_dir)):
        return 0
    return sum(deltalake.DeltaTable(str(server.table_dir)).get_add_actions(flatten=True)["num_records"].to_pylist())
