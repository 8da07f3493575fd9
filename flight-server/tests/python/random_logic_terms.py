"""SQL as trees of `Term`s that can be written in any dialect and taken apart, and the terms of three-valued logic.

A term says what kind of thing it is, so that any other of its kind can stand in its place: that is how a failing
statement shrinks.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from random_logic_events import DEVICES, NUMBERS, SITES, TYPES

# What is written differently, by how Hexflight writes it.
Dialect = Mapping[str, str]

HEXFLIGHT: Dialect = {}
DUCKDB: Dialect = {
    "(CAST({0}.metadata->>'n' AS DOUBLE))": "{0}.n",
    "({0}.metadata->>'s')": "{0}.s",
    "(CAST({0}.metadata->>'b' AS BOOLEAN))": "{0}.b",
    "({0}.metadata->'n' {1} {2})": "({0}.n {1} {2})",
    "({0}.metadata->'n' BETWEEN {1} AND {2})": "({0}.n BETWEEN {1} AND {2})",
    "({0}.metadata->'n' IN ({1}, {2}))": "({0}.n IN ({1}, {2}))",
    "date_bin(INTERVAL '{1}', {0})": "time_bucket(INTERVAL '{1}', {0}, TIMESTAMPTZ '1970-01-01 00:00:00Z')",
    "lead({0}, {1}) IGNORE NULLS": "lead({0}, {1} IGNORE NULLS)",
    "lag({0}, {1}) IGNORE NULLS": "lag({0}, {1} IGNORE NULLS)",
    "lead({0}, {1}, {2}) IGNORE NULLS": "lead({0}, {1}, {2} IGNORE NULLS)",
    "lag({0}, {1}, {2}) IGNORE NULLS": "lag({0}, {1}, {2} IGNORE NULLS)",
    "first_value({0}) IGNORE NULLS": "first_value({0} IGNORE NULLS)",
    "last_value({0}) IGNORE NULLS": "last_value({0} IGNORE NULLS)",
    "nth_value({0}, {1}) IGNORE NULLS": "nth_value({0}, {1} IGNORE NULLS)",
}  # fmt: skip


@dataclass(frozen=True)
class Term:
    """A piece of SQL: a template and what stands in its places."""

    kind: str
    write: str
    parts: tuple[Term, ...] = ()

    def sql(self, dialect: Dialect) -> str:
        """Returns the text."""
        return dialect.get(self.write, self.write).format(*(part.sql(dialect) for part in self.parts))

    def size(self) -> int:
        """Returns how many terms it is made of."""
        return 1 + sum(part.size() for part in self.parts)

    def below(self) -> Iterator[Term]:
        """Yields every term inside of it."""
        for part in self.parts:
            yield part
            yield from part.below()

    def smaller(self) -> Iterator[Term]:
        """Yields terms with less in them, those that leave out most first."""
        simplest = SIMPLEST.get(self.kind, ())
        yield from (other for other in simplest if other.size() < self.size() or not self.parts and other != self)
        yield from sorted({term for term in self.below() if term.kind == self.kind}, key=Term.size)
        for index, part in enumerate(self.parts):
            for other in part.smaller():
                yield replace(self, parts=(*self.parts[:index], other, *self.parts[index + 1 :]))


def leaf(kind: str, text: str) -> Term:
    """Returns a term that is its text."""
    return Term(kind, text.replace("{", "{{").replace("}", "}}"))


NOTHING = leaf("clause", "")
# What can stand for any term of a kind when a statement shrinks.
SIMPLEST: dict[str, tuple[Term, ...]] = {"clause": (NOTHING,), "bool": (leaf("bool", "true"),)}

OPERATORS = ("=", "<>", "<", "<=", ">", ">=")
INTERVALS = ("15 minutes", "1 hour", "90 minutes", "1 day", "1 month")
SPANS = ("3 hours", "15 hours", "1 day", "90 minutes")
NUMBER_PAIRS = ("coalesce({0}, {1})", "nullif({0}, {1})", "greatest({0}, {1})", "least({0}, {1})")
TEXT_PAIRS = ("({0} || {1})", "coalesce({0}, {1})", "nullif({0}, {1})", "concat({0}, {1})")
TEXT_CALLS = ("upper({0})", "lower({0})", "trim({0})", "substr({0}, 2)", "replace({0}, 'a', 'xy')")
BOOL_PAIRS = ("({0} = {1})", "({0} IS DISTINCT FROM {1})", "coalesce({0}, {1})")
ZONES = ("Europe/Berlin", "Asia/Kolkata", "America/New_York", "UTC")


def number_literal(rng: random.Random) -> Term:
    """A number with an exponent, or DuckDB takes it for a decimal."""
    return leaf("number", "CAST(NULL AS DOUBLE)" if rng.random() < 0.15 else f"{rng.choice(NUMBERS)!r}e0")


def text_literal(rng: random.Random) -> Term:
    """A text that events hold somewhere, or NULL."""
    if rng.random() < 0.12:
        return leaf("text", "CAST(NULL AS VARCHAR)")
    return leaf("text", "'" + rng.choice(rng.choice([DEVICES, TYPES, SITES])) + "'")


def _unbinned(rng: random.Random, time: Term) -> Term:
    """Returns another time where DuckDB's bins have the zone of their origin, also those of times without one."""
    if "date_bin" in time.sql(HEXFLIGHT):
        return leaf("time", f"TIMESTAMPTZ '2025-06-01 {rng.randint(8, 23):02}:15:00Z'")
    return time


def time_literal(rng: random.Random) -> Term:
    """An instant among the events."""
    if rng.random() < 0.2:
        day = f"DATE '2025-06-0{rng.randint(1, 2)}'"
        return leaf("time", f"({day} {rng.choice('+-')} INTERVAL '{rng.choice(SPANS)}')")
    return leaf("time", f"TIMESTAMPTZ '2025-06-01 {rng.randint(11, 18):02}:{rng.choice([0, 15, 30, 40]):02}:00Z'")


# Makes a subquery's rows of one kind of column, in view of the aliases around it.
Subquery = Callable[[random.Random, tuple[str, ...], str, int], Term]


@dataclass(frozen=True)
class Terms:
    """Makes random terms over events that go by the last of `aliases`; the ones before are of the queries around."""

    subquery: Subquery

    def any(self, rng: random.Random, aliases: tuple[str, ...], depth: int, kind: str) -> Term:
        """Returns a term of a kind."""
        return {"bool": self.bool, "number": self.number, "text": self.text, "time": self.time}[kind](rng, aliases, depth)

    def alias(self, rng: random.Random, aliases: tuple[str, ...]) -> Term:
        """Mostly the query's own events, sometimes those of one around it."""
        return leaf("alias", aliases[-1] if rng.random() < 0.7 else rng.choice(aliases))

    def number(self, rng: random.Random, aliases: tuple[str, ...], depth: int) -> Term:
        """A double."""
        alias = self.alias(rng, aliases)
        leaves = ["{0}.value", "{0}.latitude", "{0}.longitude", "{0}.latitude", "(CAST({0}.metadata->>'n' AS DOUBLE))"]
        if depth <= 0 or rng.random() < 0.45:
            return number_literal(rng) if rng.random() < 0.2 else Term("number", rng.choice(leaves), (alias,))
        number = lambda: self.number(rng, aliases, depth - 1)  # noqa: E731
        shape = rng.randrange(10)
        if shape <= 2:
            return Term("number", f"({{0}} {rng.choice('+-*')} {{1}})", (number(), number()))
        if shape == 3:
            return Term("number", rng.choice(["abs({0})", "(- {0})"]), (number(),))
        if shape == 4:
            return Term("number", rng.choice(NUMBER_PAIRS), (number(), number()))
        if shape == 5:
            field, zone = rng.choice(["hour", "minute", "day", "month", "dow", "doy"]), rng.choice(ZONES)
            moment = rng.choice(["{0}", f"({{0}} AT TIME ZONE '{zone}')"])
            return Term("number", f"CAST(extract({field} FROM {moment}) AS DOUBLE)", (_unbinned(rng, self.time(rng, aliases, depth - 1)),))
        if shape == 6 and len(aliases) < 3:
            return Term("number", "({0})", (self.subquery(rng, aliases, "one number", depth - 1),))
        return self._case(rng, aliases, depth, "number")

    def text(self, rng: random.Random, aliases: tuple[str, ...], depth: int) -> Term:
        """A text."""
        alias = self.alias(rng, aliases)
        if depth <= 0 or rng.random() < 0.6:
            leaves = ["{0}.device_id", "{0}.type", "({0}.metadata->>'s')", "({0}.metadata->>'s')"]
            return text_literal(rng) if rng.random() < 0.2 else Term("text", rng.choice(leaves), (alias,))
        text = lambda: self.text(rng, aliases, depth - 1)  # noqa: E731
        shape = rng.randrange(4)
        if shape == 0:
            write, pair = rng.choice(TEXT_PAIRS), (text(), text())
            if write.startswith("nullif") and pair[0].sql(HEXFLIGHT).startswith("'"):
                # DuckDB takes nullif('a', x) IN ('a', 'b') for true.
                write = "coalesce({0}, {1})"
            return Term("text", write, pair)
        if shape == 1:
            return Term("text", rng.choice(TEXT_CALLS), (text(),))
        return self._case(rng, aliases, depth, "text")

    def time(self, rng: random.Random, aliases: tuple[str, ...], depth: int) -> Term:
        """An instant."""
        if depth <= 0 or rng.random() < 0.6:
            return time_literal(rng) if rng.random() < 0.2 else Term("time", "{0}.timestamp", (self.alias(rng, aliases),))
        time = self.time(rng, aliases, depth - 1)
        shape = rng.randrange(6)
        if shape <= 1:
            return Term("time", f"({{0}} {rng.choice('+-')} INTERVAL '{rng.choice(INTERVALS)}')", (time,))
        if shape == 2:
            return Term("time", f"date_trunc('{rng.choice(['hour', 'day', 'month', 'minute', 'week'])}', {{0}})", (time,))
        if shape == 3:
            span = leaf("span", rng.choice(["15 minutes", "1 hour", "2 hours"]))
            return Term("time", "date_bin(INTERVAL '{1}', {0})", (time, span))
        return self._case(rng, aliases, depth, "time")

    def bool(self, rng: random.Random, aliases: tuple[str, ...], depth: int) -> Term:
        """A condition: true, false or unknown."""
        if depth <= 0:
            return self._simple(rng, aliases, 0)
        bool_ = lambda: self.bool(rng, aliases, depth - 1)  # noqa: E731
        shape = rng.random()
        if shape < 0.3:
            return Term("bool", f"({{0}} {rng.choice(['AND', 'OR'])} {{1}})", (bool_(), bool_()))
        if shape < 0.4:
            return Term("bool", "(NOT {0})", (bool_(),))
        if shape < 0.47:
            test = f"{rng.choice(['', 'NOT '])}{rng.choice(['TRUE', 'FALSE', 'NULL'])}"
            return Term("bool", f"({{0}} IS {test})", (bool_(),))
        if shape < 0.5:
            return Term("bool", rng.choice(BOOL_PAIRS), (bool_(), bool_()))
        if shape < 0.53:
            return self._case(rng, aliases, depth, "bool")
        if shape < 0.7 and len(aliases) < 3:
            return self._of_subquery(rng, aliases, depth - 1)
        return self._simple(rng, aliases, depth)

    def _simple(self, rng: random.Random, aliases: tuple[str, ...], depth: int) -> Term:
        """A condition on values."""
        kind = rng.choice(["number", "number", "number", "text", "text", "time"])
        value = lambda: self.any(rng, aliases, depth - 1, kind)  # noqa: E731
        shape = rng.random()
        if shape < 0.4:
            return Term("bool", f"({{0}} {rng.choice(OPERATORS)} {{1}})", (value(), value()))
        if shape < 0.5:
            return Term("bool", f"({{0}} IS {rng.choice(['', 'NOT '])}NULL)", (value(),))
        if shape < 0.57:
            return Term("bool", f"({{0}} IS {rng.choice(['', 'NOT '])}DISTINCT FROM {{1}})", (value(), value()))
        if shape < 0.64:
            return Term("bool", f"({{0}} {rng.choice(['', 'NOT '])}BETWEEN {{1}} AND {{2}})", (value(), value(), value()))
        if shape < 0.82:
            return self._in_list(rng, self._uncased(rng, aliases, value()), kind, value())
        if shape < 0.86:
            pattern = rng.choice(["%", "a%", "_", "%b", "D%", "d_"])
            like = rng.choice(["LIKE", "NOT LIKE", "ILIKE"])
            text = self._uncased(rng, aliases, self.text(rng, aliases, depth - 1))
            return Term("bool", f"({{0}} {like} '{pattern}')", (text,))
        alias = self.alias(rng, aliases)
        if shape < 0.94:
            return self._json(rng, alias)
        if shape < 0.96:
            return Term("bool", "(CAST({0}.metadata->>'b' AS BOOLEAN))", (alias,))
        if shape < 0.99:
            return self._local(rng, self.time(rng, aliases, depth - 1))
        return leaf("bool", rng.choice(["true", "false", "CAST(NULL AS BOOLEAN)"]))

    def _uncased(self, rng: random.Random, aliases: tuple[str, ...], text: Term) -> Term:
        """Another text in the place of a CASE. To DuckDB CASE WHEN c THEN 'b' END LIKE '%b' is true, whatever c is, and IN ('a', 'b') can be."""
        while text.kind == "text" and "CASE" in text.sql(HEXFLIGHT):
            text = self.text(rng, aliases, 0)
        return text

    def _in_list(self, rng: random.Random, value: Term, kind: str, other: Term) -> Term:
        literal = {"number": number_literal, "text": text_literal, "time": time_literal}[kind]
        items = tuple(literal(rng) for _ in range(rng.randint(1, 5)))
        if rng.random() < 0.25:
            items += (other,)
        places = ", ".join(f"{{{index + 1}}}" for index in range(len(items)))
        return Term("bool", f"({{0}} {rng.choice(['', 'NOT '])}IN ({places}))", (value, *items))

    def _json(self, rng: random.Random, alias: Term) -> Term:
        """A number of metadata as JSON has it, with an integer or a fraction."""
        literal = lambda: leaf("literal", rng.choice(["2", "2.0", "2.5", "1", "-1", "0"]))  # noqa: E731
        shape = rng.randrange(4)
        if shape == 0:
            return Term("bool", "({0}.metadata->'n' BETWEEN {1} AND {2})", (alias, literal(), literal()))
        if shape == 1:
            return Term("bool", "({0}.metadata->'n' IN ({1}, {2}))", (alias, literal(), literal()))
        return Term("bool", "({0}.metadata->'n' {1} {2})", (alias, leaf("operator", rng.choice(OPERATORS)), literal()))

    def _local(self, rng: random.Random, time: Term) -> Term:
        """What a clock on a wall shows, or a calendar."""
        time = _unbinned(rng, time)
        zone, operator = rng.choice(ZONES), rng.choice(OPERATORS)
        local = f"({{0}} AT TIME ZONE '{zone}')"
        day, moment = f"DATE '2025-06-0{rng.randint(1, 2)}'", f"TIMESTAMP '2025-06-01 {rng.randint(8, 23):02}:30:00'"
        forms = [
            f"({local} {operator} {moment})",
            f"(CAST({local} AS DATE) {operator} {day})",
            f"(CAST({{0}} AS DATE) {operator} {day})",
            f"(date_trunc('day', {local}) {operator} {day})",
        ]
        return Term("bool", rng.choice(forms), (time,))

    def _case(self, rng: random.Random, aliases: tuple[str, ...], depth: int, kind: str) -> Term:
        value = lambda: self.any(rng, aliases, depth - 1, kind)  # noqa: E731
        condition = lambda: self.bool(rng, aliases, depth - 1)  # noqa: E731
        shape = rng.randrange(4)
        if shape == 0:
            return Term(kind, "CASE WHEN {0} THEN {1} END", (condition(), value()))
        if shape == 1:
            parts = (condition(), value(), condition(), value(), value())
            return Term(kind, "CASE WHEN {0} THEN {1} WHEN {2} THEN {3} ELSE {4} END", parts)
        if shape == 2:
            subject = rng.choice(["number", "text"])
            of = lambda: self.any(rng, aliases, depth - 1, subject)  # noqa: E731
            return Term(kind, "CASE {0} WHEN {1} THEN {2} ELSE {3} END", (of(), of(), value(), value()))
        return Term(kind, "CASE WHEN {0} THEN {1} ELSE {2} END", (condition(), value(), value()))

    def _of_subquery(self, rng: random.Random, aliases: tuple[str, ...], depth: int) -> Term:
        """EXISTS, IN, ANY and ALL."""
        shape = rng.random()
        if shape < 0.35:
            rows = self.subquery(rng, aliases, "rows", depth)
            return Term("bool", rng.choice(["EXISTS ({0})", "(NOT EXISTS ({0}))"]), (rows,))
        kind = rng.choice(["number", "number", "text"])
        value, rows = self.any(rng, aliases, depth, kind), self.subquery(rng, aliases, kind, depth)
        if shape < 0.85:
            return Term("bool", rng.choice(["({0} IN ({1}))", "({0} NOT IN ({1}))", "({0} NOT IN ({1}))"]), (value, rows))
        return Term("bool", f"({{0}} {rng.choice(OPERATORS)} {rng.choice(['ANY', 'ALL'])} ({{1}}))", (value, rows))
