"""The words in which engines differ. A further engine that is to answer the random queries needs one more `Dialect`."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass

# Radius of H3's sphere.
EARTH_M = 6_371_007.180918475


@dataclass(frozen=True)
class Dialect:
    """How one engine writes columns, constants and functions of the events."""

    # Column of event time, and an instant in microseconds since 1970.
    time: str
    instant: Callable[[int], str]
    number: Callable[[float], str]
    # South, north, west, east; it crosses the antimeridian if west > east.
    box: Callable[[float, float, float, float], str]
    # Latitude, longitude, radius in metres.
    circle: Callable[[float, float, float], str]
    # H3 cell of a resolution; of 9 it is the column itself.
    cell: Callable[[int], str]
    # Start of the slot of event time: of that many minutes since 1970, and of a `minute`, `hour` or `day`.
    bin: Callable[[int], str]
    trunc: Callable[[str], str]


def _iso(micros: int) -> str:
    instant = dt.datetime.fromtimestamp(micros // 1_000_000, dt.timezone.utc)
    return f"TIMESTAMP '{instant:%Y-%m-%dT%H:%M:%S}.{micros % 1_000_000:06}Z'"


def _interval(minutes: int) -> str:
    return f"INTERVAL '{minutes // 60} hour'" if minutes % 60 == 0 else f"INTERVAL '{minutes} minutes'"


HEXFLIGHT = Dialect(
    time="timestamp",
    instant=_iso,
    number=repr,
    box=lambda *bounds: f"geo_bbox(latitude, longitude, {', '.join(map(repr, bounds))})",
    circle=lambda *circle: f"geo_within_radius(latitude, longitude, {', '.join(map(repr, circle))})",
    cell=lambda resolution: f"h3_cell_to_parent(h3, {resolution})",
    bin=lambda minutes: f"date_bin({_interval(minutes)}, timestamp)",
    trunc=lambda unit: f"date_trunc('{unit}', timestamp)",
)


def _double(number: float) -> str:
    """With an exponent, or DuckDB takes it for a decimal."""
    text = repr(number)
    return text if "e" in text else f"{text}e0"


def _duckdb_box(south: float, north: float, west: float, east: float) -> str:
    word = "AND" if west <= east else "OR"
    latitude = f"latitude >= {_double(south)} AND latitude <= {_double(north)}"
    return f"({latitude} AND (longitude >= {_double(west)} {word} longitude <= {_double(east)}))"


def _slot(micros: int) -> str:
    return f"(us // {micros} * {micros})"


DUCKDB = Dialect(
    time="us",
    instant=str,
    number=_double,
    box=_duckdb_box,
    circle=lambda *circle: f"(distance_m({', '.join(map(_double, circle[:2]))}, latitude, longitude) <= {_double(circle[2])})",
    cell=lambda resolution: f"cell{resolution}",
    bin=lambda minutes: _slot(minutes * 60_000_000),
    trunc=lambda unit: _slot({"minute": 60, "hour": 3_600, "day": 86_400}[unit] * 1_000_000),
)

# The distance of an event as H3's libraries compute it.
DUCKDB_MACROS = f"""
    CREATE MACRO haversine(lat0, lng0, lat, lng) AS
        sin((radians(lat) - radians(lat0)) / 2) ** 2
        + sin((radians(lng) - radians(lng0)) / 2) ** 2 * cos(radians(lat0)) * cos(radians(lat));
    CREATE MACRO angle(h) AS 2 * atan2(sqrt(h), sqrt(greatest(0.0, 1 - h)));
    CREATE MACRO distance_m(lat0, lng0, lat, lng) AS {EARTH_M}::DOUBLE * angle(haversine(lat0, lng0, lat, lng));
"""
