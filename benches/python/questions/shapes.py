"""The questions: shapes with seeded positions, written once for every engine.

A shape is a kind of question over a span of time; its positions are windows aligned to nothing. `dialect.py` makes SQL of them.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from questions.dataset import SEED, SPAN_MICROS, START_MICROS, TYPES
from questions.fleet import CITIES, Fleet

SECOND, MINUTE, HOUR, DAY = 1_000_000, 60_000_000, 3_600_000_000, 86_400_000_000
# The longest window leaves an hour, so that it can lie anywhere.
WEEK = 7 * DAY - HOUR

# What each span is called, and the goal for its median in milliseconds.
SPANS = {MINUTE: ("60 s", 8.0), HOUR: ("1 h", 8.0), DAY: ("1 d", 15.0), WEEK: ("7 d", 40.0)}

HOT_RANKS, COLD_RANKS = range(3), range(40_000, 60_000)


@dataclass(frozen=True)
class Box:
    """Part of the globe that does not cross the antimeridian; its borders belong to it. Degrees."""

    south: float
    north: float
    west: float
    east: float


@dataclass(frozen=True)
class Question:
    """One question; what is `None` is not asked for. The window is [start, end) in microseconds since 1970."""

    kind: str
    start: int
    end: int
    type: str | None = None
    device: str | None = None
    box: Box | None = None


@dataclass(frozen=True)
class Shape:
    """Questions of one kind and span that differ in position only."""

    name: str
    span: int
    questions: tuple[Question, ...]

    @property
    def goal_ms(self) -> float:
        """What the median may take at most."""
        return SPANS[self.span][1]


def all_shapes(positions: int) -> list[Shape]:
    """Returns every shape with that many positions; the same ones at every call."""
    fleet = Fleet(SEED)
    shapes = [_shape("aggregates of a type", "window", span, positions) for span in (MINUTE, HOUR, WEEK)]
    for heat, ranks in (("hot", HOT_RANKS), ("cold", COLD_RANKS)):
        pick = _device_picker(fleet, ranks)
        shapes += [_shape(f"average of a {heat} device", "device", s, positions, device=pick) for s in (HOUR, DAY, WEEK)]
    shapes += [_shape("top 10 devices", "top", span, positions) for span in (HOUR, DAY, WEEK)]
    for size in (0.2, 5.0, 40.0):
        pick = _box_picker(size)
        shapes += [_shape(f"average in {size:g}°", "box", span, positions, box=pick) for span in (HOUR, DAY, WEEK)]
    shapes.append(_shape("averages per minute", "minutes", DAY, positions))
    shapes.append(_shape("top 100 cells", "cells", DAY, positions))
    return shapes


def _shape(
    name: str,
    kind: str,
    span: int,
    positions: int,
    device: Callable[[random.Random], str] | None = None,
    box: Callable[[random.Random], Box] | None = None,
) -> Shape:
    full = f"{name}, {SPANS[span][0]}"
    rng = random.Random(f"{SEED} {full}")
    asked = []
    for _ in range(positions):
        start = START_MICROS + rng.randrange(1, SPAN_MICROS - span)
        kind_of_event = None if kind == "cells" else rng.choice(TYPES)[0]
        asked.append(
            Question(kind, start, start + span, kind_of_event, device and device(rng), box and box(rng))
        )
    return Shape(full, span, tuple(asked))


def _device_picker(fleet: Fleet, ranks: range) -> Callable[[random.Random], str]:
    return lambda rng: fleet.name(rng.choice(ranks))


def _box_picker(size: float) -> Callable[[random.Random], Box]:
    """Boxes of `size` degrees that hold a random city off their centre."""

    def pick(rng: random.Random) -> Box:
        _, latitude, longitude = rng.choice(CITIES)
        south = _within(latitude - size * rng.uniform(0.3, 0.7), 90.0, size)
        west = _within(longitude - size * rng.uniform(0.3, 0.7), 180.0, size)
        return Box(south, round(south + size, 6), west, round(west + size, 6))

    return pick


def _within(low: float, limit: float, size: float) -> float:
    return round(max(-limit, min(low, limit - size)), 6)
