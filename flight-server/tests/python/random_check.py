"""Compares an engine's answers to random queries with those of DuckDB over the same rows.

Everything is compared exactly but sums and what is made of them: 1e-9 of the sum of absolute values. Of groups that tie at a
LIMIT either may be given, so each given group is looked up among all groups, and what they were sorted by is compared in order.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import duckdb
import pyarrow as pa

from random_dialects import DUCKDB, DUCKDB_MACROS
from random_events import Events
from random_queries import Aggregate, AnyQuery, Latest, Query, Rows

RELATIVE = 1e-9
# What a sum may differ by is told by the absolute values of its group.
WEIGHTS = "coalesce(sum(abs(value)), 0) AS weight, count(*) AS n"

# The newest value of each device, and how many events share its time.
_LATEST = (
    "WITH matching AS (SELECT *, max(us) OVER (PARTITION BY device_id) AS newest FROM events WHERE {condition}) "
    "SELECT device_id, max(value), count(*) FROM matching WHERE us = newest GROUP BY device_id"
)

Row = tuple[Any, ...]


class Mismatch(AssertionError):
    """The engines disagree; says where."""


class Oracle:
    """DuckDB with the events in memory."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection

    @classmethod
    def of(cls, events: Events) -> Oracle:
        """Returns DuckDB filled with `events`."""
        # One thread per connection: the engine under test needs the cores.
        connection = duckdb.connect(config={"threads": 1})
        connection.execute("SET default_null_order = 'nulls_last_on_asc_first_on_desc'")
        connection.register("sent", events.table())
        connection.execute("CREATE TABLE events AS FROM sent")
        connection.execute(DUCKDB_MACROS)
        return cls(connection)

    def another(self) -> Oracle:
        """Returns the same rows for another thread."""
        return Oracle(self._connection.cursor())

    def rows(self, sql: str) -> list[Row]:
        """Returns an answer."""
        return self._connection.execute(sql).fetchall()

    def check(self, query: AnyQuery, answer: pa.Table) -> None:
        """Raises `Mismatch` unless `answer` is right."""
        found = rows(answer)
        if isinstance(query, Rows):
            _check_multiset(self.rows(self.sql(query)), found)
        elif isinstance(query, Latest):
            self._check_latest(query, found)
        else:
            check_groups(query, self.groups(query), found)

    def groups(self, query: Query) -> list[Row]:
        """Returns all groups, each followed by its `WEIGHTS`."""
        return self.rows(self.sql(query))

    def sql(self, query: AnyQuery) -> str:
        """Returns what is asked to check a query."""
        if isinstance(query, Latest):
            return _LATEST.format(condition=query.where.sql(DUCKDB) or "true")
        return query.sql(DUCKDB) if isinstance(query, Rows) else query.sql(DUCKDB, extra=WEIGHTS, whole=True)

    def _check_latest(self, query: Latest, found: list[Row]) -> None:
        newest = self.rows(self.sql(query))
        expected = {device: value for device, value, count in newest if count == 1}
        tied = {device for device, _, count in newest if count > 1}
        given = dict(found)
        if len(given) != len(found) or set(given) != set(expected) | tied:
            raise Mismatch(f"devices: expected {len(newest)}, found {len(found)}: {set(given) ^ (set(expected) | tied)}")
        wrong = {device: (value, given[device]) for device, value in expected.items() if given[device] != value}
        if wrong:
            raise Mismatch(f"device: (expected, found): {wrong}")


def rows(table: pa.Table) -> list[Row]:
    """Returns the rows of an answer, times in microseconds since 1970."""
    columns = [
        column.cast(pa.timestamp("us", column.type.tz)).cast(pa.int64()) if pa.types.is_timestamp(column.type) else column
        for column in table.columns
    ]
    return list(zip(*(column.to_pylist() for column in columns))) if columns else []


def check_groups(query: Query, whole: Sequence[Row], found: Sequence[Row]) -> None:
    """Compares `found` with all groups, each followed by its `WEIGHTS`."""
    keys, width = len(query.keys), len(query.keys) + len(query.aggregates)
    expected = {row[:keys]: row for row in whole}
    limit = query.top.limit if query.top else len(expected)
    if len(found) != min(limit, len(expected)):
        raise Mismatch(f"{len(found)} rows, expected {min(limit, len(expected))}")
    if len({row[:keys] for row in found}) != len(found):
        raise Mismatch("a group is there twice")
    for row in found:
        right = expected.get(row[:keys])
        if right is None:
            raise Mismatch(f"group {row[:keys]} is not there: found {row}")
        for aggregate, one, other in zip(query.aggregates, right[keys:width], row[keys:]):
            _check_number(aggregate, one, other, right[width], right[width + 1], row)
    if query.top:
        _check_order(query, expected, found, keys)


def _check_number(aggregate: Aggregate, right: Any, found: Any, weight: float, count: int, row: Row) -> None:
    if right == found:
        return
    if right is not None and found is not None and not aggregate.exact:
        allowed = RELATIVE * (aggregate.of_sum * weight + aggregate.of_mean * weight / max(count, 1))
        # The rounding of the arithmetic on top.
        if abs(right - found) <= allowed + 1e-14 * abs(right):
            return
    raise Mismatch(f"{aggregate.sql}: found {found!r}, expected {right!r} in row {row}")


def _check_order(query: Query, expected: dict[Row, Row], found: Sequence[Row], keys: int) -> None:
    """The numbers that groups are sorted by must be the first ones of all, in order; ties are equal numbers."""
    assert query.top is not None
    column = keys + query.top.aggregate
    aggregate = query.aggregates[query.top.aggregate]
    # Nothing counts as greater than any number, as in PostgreSQL.
    sorted_by = sorted((row[column] for row in expected.values()), key=_nothing_last, reverse=query.top.descending)
    slack = RELATIVE * max(aggregate.of_sum, aggregate.of_mean) * max((row[-2] for row in expected.values()), default=0.0)
    for place, (right, row) in enumerate(zip(sorted_by, found)):
        same = right == row[column] or None not in (right, row[column]) and abs(right - row[column]) <= slack
        if not same:
            raise Mismatch(f"place {place} has {row[column]!r}, expected {right!r}: {row}")


def _nothing_last(number: float | None) -> tuple[bool, float]:
    return number is None, number or 0.0


def _check_multiset(expected: Sequence[Row], found: Sequence[Row]) -> None:
    missing, unexpected = Counter(expected) - Counter(found), Counter(found) - Counter(expected)
    if missing or unexpected:
        raise Mismatch(
            f"{len(found)} rows, expected {len(expected)}; missing {list(missing)[:5]}, unexpected {list(unexpected)[:5]}"
        )
