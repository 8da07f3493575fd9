"""Compares an engine's answers to random statements of three-valued logic with DuckDB's, and makes failing ones small.

`DIFFERENCES` holds every rule by which answers may differ.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import duckdb
import pyarrow as pa

from random_check import Mismatch, Row, rows
from random_logic_events import Gappy
from random_logic_terms import DUCKDB, HEXFLIGHT, Term

# What DuckDB must be told to mean the same.
SETTINGS = ("SET TimeZone = 'UTC'", "SET default_null_order = 'nulls_last_on_asc_first_on_desc'")

# Words in an error that Hexflight gives where DuckDB gives rows.
DIFFERENCES = (
    # A window frame that ends before it begins (2 FOLLOWING AND 0 FOLLOWING) is refused, not empty.
    "cannot be larger than end bound",
    # A subquery in the condition of an outer join may name columns of one side only.
    "names columns of both sides",
)

# A statement is tried in so many smaller forms at most.
SHRINKS_MAX = 400

Ask = Callable[[str], pa.Table]


class Unfit(Exception):
    """DuckDB itself refuses the statement."""


class Oracle:
    """DuckDB with the events in memory."""

    def __init__(self, events: Gappy) -> None:
        self._events = events.table()
        self._connection = self._opened()

    def _opened(self) -> duckdb.DuckDBPyConnection:
        connection = duckdb.connect(config={"threads": 1})
        for setting in SETTINGS:
            connection.execute(setting)
        connection.register("sent", self._events)
        connection.execute("CREATE TABLE events AS FROM sent")
        return connection

    def table(self, sql: str) -> pa.Table:
        """Returns an answer."""
        return self._connection.sql(sql).to_arrow_table()

    def rows(self, statement: Term) -> list[Row]:
        """Returns the right answer."""
        try:
            return rows(self.table(statement.sql(DUCKDB)))
        except duckdb.FatalException as error:
            # A bug of its own, after which it answers nothing any more.
            self._connection = self._opened()
            raise Unfit(f"{error}") from None
        except duckdb.Error as error:
            raise Unfit(f"{error}") from None


@dataclass(frozen=True)
class Failure:
    """What is wrong with the answer to a statement; `kind` stays the same while the statement shrinks."""

    kind: str
    words: str

    def is_like(self, other: Failure) -> bool:
        """Tells whether two are of one kind, errors by how they begin."""
        return self.kind == other.kind and (self.kind != "error" or self.words[:100] == other.words[:100])


def check(statement: Term, oracle: Oracle, ask: Ask) -> Failure | None:
    """Returns what is wrong with an answer; raises `Unfit` where DuckDB has none."""
    expected = oracle.rows(statement)
    try:
        found = rows(ask(statement.sql(HEXFLIGHT)))
    except pa.ArrowException as error:
        words = str(error).split(". Detail:")[0]
        return None if any(known in words for known in DIFFERENCES) else Failure("error", words)
    except (pa.ArrowInvalid, ValueError) as error:
        return Failure("unreadable", str(error))
    try:
        compare(expected, found)
    except Mismatch as wrong:
        return Failure("wrong", str(wrong))
    return None


def compare(expected: Sequence[Row], found: Sequence[Row]) -> None:
    """Raises `Mismatch` unless both hold the same rows, in any order."""
    right, given = Counter(map(_plain, expected)), Counter(map(_plain, found))
    missing, unexpected = right - given, given - right
    if missing or unexpected:
        lacks, surplus = (sorted(rows.elements(), key=repr)[:3] for rows in (missing, unexpected))
        raise Mismatch(f"{len(found)} rows, expected {len(expected)}; missing {lacks}, unexpected {surplus}")


def _plain(row: Row) -> tuple[Any, ...]:
    """Numbers of all types as they compare, beside whether they are truth values: `True` is not 1."""
    return tuple((isinstance(value, bool), value) for value in row)


def shrunk(statement: Term, failure: Failure, oracle: Oracle, ask: Ask) -> tuple[Term, Failure]:
    """Returns the smallest statement found that fails in the same way."""
    tries, again = 0, True
    while again:
        again = False
        for smaller in statement.smaller():
            if smaller.size() > statement.size():
                continue
            tries += 1
            if tries > SHRINKS_MAX:
                return statement, failure
            try:
                other = check(smaller, oracle, ask)
            except Unfit:
                continue
            if other is not None and other.is_like(failure):
                statement, failure, again = smaller, other, True
                break
    return statement, failure
