"""Loads the dataset into each engine, once: what is there is used again. Delete an engine's folder to load it anew."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from questions import views
from questions.dataset import Dataset

_COLUMNS = """
    timestamp DateTime64(6, 'UTC'), device_id LowCardinality(String), type LowCardinality(String), value Float64,
    latitude Float64, longitude Float64, cell9 UInt64
"""


def hexflight(dataset: Dataset, binary: Path, anew: bool = False) -> Path:
    """Returns a data directory that holds the dataset, by `hexflight import`; `anew` even if there is one."""
    if anew:
        shutil.rmtree(_place(dataset, "hexflight"), ignore_errors=True)

    def load(folder: Path) -> None:
        command = [str(binary), "import", *map(str, dataset.files), "--data-dir", str(folder)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)

    return _once(dataset, "hexflight", load)


def duckdb(dataset: Dataset) -> Path:
    """Returns a DuckDB file with the dataset in order of arrival."""
    import duckdb as engine

    def load(file: Path) -> None:
        with engine.connect(str(file)) as connection:
            connection.execute(f"""
                CREATE TABLE events AS
                SELECT make_timestamp(epoch_us(timestamp)) AS timestamp, * EXCLUDE (timestamp)
                FROM read_parquet('{dataset.folder}/part-*.parquet')""")

    return _once(dataset, "duckdb", load)


def clickhouse(dataset: Dataset) -> Path:
    """Returns a chDB folder with both tables and all views, each merged to one part."""
    from chdb.session import Session

    def load(folder: Path) -> None:
        session = Session(str(folder))
        try:
            session.query("CREATE DATABASE bench")
            session.query("USE bench")
            source = f"file('{dataset.folder}/part-*.parquet', Parquet)"
            placed = "ifNull(latitude, nan), ifNull(longitude, nan), ifNull(cell9, 0)"
            rows = f"SELECT timestamp, device_id, type, value, {placed} FROM {source}"
            for table, order in ((views.BY_TIME, "type, timestamp"), (views.BY_DEVICE, "type, device_id, timestamp")):
                session.query(f"CREATE TABLE {table} ({_COLUMNS}) ENGINE = MergeTree ORDER BY ({order})")
                session.query(f"INSERT INTO {table} {rows}")
                session.query(f"OPTIMIZE TABLE {table} FINAL")
            for view, (order, filling) in views.VIEWS.items():
                session.query(f"CREATE TABLE {view} ENGINE = MergeTree ORDER BY ({order}) AS {filling}")
                session.query(f"OPTIMIZE TABLE {view} FINAL")
        finally:
            session.close()

    return _once(dataset, "chdb", load)


def _once(dataset: Dataset, engine: str, load: Callable[[Path], None]) -> Path:
    """Returns what `load` made at an earlier call, or calls it; half a load is never taken for a whole one."""
    made = _place(dataset, engine)
    if not made.exists():
        unfinished = made.with_name(f"{made.name}.unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.unlink(missing_ok=True)
        print(f"loading {dataset.rows:,} events into {engine}", flush=True)
        started = time.monotonic()
        load(unfinished)
        print(f"  {time.monotonic() - started:.0f} s", flush=True)
        unfinished.rename(made)
    return made


def _place(dataset: Dataset, engine: str) -> Path:
    return dataset.folder.parent / f"{engine}-{dataset.rows}"
