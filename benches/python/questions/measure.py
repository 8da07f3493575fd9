"""Times every shape on every engine, in turns, after making sure that all give the same answers."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from questions import answers
from questions.engines import HEXFLIGHT, HEXFLIGHT_OPEN, Engine
from questions.shapes import Shape

SELECT_1 = "SELECT 1"


@dataclass
class Timings:
    """Milliseconds of one shape, by engine; and of `SELECT 1`, by way to ask Hexflight."""

    shape: Shape
    engines: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    select_1: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))


@dataclass(frozen=True)
class Effort:
    """How long to measure: rounds over all positions, and seconds per shape after which no further round begins."""

    runs: int
    seconds: float


def check(shape: Shape, engines: Sequence[Engine]) -> None:
    """Asks every position on every engine; raises `Differs` where two disagree."""
    for question in shape.questions:
        texts = {engine.name: sql for engine in engines if (sql := engine.sql(question))}
        given = {engine.name: answers.rows(engine.ask(texts[engine.name])) for engine in engines if engine.name in texts}
        (first, expected), *others = given.items()
        for name, found in others:
            answers.compare(f"{shape.name}: {first} and {name}\n{texts[first]}\n{texts[name]}\n", expected, found)


def time_shape(shape: Shape, engines: Sequence[Engine], effort: Effort) -> Timings:
    """Times all positions in rounds; within a round the engines take turns, so that noise hits all alike."""
    timings = Timings(shape)
    asked = [(q, [(e, sql) for e in engines if (sql := e.sql(q))]) for q in shape.questions]
    started = time.monotonic()
    for run in range(effort.runs):
        for number, (_, texts) in enumerate(asked):
            turn = (run + number) % len(texts)
            for engine, sql in texts[turn:] + texts[:turn]:
                timings.engines[engine.name].append(milliseconds(lambda: engine.ask(sql)))
        for engine in engines:
            if engine.name in (HEXFLIGHT, HEXFLIGHT_OPEN):
                timings.select_1[engine.name].append(milliseconds(lambda: engine.ask(SELECT_1)))
        if time.monotonic() - started > effort.seconds:
            break
    return timings


def milliseconds(call: Callable[[], object]) -> float:
    """Returns how long `call` takes."""
    started = time.perf_counter()
    call()
    return (time.perf_counter() - started) * 1e3


def percentile(taken: Sequence[float], share: float) -> float:
    """Returns the value below which that share of `taken` lies, by nearest rank."""
    ordered = sorted(taken)
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)]
