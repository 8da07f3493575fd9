"""Random conditions on time, type, device, place and value, many of them on, or just beside, what the events hold."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from flight_client import HOUR_MICROS
from random_dialects import EARTH_M, Dialect
from random_events import FIRST_MICROS, MINUTE_MICROS, SPAN_MICROS, TYPES, Events, Place

# Nearer to its border than this, two ways to compute a distance may disagree; far more so at the other end of the world.
BORDER_M, ANTIPODE_BORDER_M, ANTIPODE_M = 1e-6, 1.0, 1.9e7


class Condition(Protocol):
    """Something that an event fulfils, does not, or leaves unknown."""

    def sql(self, dialect: Dialect) -> str:
        """Returns the condition; empty if there is none."""


@dataclass(frozen=True)
class Text:
    """A condition that all engines write alike."""

    text: str

    def sql(self, _: Dialect) -> str:
        return self.text


@dataclass(frozen=True)
class Time:
    """A comparison of event time with an instant, or with two for `BETWEEN`."""

    operator: str
    instants: tuple[int, ...]

    def sql(self, dialect: Dialect) -> str:
        return f"{dialect.time} {self.operator} {' AND '.join(map(dialect.instant, self.instants))}"


@dataclass(frozen=True)
class Number:
    """A comparison of a column with a number, or with two for `BETWEEN`."""

    column: str
    operator: str
    numbers: tuple[float, ...]

    def sql(self, dialect: Dialect) -> str:
        return f"{self.column} {self.operator} {' AND '.join(map(dialect.number, self.numbers))}"


@dataclass(frozen=True)
class Box:
    """`geo_bbox`."""

    south: float
    north: float
    west: float
    east: float

    def sql(self, dialect: Dialect) -> str:
        return dialect.box(self.south, self.north, self.west, self.east)


@dataclass(frozen=True)
class Circle:
    """`geo_within_radius`."""

    latitude: float
    longitude: float
    radius_m: float

    def sql(self, dialect: Dialect) -> str:
        return dialect.circle(self.latitude, self.longitude, self.radius_m)


@dataclass(frozen=True)
class AllOf:
    """All of some conditions; of none it is always fulfilled."""

    parts: tuple[Condition, ...]

    def sql(self, dialect: Dialect) -> str:
        return " AND ".join(part.sql(dialect) for part in self.parts)


@dataclass(frozen=True)
class AnyOf:
    """At least one of some conditions."""

    parts: tuple[Condition, ...]

    def sql(self, dialect: Dialect) -> str:
        return f"({' OR '.join(part.sql(dialect) for part in self.parts)})"


@dataclass(frozen=True)
class Not:
    """The contrary; unknown stays unknown."""

    part: Condition

    def sql(self, dialect: Dialect) -> str:
        return f"NOT ({self.part.sql(dialect)})"


class Conditions:
    """Makes random conditions that fit some events."""

    def __init__(self, events: Events) -> None:
        self._instants = [row.micros for row in events.rows]
        self._values = [row.value for row in events.rows]
        self._devices = events.devices
        self._busy = [row.device for row in events.rows[:2_000]]
        # As often as they occur, so that most boxes hold something.
        self._places = [row.place for row in events.rows if row.place is not None]
        self._radians = np.radians(np.array(events.places))

    def where(self, rng: random.Random) -> AllOf:
        """Returns the whole WHERE of a query."""
        shares = ((self._time, 0.8), (self._type, 0.5), (self._place, 0.4), (self._device, 0.25), (self._value, 0.12),
                  (self._null, 0.05))  # fmt: skip
        chosen = [make for make, share in shares if rng.random() < share]
        rng.shuffle(chosen)
        return AllOf(tuple(self._twisted(rng, make(rng)) for make in chosen))

    def _twisted(self, rng: random.Random, condition: Condition) -> Condition:
        """Mostly the condition itself; sometimes its contrary or a choice of two."""
        twist = rng.random()
        if twist < 0.04:
            return Not(condition)
        if twist < 0.08:
            other = rng.choice([self._time, self._type, self._place, self._value])(rng)
            return AnyOf((_grouped(condition), _grouped(other)))
        return condition

    def _instant(self, rng: random.Random) -> int:
        return rng.choice([
            lambda: rng.choice(self._instants),
            lambda: rng.choice(self._instants) + rng.choice([-1, 1]),
            lambda: FIRST_MICROS + rng.randrange(SPAN_MICROS) // MINUTE_MICROS * MINUTE_MICROS,
            lambda: FIRST_MICROS + rng.randrange(SPAN_MICROS) // HOUR_MICROS * HOUR_MICROS,
            lambda: FIRST_MICROS + rng.randrange(-HOUR_MICROS, SPAN_MICROS + HOUR_MICROS),
        ])()  # fmt: skip

    def _time(self, rng: random.Random) -> Condition:
        """A window of any size, open or closed, one-sided, empty or inverted; or one instant."""
        start = self._instant(rng)
        sizes = [0, rng.choice([1, -1, -HOUR_MICROS]), rng.randrange(MINUTE_MICROS), MINUTE_MICROS, 10 * MINUTE_MICROS,
                 HOUR_MICROS, HOUR_MICROS, rng.randrange(6 * HOUR_MICROS), 6 * HOUR_MICROS, 24 * HOUR_MICROS]  # fmt: skip
        # Nearly half of all end at an instant of their own.
        size = rng.choice([*sizes, *[None] * 6])
        end = self._instant(rng) if size is None else start + size
        if size is None and rng.random() < 0.9:
            start, end = sorted((start, end))
        shape = rng.random()
        if shape < 0.15:
            return Time("BETWEEN", (start, end))
        if shape < 0.25:
            return Time(rng.choice([">=", ">", "<", "<=", "="]), (start,))
        upper = "<" if rng.random() < 0.7 else "<="
        return AllOf((Time(">=" if rng.random() < 0.8 else ">", (start,)), Time(upper, (end,))))

    def _type(self, rng: random.Random) -> Condition:
        return _names(rng, "type", lambda: rng.choice([*TYPES, "nonsense"]) if rng.random() < 0.1 else rng.choice(TYPES))

    def _device(self, rng: random.Random) -> Condition:
        return _names(rng, "device_id", lambda: rng.choice(rng.choice([self._busy, self._devices, ["nobody"]])))

    def _value(self, rng: random.Random) -> Condition:
        numbers = sorted([rng.choice(self._values), rng.choice(self._values)])
        if rng.random() < 0.3:
            return Number("value", "BETWEEN", tuple(numbers))
        return Number("value", rng.choice([">", ">=", "<", "<=", "=", "<>"]), tuple(numbers[:1]))

    def _null(self, rng: random.Random) -> Condition:
        return Text(f"{rng.choice(['latitude', 'longitude', 'h3'])} IS {rng.choice(['', 'NOT '])}NULL")

    def _place(self, rng: random.Random) -> Condition:
        return self._circle(rng) if rng.random() < 0.3 else self._box(rng)

    def _box(self, rng: random.Random) -> Condition:
        """A box with an event's place inside, on its border or as all of it; or the world, or over the antimeridian."""
        latitude, longitude = rng.choice(self._places)
        height, width = (rng.choice([0.0, 1e-5, 0.02, 0.2, 5.0, 40.0, 200.0]) for _ in range(2))
        share = rng.choice([0.0, 1.0, rng.random()])
        south, north = max(-90.0, latitude - share * height), min(90.0, latitude + (1 - share) * height)
        west, east = longitude - share * width, longitude + (1 - share) * width
        if rng.random() < 0.05:
            south, north, west, east = -90.0, 90.0, -180.0, 180.0
        if west < -180 or east > 180:
            crosses = rng.random() < 0.5
            west, east = (_wrapped(west), _wrapped(east)) if crosses else (max(west, -180.0), min(east, 180.0))
        if west > east or rng.random() < 0.5:
            return Box(south, north, west, east)
        return _comparisons(rng, (south, north), (west, east))

    def _circle(self, rng: random.Random) -> Condition:
        """A circle round or beside an event's place, with no place so near to its border that rounding decides."""
        while True:
            latitude, longitude = rng.choice(self._places)
            if rng.random() < 0.5:
                latitude, longitude = _moved(rng, latitude, 90.0), _moved(rng, longitude, 180.0)
            radius = rng.choice([0.0, 1.0, 500.0, 20_000.0, 1e6, 9e6, 1.95e7, 3e7, rng.uniform(0, 2e6)])
            if not self._on_border((latitude, longitude), radius):
                return Circle(latitude, longitude, radius)

    def _on_border(self, centre: Place, radius: float) -> bool:
        metres = _metres(np.radians(np.array(centre)), self._radians)
        near = np.where(metres < ANTIPODE_M, BORDER_M, ANTIPODE_BORDER_M)
        return bool(np.any((metres != 0.0) & (np.abs(metres - radius) < near)))


def _names(rng: random.Random, column: str, pick: Callable[[], str]) -> Condition:
    """An equality, or a choice of several names."""

    def quoted() -> str:
        return "'" + pick().replace("'", "''") + "'"

    shape = rng.random()
    if shape < 0.6:
        return Text(f"{column} = {quoted()}")
    if shape < 0.65:
        return Text(f"{column} <> {quoted()}")
    return Text(f"{column} {'NOT ' if shape < 0.7 else ''}IN ({', '.join(quoted() for _ in range(rng.randint(1, 5)))})")


def _grouped(condition: Condition) -> Condition:
    """Several conditions become one that can stand beside an OR."""
    return AnyOf((condition,)) if isinstance(condition, AllOf) else condition


def _comparisons(rng: random.Random, latitudes: tuple[float, float], longitudes: tuple[float, float]) -> Condition:
    """The same box in plain comparisons, its borders out of it now and then."""
    parts: list[Condition] = []
    for column, bounds in (("latitude", latitudes), ("longitude", longitudes)):
        if rng.random() < 0.5:
            parts.append(Number(column, "BETWEEN", bounds))
        else:
            parts.append(Number(column, rng.choice([">=", ">=", ">"]), bounds[:1]))
            parts.append(Number(column, rng.choice(["<=", "<=", "<"]), bounds[1:]))
    return AllOf(tuple(parts))


def _wrapped(longitude: float) -> float:
    return min(180.0, max(-180.0, (longitude + 180.0) % 360.0 - 180.0))


def _moved(rng: random.Random, degrees: float, limit: float) -> float:
    return max(-limit, min(limit, degrees + rng.gauss(0, rng.choice([1e-3, 0.1, 10]))))


def _metres(origin: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Distances of places from an origin, all in radians."""
    h = np.sin((places[:, 0] - origin[0]) / 2) ** 2
    h += np.sin((places[:, 1] - origin[1]) / 2) ** 2 * np.cos(origin[0]) * np.cos(places[:, 0])
    return 2 * EARTH_M * np.arctan2(np.sqrt(h), np.sqrt(np.maximum(0.0, 1 - h)))
