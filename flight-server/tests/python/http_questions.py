"""The four questions over plain Python rows, and seeded random rows full of edges. Knows nothing of the server."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import pyarrow as pa

from flight_client import START_MICROS, TIMESTAMP

METRICS = ("temperature", "humidity", "Luftfeuchte/°C & mehr")
DEVICES = ("a", "b", "c/d e", "Gerät+1", "%41", "z")

# On borders of the boxes that the tests ask for, around zero, and on both sides of the antimeridian.
LATITUDES = (-90.0, -45.5, -0.0, 0.0, 10.0, 45.5, 90.0)
LONGITUDES = (-180.0, -179.5, -170.0, -0.0, 0.0, 13.25, 170.0, 179.5, 180.0)


@dataclass(frozen=True)
class Event:
    """One row; `latitude` and `longitude` are both there or both `None`."""

    micros: int
    device: str
    metric: str
    value: float
    latitude: float | None
    longitude: float | None


def random_events(count: int, seed: int) -> list[Event]:
    """Returns events within 100 s of `START_MICROS`; values are eighths, so that every order of summing is exact."""
    rng = random.Random(seed)
    return [random_event(rng) for _ in range(count)]


def random_event(rng: random.Random) -> Event:
    """Returns an event: a third lie exactly on whole seconds, a fifth have no position, half of the others lie on edges."""
    offset = rng.randrange(100_000_000)
    offset = rng.choice([offset, offset, offset // 1_000_000 * 1_000_000])
    position: tuple[float | None, float | None] = (None, None)
    if rng.random() < 0.8:
        anywhere = (rng.uniform(-90, 90), rng.uniform(-180, 180))
        position = rng.choice([anywhere, (rng.choice(LATITUDES), rng.choice(LONGITUDES))])
    value = rng.randrange(-8_000, 8_000) / 8
    return Event(START_MICROS + offset, rng.choice(DEVICES), rng.choice(METRICS), value, *position)


def batch_of(events: Iterable[Event]) -> pa.RecordBatch:
    """Returns the events as a batch."""
    rows = list(events)
    return pa.RecordBatch.from_pydict(
        {
            "timestamp": pa.array([row.micros for row in rows], TIMESTAMP),
            "device_id": pa.array([row.device for row in rows], pa.string()),
            "type": pa.array([row.metric for row in rows], pa.string()),
            "value": pa.array([row.value for row in rows], pa.float64()),
            "latitude": pa.array([row.latitude for row in rows], pa.float64()),
            "longitude": pa.array([row.longitude for row in rows], pa.float64()),
        }
    )


def within(events: Iterable[Event], metric: str, start: int, end: int) -> Iterator[Event]:
    """Yields the events of a metric with `start` ≤ time < `end`, in µs."""
    return (row for row in events if row.metric == metric and start <= row.micros < end)


def inside(row: Event, south: float, north: float, west: float, east: float) -> bool:
    """Tells whether an event lies in a box, borders included; `west` > `east` crosses the antimeridian."""
    if row.latitude is None or row.longitude is None:
        return False
    if west <= east:
        in_longitude = west <= row.longitude <= east
    else:
        in_longitude = row.longitude >= west or row.longitude <= east
    return in_longitude and south <= row.latitude <= north


def aggregates(events: Iterable[Event]) -> dict[str, float | None]:
    """Returns count, sum, avg, min and max."""
    values = [row.value for row in events]
    total = sum(values)
    return {
        "count": len(values),
        "sum": total,
        "avg": total / len(values) if values else None,
        "min": min(values, default=None),
        "max": max(values, default=None),
    }


def top(events: Iterable[Event], k: int) -> list[dict[str, object]]:
    """Returns the `k` devices with the most events, ties by their ids."""
    counts: dict[str, int] = {}
    for row in events:
        counts[row.device] = counts.get(row.device, 0) + 1
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return [{"device_id": device, "count": count} for device, count in ranked[:k]]
