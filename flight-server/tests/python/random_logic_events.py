"""Few events with many gaps: small numbers, ties, NULL in every column that may hold it, metadata with and without its fields.

Every number is a multiple of a half, so that sums are exact in any order and answers can be compared to the bit.
"""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from typing import Any

import h3.api.basic_int as h3
import pyarrow as pa

from flight_client import START_MICROS, TIMESTAMP

ROWS = 48
# As many in a file, the rest in memory.
FLUSHED = 24
STEP_MICROS = 900_000_000
DEVICES = ("d1", "d2", "d3", "d4")
TYPES = ("a", "b", "c")
NUMBERS = (-2.0, -1.0, -0.5, 0.0, 1.0, 2.0, 3.5, 10.0)
SITES = ("a", "b", "A b", "")


@dataclass(frozen=True)
class Gappy:
    """The events of a seed."""

    rows: tuple[dict[str, Any], ...]

    def batch(self, first: int, end: int) -> pa.RecordBatch:
        """Returns some of them as they are sent."""
        rows = self.rows[first:end]
        metadata = [None if row["fields"] is None else json.dumps(row["fields"]) for row in rows]
        return pa.RecordBatch.from_pydict(_shared(rows) | {"metadata": pa.array(metadata, pa.string())})

    def table(self) -> pa.Table:
        """Returns all of them for another engine: the cell, and the fields of metadata as columns `n`, `s` and `b`."""
        fields = [row["fields"] or {} for row in self.rows]
        cells = [_cell(row["latitude"], row["longitude"]) for row in self.rows]
        return pa.table(
            _shared(self.rows)
            | {
                "h3": pa.array(cells, pa.int64()),
                "n": pa.array([field.get("n") for field in fields], pa.float64()),
                "s": pa.array([field.get("s") for field in fields], pa.string()),
                "b": pa.array([field.get("b") for field in fields], pa.bool_()),
            }
        )


def make(seed: int) -> Gappy:
    """Returns the events of `seed`; no two share time and device."""
    rng = random.Random(f"gappy {seed}")
    keys = rng.sample([(step, device) for step in range(ROWS // 2) for device in DEVICES], ROWS)
    return Gappy(tuple(_event(rng, START_MICROS + step * STEP_MICROS, device) for step, device in keys))


def _event(rng: random.Random, micros: int, device: str) -> dict[str, Any]:
    placed = rng.random() < 0.6
    return {
        "timestamp": micros,
        "device_id": device,
        "type": rng.choice(TYPES),
        "value": rng.choice(NUMBERS),
        "latitude": rng.choice(NUMBERS) if placed else None,
        "longitude": rng.choice(NUMBERS) if placed else None,
        "fields": _fields(rng) if rng.random() < 0.7 else None,
    }


def _fields(rng: random.Random) -> dict[str, Any]:
    """Some fields; a number is an integer or has a fraction, any may be null or missing."""
    number = rng.choice([1, 2, 3, 2.5, -1, 0, None])
    fields = {"n": number, "s": rng.choice([*SITES, None]), "b": rng.choice([True, False, None])}
    return {name: value for name, value in fields.items() if rng.random() < 0.7}


def _cell(latitude: float | None, longitude: float | None) -> int | None:
    return None if latitude is None else h3.latlng_to_cell(latitude, longitude, 9)


def _shared(rows: tuple[dict[str, Any], ...]) -> dict[str, pa.Array]:
    numbers = {name: pa.array([row[name] for row in rows], pa.float64()) for name in ("value", "latitude", "longitude")}
    texts = {name: pa.array([row[name] for row in rows], pa.string()) for name in ("device_id", "type")}
    return {"timestamp": pa.array([row["timestamp"] for row in rows], TIMESTAMP)} | texts | numbers
