"""Seeded events that are hard on an engine: exact borders of time and place, skew, late arrivals, odd names, odd numbers.

They come in batches in order of arrival, and again as the table that another engine is filled with, cells included.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from functools import lru_cache

import h3.api.basic_int as h3
import pyarrow as pa

from flight_client import HOUR_MICROS, START_SECONDS, TIMESTAMP

ROWS = 60_000
BATCHES = 20
DEVICES = 300
MINUTE_MICROS = 60_000_000
SPAN_MICROS = 30 * HOUR_MICROS
# Midnight of 2025-06-01: the span crosses one more.
FIRST_MICROS = START_SECONDS // 86_400 * 86_400 * 1_000_000
RESOLUTIONS = range(10)

TYPES = ("temperature", "humidity", "pressure", "battery", "speed", "co2", "Geräusch", "x")
ODD_DEVICES = ("Fühler-1", "датчик-2", "센서-3", "o'brien", "100%", "back\\slash", "🛰️", " padded ", "é" * 128)

Place = tuple[float, float]


@dataclass(frozen=True)
class Event:
    """One event as it was sent."""

    micros: int
    device: str
    type: str
    value: float
    place: Place | None


@dataclass(frozen=True)
class Events:
    """All events of a seed, in order of arrival."""

    rows: tuple[Event, ...]
    devices: tuple[str, ...]
    places: tuple[Place, ...]

    def batches(self) -> list[pa.RecordBatch]:
        """Returns the events as they are sent."""
        size = math.ceil(len(self.rows) / BATCHES)
        return [_batch(self.rows[first : first + size]) for first in range(0, len(self.rows), size)]

    def table(self) -> pa.Table:
        """Returns the events for another engine: time as `us`, cells as `h3` and `cell0` … `cell9`, the rest as it is."""
        columns = {"us": pa.array([row.micros for row in self.rows], pa.int64())}
        columns |= _columns(self.rows)
        fine = [None if row.place is None else h3.latlng_to_cell(*row.place, RESOLUTIONS[-1]) for row in self.rows]
        for resolution in RESOLUTIONS:
            columns[f"cell{resolution}"] = pa.array([_parent(cell, resolution) for cell in fine], pa.int64())
        columns["h3"] = pa.array(fine, pa.int64())
        return pa.table(columns)


def make(seed: int, count: int = ROWS) -> Events:
    """Returns the events of `seed`."""
    rng = random.Random(f"events {seed}")
    devices = [*ODD_DEVICES, *(f"device-{number}" for number in range(DEVICES - len(ODD_DEVICES)))]
    rng.shuffle(devices)
    places = _places(rng)
    homes = {device: rng.choice(places) for device in devices}
    weights = [(rank + 1) ** -1.1 for rank in range(len(devices))]
    rows: list[tuple[int, Event]] = []
    for device in rng.choices(devices, weights, k=count):
        micros = rows[-1][1].micros if rows and rng.random() < 0.03 else _instant(rng)
        late = rng.randrange(SPAN_MICROS) if rng.random() < 0.1 else 0
        place = None if rng.random() < 0.05 else _near(rng, homes[device])
        rows.append((micros + late, Event(micros, device, rng.choice(TYPES), _value(rng), place)))
    rows.sort(key=lambda row: row[0])
    arrived = tuple(event for _, event in rows)
    return Events(arrived, tuple(devices), tuple({row.place for row in arrived if row.place}))


def _instant(rng: random.Random) -> int:
    """An instant of the span: any microsecond, or on, just before or just after a border of minutes or hours."""
    micros = FIRST_MICROS + rng.randrange(SPAN_MICROS)
    step = rng.choice([1, 1, 1, 1, MINUTE_MICROS, MINUTE_MICROS, HOUR_MICROS])
    border = micros // step * step
    return border if step == 1 else max(border + rng.choice([0, 0, 1, -1]), FIRST_MICROS)


def _value(rng: random.Random) -> float:
    return rng.choice(
        [
            lambda: round(rng.gauss(20, 8), 2),
            lambda: round(rng.gauss(20, 8), 2),
            lambda: rng.gauss(0, 1),
            lambda: float(rng.randrange(-5, 6)),
            lambda: rng.choice([0.0, -0.0, 1e12, -1e12, 1e-12, 2.0**53, 0.1]),
        ]
    )()


def _places(rng: random.Random) -> list[Place]:
    """Homes of the devices: towns, anywhere on the globe, and where maps end. Several devices share one."""
    towns = [(52.52, 13.405), (35.68, 139.69), (-36.85, 174.76), (64.15, -21.94)]
    around = [(la + rng.gauss(0, 0.1), lo + rng.gauss(0, 0.1)) for la, lo in towns for _ in range(25)]
    anywhere = [(math.degrees(math.asin(rng.uniform(-1, 1))), rng.uniform(-180, 180)) for _ in range(60)]
    ends = [(90.0, 0.0), (90.0, 57.3), (-90.0, -12.0), (0.0, 0.0), (0.0, 180.0), (0.0, -180.0), (12.5, 180.0),
            (12.5, -180.0), (-17.0, 179.999999), (-17.0, -179.999999), (89.9999, 100.0), (-0.5, 0.0), (51.0, 0.0)]  # fmt: skip
    return [(round(la, 5), round(lo, 5)) for la, lo in around + anywhere] + ends * 4


def _near(rng: random.Random, home: Place) -> Place:
    """Mostly the home itself, sometimes near it."""
    if rng.random() < 0.8:
        return home
    latitude = max(-90.0, min(90.0, home[0] + rng.gauss(0, 0.01)))
    longitude = max(-180.0, min(180.0, home[1] + rng.gauss(0, 0.01)))
    return round(latitude, 5), round(longitude, 5)


def _batch(rows: tuple[Event, ...]) -> pa.RecordBatch:
    return pa.RecordBatch.from_pydict({"timestamp": pa.array([row.micros for row in rows], TIMESTAMP)} | _columns(rows))


def _columns(rows: tuple[Event, ...]) -> dict[str, pa.Array]:
    return {
        "device_id": pa.array([row.device for row in rows]),
        "type": pa.array([row.type for row in rows]),
        "value": pa.array([row.value for row in rows], pa.float64()),
        "latitude": pa.array([row.place and row.place[0] for row in rows], pa.float64()),
        "longitude": pa.array([row.place and row.place[1] for row in rows], pa.float64()),
    }


@lru_cache(maxsize=None)
def _parent(cell: int | None, resolution: int) -> int | None:
    return None if cell is None else h3.cell_to_parent(cell, resolution)
