"""The engines behind one interface: the text of a question, and its answer as an Arrow table.

Hexflight answers over the network through ADBC, the others in this process. Views stand beside the plain tables that they
belong to.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import adbc_driver_flightsql.dbapi as flightsql
import pyarrow as pa

from questions import dialect, views
from questions.shapes import Question

HEXFLIGHT, HEXFLIGHT_OPEN = "hexflight", "hexflight, open cursor"
DUCKDB, VIEWS = "DuckDB", "ClickHouse, views"
CLICKHOUSE = {views.BY_TIME: "ClickHouse (type, time)", views.BY_DEVICE: "ClickHouse (type, device, time)"}
PLAIN = (DUCKDB, *CLICKHOUSE.values())
PEERS = (*PLAIN, VIEWS)


class Engine(Protocol):
    """An engine that is open."""

    name: str

    def sql(self, question: Question) -> str | None:
        """Returns the text that asks `question`, `None` if this engine cannot answer it."""

    def ask(self, sql: str) -> pa.Table:
        """Returns the whole answer."""


class NewCursor:
    """Hexflight with a cursor per query, as most programs do."""

    name = HEXFLIGHT

    def __init__(self, connection: flightsql.Connection) -> None:
        self._connection = connection

    def sql(self, question: Question) -> str:
        return dialect.sql(question, dialect.HEXFLIGHT)

    def ask(self, sql: str) -> pa.Table:
        with self._connection.cursor() as cursor:
            cursor.execute(sql)
            return cursor.fetch_arrow_table()


class OpenCursor(NewCursor):
    """Hexflight with one cursor for all queries."""

    name = HEXFLIGHT_OPEN

    def __init__(self, connection: flightsql.Connection) -> None:
        super().__init__(connection)
        self._cursor = connection.cursor()

    def ask(self, sql: str) -> pa.Table:
        self._cursor.execute(sql)
        return self._cursor.fetch_arrow_table()

    def close(self) -> None:
        """Closes the cursor; a connection refuses to close before."""
        self._cursor.close()


class DuckDb:
    """DuckDB's own table in a file."""

    name = DUCKDB

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def sql(self, question: Question) -> str:
        return dialect.sql(question, dialect.DUCKDB)

    def ask(self, sql: str) -> pa.Table:
        return self._connection.sql(sql).to_arrow_table()


class ClickHouse:
    """One layout of the events in ClickHouse, in this process; `None` as the table stands for the views."""

    def __init__(self, session: Any, table: str | None) -> None:
        self.name = VIEWS if table is None else CLICKHOUSE[table]
        self._session = session
        self._dialect = None if table is None else dialect.clickhouse(table)

    def sql(self, question: Question) -> str | None:
        return views.sql(question) if self._dialect is None else dialect.sql(question, self._dialect)

    def ask(self, sql: str) -> pa.Table:
        return self._session.query(sql, "ArrowTable")


@contextmanager
def open_hexflight(url: str) -> Iterator[list[Engine]]:
    """Opens both ways to ask the server at `url`."""
    with flightsql.connect(url, autocommit=True) as connection:
        held = OpenCursor(connection)
        try:
            yield [NewCursor(connection), held]
        finally:
            held.close()


@contextmanager
def open_duckdb(file: Path) -> Iterator[list[Engine]]:
    """Opens DuckDB's file for reading."""
    import duckdb

    with duckdb.connect(str(file), read_only=True) as connection:
        yield [DuckDb(connection)]


@contextmanager
def open_clickhouse(folder: Path) -> Iterator[list[Engine]]:
    """Opens every layout of the chDB folder."""
    from chdb.session import Session

    session = Session(str(folder))
    try:
        session.query("USE bench")
        yield [ClickHouse(session, table) for table in (views.BY_TIME, views.BY_DEVICE, None)]
    finally:
        session.close()
