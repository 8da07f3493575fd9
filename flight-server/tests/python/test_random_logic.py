"""Random statements of three-valued logic, subqueries and windows over rows in a file and in memory: all answers are DuckDB's.

`HEXFLIGHT_RANDOM_QUERIES` and `HEXFLIGHT_SEED` change how many there are and which. A failing statement is shrunk before
it is printed. Without a number of their own, the statements end early on a machine that is too busy for all.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterator

import pyarrow as pa
import pyarrow.flight as flight
import pytest

import flight_client
import random_logic_events
from hexserver import Server, wait_until
from random_check import Mismatch
from random_logic import Generator
from random_logic_check import Ask, Oracle, Unfit, check, compare, shrunk
from random_logic_events import FLUSHED, Gappy
from random_logic_terms import DUCKDB, HEXFLIGHT, Term

SEED = int(os.environ.get("HEXFLIGHT_SEED", "1"))
STATEMENTS = int(os.environ.get("HEXFLIGHT_RANDOM_QUERIES", "1000"))
SECONDS_MAX = math.inf if "HEXFLIGHT_RANDOM_QUERIES" in os.environ else 35.0
# Fewer than this prove too little.
STATEMENTS_MIN = min(STATEMENTS, 200)
# Of a hundred statements so many at most may be none for DuckDB.
UNFIT_MAX = 10
FAILURES_MAX = int(os.environ.get("HEXFLIGHT_FAILURES", "5"))
FLUSH_SECONDS = 30.0
# A statement over 48 rows that takes longer counts as one without an end.
CALL = flight.FlightCallOptions(timeout=60.0)


@pytest.fixture(scope="module")
def events() -> Gappy:
    return random_logic_events.make(SEED)


@pytest.fixture(scope="module")
def oracle(events: Gappy) -> Oracle:
    return Oracle(events)


@pytest.fixture(scope="module")
def ask(events: Gappy, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ask]:
    """Asks a server that holds half of the events in a file and half in memory."""
    server = Server(tmp_path_factory.mktemp("logic") / "data", "--flush-interval", "100ms", "--log", "warn")
    try:
        server.start()
        with flight_client.connect(server.flight_url) as client:
            flight_client.put(client, events.batch(0, FLUSHED))
        wait_until(lambda: any(server.table_dir.glob("**/*.parquet")), FLUSH_SECONDS, "flush")
        server.stop()
        server.flags = ("--flush-interval", "1h", "--log", "warn")
        server.start()
        with flight_client.connect(server.flight_url) as client:
            flight_client.put(client, events.batch(FLUSHED, len(events.rows)))
            # A ticket may be the text itself: one planning less than by GetFlightInfo.
            yield lambda sql: client.do_get(flight.Ticket(sql.encode()), CALL).read_all()
    finally:
        server.stop()


def test_every_answer_is_duckdbs(oracle: Oracle, ask: Ask) -> None:
    generator = Generator(SEED)
    failures: list[str] = []
    asked, unfit, end = 0, 0, time.monotonic() + SECONDS_MAX
    for number in range(STATEMENTS):
        if len(failures) == FAILURES_MAX or time.monotonic() > end:
            break
        asked += 1
        statement = generator.statement(number)
        try:
            failure = check(statement, oracle, ask)
        except Unfit:
            unfit += 1
            continue
        if failure is not None:
            statement, failure = shrunk(statement, failure, oracle, ask)
            failures.append(describe(number, statement, failure.words))

    print(f"{asked} statements of seed {SEED}, {unfit} of them none for DuckDB")
    assert not failures, "\n\n".join(failures)
    assert asked >= STATEMENTS_MIN, f"{asked} statements in {SECONDS_MAX} s"
    assert unfit * 100 <= asked * UNFIT_MAX, f"{unfit} of {asked} statements are none for DuckDB"


def describe(number: int, statement: Term, words: str) -> str:
    """Returns everything that is needed to see a failure again."""
    return f"seed {SEED}, statement {number}: {words}\n  {statement.sql(HEXFLIGHT)}\n  {statement.sql(DUCKDB)}"


# Proof that the comparison bites.

RIGHT = [(1, None), (1, None), (2, True)]


def test_comparison_takes_rows_in_any_order_and_numbers_of_any_type() -> None:
    compare(RIGHT, [(2.0, True), (1, None), (1.0, None)])


@pytest.mark.parametrize(
    "wrong",
    [RIGHT[1:], [*RIGHT, (1, None)], [*RIGHT[:2], (2, None)], [*RIGHT[:2], (2, False)], [*RIGHT[:2], (2, 1)]],
)
def test_comparison_finds_what_is_wrong(wrong: list[tuple[object, ...]]) -> None:
    with pytest.raises(Mismatch):
        compare(RIGHT, wrong)


def test_a_failing_statement_shrinks_to_what_fails(oracle: Oracle) -> None:
    """An engine that has DuckDB's answers, but where anything is compared with 2: that is what is left."""

    def wrong_about_two(sql: str) -> pa.Table:
        return pa.table({"c0": [1]}) if "> 2.0e0" in sql else oracle.table(sql)

    two = Term("bool", "({0} > 2.0e0)", (Term("number", "a.value"),))
    never = Term("bool", "({0} AND {1})", (Term("bool", "false"), Term("bool", "({0} OR {1})", (two, two))))
    statement = Term("rows", "SELECT count(*) AS c0 FROM events a{0}", (Term("clause", " WHERE {0}", (never,)),))
    failure = check(statement, oracle, wrong_about_two)
    assert failure is not None
    smallest, _ = shrunk(statement, failure, oracle, wrong_about_two)
    assert smallest.sql(HEXFLIGHT).count("> 2.0e0") == 1, smallest.sql(HEXFLIGHT)
