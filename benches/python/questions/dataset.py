"""The events that every engine loads: seeded, skewed, partly moving and late, as Parquet files in order of arrival.

Made once per number of rows and kept. The columns `cell9` and `cell5` are for engines that have no H3 of their own; Hexflight
does not read them, it derives its cells itself.
"""

from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import h3.api.basic_int as h3
import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet

from questions.fleet import DEVICES, Fleet

SEED = 20_261_101
START = dt.datetime(2026, 11, 1, tzinfo=dt.timezone.utc)
DAYS = 7
START_MICROS = int(START.timestamp()) * 1_000_000
SPAN_MICROS = DAYS * 86_400_000_000
FILES = 10
# Rows made at once; they bound the memory of this process.
CHUNK_ROWS = 500_000

LATE_SHARE = 0.05
LATE_MICROS_MIN, LATE_MICROS_MAX = 60_000_000, 3 * 86_400_000_000
UNPLACED_SHARE = 0.03

# Each type: name, share of the events, middle and spread of its values.
TYPES = (
    ("temperature", 0.25, 18.0, 7.0),
    ("humidity", 0.20, 55.0, 15.0),
    ("pressure", 0.15, 1013.0, 8.0),
    ("battery", 0.10, 70.0, 18.0),
    ("speed", 0.10, 42.0, 20.0),
    ("co2", 0.08, 620.0, 150.0),
    ("noise", 0.07, 48.0, 9.0),
    ("vibration", 0.05, 3.0, 1.2),
)

SCHEMA = pa.schema([
    ("timestamp", pa.timestamp("us", "UTC")),
    ("device_id", pa.string()),
    ("type", pa.string()),
    ("value", pa.float64()),
    ("latitude", pa.float64()),
    ("longitude", pa.float64()),
    ("cell9", pa.int64()),
    ("cell5", pa.int64()),
])  # fmt: skip


@dataclass(frozen=True)
class Dataset:
    """Where the files of one number of rows lie, and what is known about them without reading them."""

    rows: int
    folder: Path

    @property
    def files(self) -> list[Path]:
        """All files, in order of arrival."""
        return sorted(self.folder.glob("part-*.parquet"))


def ensure(folder: Path, rows: int) -> Dataset:
    """Returns the dataset of `rows` events below `folder`, made now unless it is there."""
    made = Dataset(rows, folder / f"events-{rows}")
    if not made.folder.is_dir():
        unfinished = made.folder.with_suffix(".unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(parents=True)
        _write(unfinished, rows)
        unfinished.rename(made.folder)
    return made


def _write(folder: Path, rows: int) -> None:
    fleet = Fleet(SEED)
    edges = [rows * file // FILES for file in range(FILES + 1)]
    for file, (first, end) in enumerate(zip(edges, edges[1:])):
        path = folder / f"part-{file:02}.parquet"
        with parquet.ParquetWriter(path, SCHEMA, compression="zstd", compression_level=1) as writer:
            for table in _chunks(fleet, rows, first, end):
                writer.write_table(table)
        print(f"  {path.name}: {end - first:,} events", flush=True)


def _chunks(fleet: Fleet, rows: int, first: int, end: int) -> Iterator[pa.Table]:
    for start in range(first, end, CHUNK_ROWS):
        yield _chunk(fleet, rows, start, min(start + CHUNK_ROWS, end))


def _chunk(fleet: Fleet, rows: int, first: int, end: int) -> pa.Table:
    """Returns the events that arrive as numbers `first` to `end` of `rows`."""
    rng = np.random.default_rng([SEED, rows, first])
    times = _times(rng, rows, first, end)
    devices = fleet.pick(rng, end - first)
    types = rng.choice(len(TYPES), end - first, p=[share for _, share, _, _ in TYPES]).astype(np.int8)
    latitudes, longitudes = fleet.positions(devices, times - START_MICROS)
    placed = rng.random(end - first) >= UNPLACED_SHARE
    fine, coarse = _cells(latitudes, longitudes)
    columns = [
        pa.array(times, pa.timestamp("us", "UTC")),
        pa.DictionaryArray.from_arrays(pa.array(devices), fleet.names).cast(pa.string()),
        pa.DictionaryArray.from_arrays(pa.array(types), [name for name, *_ in TYPES]).cast(pa.string()),
        pa.array(_values(rng, devices, types, times)),
        *(pa.array(column, mask=~placed) for column in (latitudes, longitudes, fine, coarse)),
    ]
    return pa.Table.from_arrays(columns, schema=SCHEMA)


def _times(rng: np.random.Generator, rows: int, first: int, end: int) -> np.ndarray:
    """Event times: those of the arrivals, which are even; some earlier, though never before the start."""
    step = SPAN_MICROS / rows
    arrivals = ((np.arange(first, end) + rng.random(end - first)) * step).astype(np.int64)
    late = rng.random(end - first) < LATE_SHARE
    lateness = np.exp(rng.uniform(np.log(LATE_MICROS_MIN), np.log(LATE_MICROS_MAX), end - first)).astype(np.int64)
    return START_MICROS + np.where(late & (lateness < arrivals), arrivals - lateness, arrivals)


def _values(rng: np.random.Generator, devices: np.ndarray, types: np.ndarray, times: np.ndarray) -> np.ndarray:
    """A level per device, a wave per day, noise; two decimals, as sensors send them."""
    middle = np.array([middle for _, _, middle, _ in TYPES])[types]
    spread = np.array([spread for *_, spread in TYPES])[types]
    level = devices / DEVICES - 0.5
    wave = np.sin(times * (2 * np.pi / 86_400e6))
    noise = rng.standard_normal(len(types)) * 0.3
    return np.round(middle + spread * (level + 0.5 * wave + noise), 2)


def _cells(latitudes: np.ndarray, longitudes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """H3 cells of resolution 9 and 5; each different position is computed once."""
    places, back = np.unique(latitudes + 1j * longitudes, return_inverse=True)
    fine = np.array([h3.latlng_to_cell(place.real, place.imag, 9) for place in places.tolist()], np.int64)
    coarse = np.array([h3.cell_to_parent(cell, 5) for cell in fine.tolist()], np.int64)
    return fine[back], coarse[back]
