"""Questions as SQL: one text for all, with the few words in which the engines differ."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass

from questions.shapes import Question


@dataclass(frozen=True)
class Dialect:
    """What an engine calls things."""

    table: str
    # Literal of an instant, from microseconds since 1970.
    instant: Callable[[int], str]
    minute: str
    # H3 cell of resolution 5 of an event, and the condition that it has one.
    cell: str
    has_cell: str


def _iso(micros: int) -> str:
    instant = dt.datetime.fromtimestamp(micros // 1_000_000, dt.timezone.utc)
    return f"{instant:%Y-%m-%d %H:%M:%S}.{micros % 1_000_000:06}"


HEXFLIGHT = Dialect(
    table="events",
    instant=lambda micros: f"TIMESTAMP '{_iso(micros).replace(' ', 'T')}Z'",
    minute="date_bin(INTERVAL '1 minute', timestamp)",
    cell="h3_cell_to_parent(h3, 5)",
    has_cell="h3 IS NOT NULL",
)

DUCKDB = Dialect(
    table="events",
    instant=lambda micros: f"TIMESTAMP '{_iso(micros)}'",
    minute="time_bucket(INTERVAL '1 minute', timestamp)",
    cell="cell5",
    has_cell="cell5 IS NOT NULL",
)


def clickhouse(table: str) -> Dialect:
    """ClickHouse asking `table`; an event without a position has cell 0 and not-a-number as its degrees."""
    return Dialect(
        table=table,
        instant=lambda micros: f"toDateTime64('{_iso(micros)}', 6, 'UTC')",
        minute="toStartOfMinute(timestamp)",
        cell="h3ToParent(cell9, 5)",
        has_cell="cell9 != 0",
    )


def sql(question: Question, dialect: Dialect) -> str:
    """Returns the text that asks `question`."""
    select, rest = _SELECTS[question.kind](dialect)
    return f"SELECT {select} FROM {dialect.table} WHERE {_conditions(question, dialect)}{rest}"


def _conditions(question: Question, dialect: Dialect) -> str:
    found = []
    if question.type is not None:
        found.append(f"type = '{question.type}'")
    if question.device is not None:
        found.append(f"device_id = '{question.device}'")
    if question.box is not None:
        box = question.box
        found.append(f"latitude >= {box.south} AND latitude <= {box.north}")
        found.append(f"longitude >= {box.west} AND longitude <= {box.east}")
    if question.kind == "cells":
        found.append(dialect.has_cell)
    found.append(window(question.start, question.end, dialect))
    return " AND ".join(found)


def window(start: int, end: int, dialect: Dialect) -> str:
    """Returns the condition that an event lies in [start, end)."""
    return f"timestamp >= {dialect.instant(start)} AND timestamp < {dialect.instant(end)}"


_AVERAGE = ("avg(value) AS a", "")

# For each kind of question: what is selected, and what follows the conditions.
_SELECTS: dict[str, Callable[[Dialect], tuple[str, str]]] = {
    "window": lambda _: (
        "count(*) AS n, sum(value) AS s, avg(value) AS a, min(value) AS low, max(value) AS high",
        "",
    ),
    "device": lambda _: _AVERAGE,
    "box": lambda _: _AVERAGE,
    "top": lambda _: ("device_id, count(*) AS n", " GROUP BY device_id ORDER BY n DESC, device_id LIMIT 10"),
    "minutes": lambda d: (f"{d.minute} AS minute, avg(value) AS a", " GROUP BY minute ORDER BY minute"),
    "cells": lambda d: (f"{d.cell} AS cell, count(*) AS n", " GROUP BY cell ORDER BY n DESC, cell LIMIT 100"),
}
