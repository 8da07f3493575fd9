"""Seeded random statements of three-valued logic and odd shapes over `random_logic_events`, as `Term`s.

Statement `n` of a seed is always the same. Each is determined: where it has a LIMIT, all its columns are its order.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field

from random_logic_terms import HEXFLIGHT, INTERVALS, NOTHING, Term, Terms, leaf, number_literal

KINDS = ("number", "number", "text", "bool", "time")
# Multiples of a half again; an average is not, and a sum of averages depends on their order.
EXACT_AGGREGATES = ("count({0})", "sum({0})", "min({0})", "max({0})", "count(DISTINCT {0})", "sum(DISTINCT {0})")
AGGREGATES = (*EXACT_AGGREGATES, "avg({0})")
OF_AGGREGATES = ("coalesce({0}, -7e0)", "({0} + 1)", "CASE WHEN {0} > 2 THEN 1e0 ELSE 0e0 END")
RANKS = ("row_number()", "ntile(3)", "rank()", "dense_rank()", "percent_rank()", "cume_dist()")
ROLLUP_KEYS = (("text", "{0}.type"), ("text", "{0}.device_id"), ("number", "{0}.latitude"))
ORDERS = ("", " DESC", " NULLS FIRST", " DESC NULLS LAST")


def listed(kind: str, terms: list[Term], before: str = "", after: str = "") -> Term:
    """Returns terms with commas between them."""
    return Term(kind, before + ", ".join(f"{{{index}}}" for index in range(len(terms))) + after, tuple(terms))


def selected(terms: list[Term]) -> Term:
    """Returns the columns of a SELECT, named c0, c1 …"""
    return Term("columns", ", ".join(f"{{{index}}} AS c{index}" for index in range(len(terms))), tuple(terms))


@dataclass
class Generator:
    """Makes the statements of one seed."""

    seed: int
    _terms: Terms = field(init=False)

    def __post_init__(self) -> None:
        self._terms = Terms(self._subquery)

    def statement(self, number: int) -> Term:
        """Returns statement `number`."""
        rng = random.Random(f"logic {self.seed} {number}")
        often = [self._rows, self._groups, self._windows]
        return rng.choice([*often, *often, self._set, self._join, self._nested])(rng)

    def _rows(self, rng: random.Random) -> Term:
        """SELECT [DISTINCT] … FROM events WHERE …"""
        columns = [self._terms.any(rng, ("a",), 2, rng.choice(KINDS)) for _ in range(rng.randint(1, 3))]
        distinct = Term("clause", "DISTINCT ") if rng.random() < 0.2 else NOTHING
        query = Term("rows", "SELECT {0}{1} FROM events a{2}", (distinct, selected(columns), self._where(rng, ("a",), 3)))
        return self._limited(rng, query, len(columns))

    def _where(self, rng: random.Random, aliases: tuple[str, ...], depth: int, share: float = 0.8) -> Term:
        if rng.random() > share:
            return NOTHING
        return Term("clause", " WHERE {0}", (self._terms.bool(rng, aliases, depth),))

    def _limited(self, rng: random.Random, query: Term, columns: int, share: float = 0.25) -> Term:
        """In order of all columns, the first of them."""
        if rng.random() > share:
            return query
        order = ", ".join(f"{column + 1}{rng.choice(ORDERS)}" for column in range(columns))
        limit = f"LIMIT {rng.choice([0, 1, 3, 10])}" + rng.choice(["", "", f" OFFSET {rng.randint(1, 4)}"])
        return Term("rows", "{0}{1}", (query, leaf("clause", f" ORDER BY {order} {limit}")))

    def _groups(self, rng: random.Random) -> Term:
        """SELECT keys, aggregates FROM events WHERE … GROUP BY … HAVING …"""
        keys = [self._terms.any(rng, ("a",), 1, rng.choice(KINDS)) for _ in range(rng.choice([0, 1, 1, 2]))]
        while sum("EXISTS (" in key.sql(HEXFLIGHT) for key in keys) > 1:
            # Two of them have one name, which is refused.
            keys.pop()
        aggregates = [self._aggregate(rng, ("a",), 1) for _ in range(rng.randint(1, 3))]
        where = self._where(rng, ("a",), 2, 0.6)
        if not keys:
            return Term("rows", "SELECT {0} FROM events a{1}", (selected(aggregates), where))
        shape = rng.choice(["{0}", "{0}", "{0}", "ROLLUP ({0})", "CUBE ({0})", "GROUPING SETS (({0}), ())"])
        groups = listed("groups", [leaf("place", str(index + 1)) for index in range(len(keys))])
        if shape != "{0}":
            keys = [Term(kind, write, (leaf("alias", "a"),)) for kind, write in rng.sample(ROLLUP_KEYS, len(keys))]
            groups = listed("groups", keys)
            if rng.random() < 0.5:
                aggregates.append(Term("number", "grouping({0})", (rng.choice(keys),)))
        having = NOTHING
        if rng.random() < 0.3:
            operator = rng.choice([">", "<=", "<>", "IS DISTINCT FROM"])
            compared = (self._aggregate(rng, ("a",), 1), number_literal(rng))
            condition = Term("bool", f"({{0}} {operator} {{1}})", compared)
            having = Term("clause", " HAVING {0}", (condition,))
        parts = (selected([*keys, *aggregates]), where, Term("groups", shape, (groups,)), having)
        query = Term("rows", "SELECT {0} FROM events a{1} GROUP BY {2}{3}", parts)
        return self._limited(rng, query, len(keys) + len(aggregates))

    def _aggregate(
        self, rng: random.Random, aliases: tuple[str, ...], depth: int, calls: tuple[str, ...] = AGGREGATES
    ) -> Term:
        """A number made of many rows."""
        if rng.random() < 0.2:
            aggregate = leaf("number", "count(*)")
        else:
            aggregate = Term("number", rng.choice(calls), (self._terms.number(rng, aliases, depth),))
        if rng.random() < 0.3:
            aggregate = Term("number", "{0} FILTER (WHERE {1})", (aggregate, self._terms.bool(rng, aliases, depth)))
        if rng.random() < 0.15:
            aggregate = Term("number", rng.choice(OF_AGGREGATES), (aggregate,))
        return aggregate

    def _subquery(self, rng: random.Random, aliases: tuple[str, ...], kind: str, depth: int) -> Term:
        """Rows of one column of a kind, or exactly one number, or any rows for EXISTS."""
        alias = "abc"[len(aliases)]
        inside = (*aliases, alias)
        if rng.random() < 0.12:
            # The name of the query around it, which it then cannot see.
            alias = aliases[-1]
            inside = (*aliases[:-1], alias)
        where = self._where(rng, inside, min(depth, 2), 0.85)
        while kind == "rows" and any(word in where.sql(HEXFLIGHT) for word in (" ANY (", " ALL (")):
            # DuckDB forgets below EXISTS that their set may be empty.
            where = self._where(rng, inside, 1, 0.85)
        source = leaf("source", f"events {alias}")
        if kind == "one number" and rng.random() < 0.25:
            first = f"{alias}.{rng.choice(['timestamp', 'value', 'latitude'])}{rng.choice(ORDERS)}"
            order = leaf("clause", f" ORDER BY {first}, {alias}.timestamp, {alias}.device_id LIMIT 1")
            return Term("rows", "SELECT {0} FROM {1}{2}{3}", (self._terms.number(rng, inside, 1), source, where, order))
        if kind == "one number":
            column = self._aggregate(rng, inside if rng.random() < 0.1 else (alias,), 1, EXACT_AGGREGATES)
            while "." in column.sql(HEXFLIGHT) and f"{alias}." not in column.sql(HEXFLIGHT).split("(SELECT")[0]:
                # Of outer columns alone it is an aggregate of the query around it, which is refused. Those of its own subqueries do not count.
                column = self._aggregate(rng, (alias,), 1, EXACT_AGGREGATES)
            return Term("rows", "SELECT {0} FROM {1}{2}", (column, source, where))
        if kind == "rows":
            shape = rng.random()
            having = Term("clause", " HAVING count(*) > {0}", (leaf("number", str(rng.randint(0, 6))),))
            if shape < 0.15:
                having = having if rng.random() < 0.6 else NOTHING
                return Term("rows", "SELECT count(*) FROM {0}{1}{2}", (source, where, having))
            if shape < 0.25:
                grouped = f"SELECT {alias}.type FROM {{0}}{{1}} GROUP BY {alias}.type{{2}}"
                return Term("rows", grouped, (source, where, having))
            limit = leaf("clause", f" LIMIT {rng.randint(0, 2)}") if rng.random() < 0.1 else NOTHING
            return Term("rows", "SELECT 1 FROM {0}{1}{2}", (source, where, limit))
        column = self._terms.any(rng, (alias,) if rng.random() < 0.8 else inside, min(depth, 1), kind)
        if kind == "number" and rng.random() < 0.15:
            column = self._aggregate(rng, (alias,), 1, EXACT_AGGREGATES)
        while "(SELECT" in column.sql(HEXFLIGHT):
            # DuckDB forgets that such a set may be empty: to it, NULL NOT IN of nothing is unknown.
            column = self._terms.any(rng, (alias,), 0, kind)
        return Term("rows", "SELECT {0} FROM {1}{2}", (column, source, where))

    def _windows(self, rng: random.Random) -> Term:
        """Some window functions beside what tells the events apart."""
        windows = [self._window(rng) for _ in range(rng.randint(1, 2))]
        key = [Term("time", "{0}.timestamp", (leaf("alias", "a"),)), Term("text", "{0}.device_id", (leaf("alias", "a"),))]
        query = Term("rows", "SELECT {0} FROM events a{1}", (selected([*key, *windows]), self._where(rng, ("a",), 1, 0.4)))
        if rng.random() < 0.3:
            order = rng.choice(["1, 2", "2, 1", "1 DESC, 2", "2 DESC, 1 DESC"])
            return Term("rows", "{0}{1}", (query, leaf("clause", f" ORDER BY {order} LIMIT {rng.choice([1, 3, 10])}")))
        return query

    def _window(self, rng: random.Random) -> Term:
        partition = NOTHING
        if rng.random() < 0.5:
            partition = leaf("clause", f"PARTITION BY a.{rng.choice(['type', 'device_id', 'latitude'])} ")
        value = self._terms.number(rng, ("a",), 1)
        down = rng.choice(["", " DESC"])
        if rng.random() < 0.55:
            by_place = f"a.latitude{rng.choice(ORDERS)}, a.timestamp, a.device_id{down}"
            order = leaf("order", rng.choice([f"a.timestamp{down}, a.device_id", by_place]))
            call = self._of_rows(rng, value)
            frame = self._frame(rng, "ROWS", lambda: str(rng.randint(0, 3)))
        else:
            call = Term("number", rng.choice(["sum({0})", "count({0})", "min({0})", "max({0})", "avg({0})"]), (value,))
            order, frame = self._peers(rng, down)
        if call.write.startswith(("lead", "lag", "row_number", "ntile", "rank", "dense", "percent", "cume")):
            frame = NOTHING
        over = Term("over", "({0}ORDER BY {1}{2})", (partition, order, frame))
        if call.write.startswith(("sum", "count", "min", "max", "avg")) and rng.random() < 0.25:
            parts = (call, self._terms.bool(rng, ("a",), 1), over)
            return Term("number", "{0} FILTER (WHERE {1}) OVER {2}", parts)
        return Term("number", "{0} OVER {1}", (call, over))

    def _of_rows(self, rng: random.Random, value: Term) -> Term:
        """A function for which it matters which row is which."""
        ignore = rng.choice(["", "", " IGNORE NULLS", " IGNORE NULLS"])
        offset = leaf("offset", str(rng.choice([0, 1, 1, 2, 3, -1, 60])))
        shape = rng.randrange(8)
        if shape <= 2:
            name = rng.choice(["lead", "lag"])
            if rng.random() < 0.25:
                return Term("call", f"{name}({{0}}, {{1}}, {{2}}){ignore}", (value, offset, leaf("default", "-9e0")))
            return Term("call", f"{name}({{0}}, {{1}}){ignore}", (value, offset))
        if shape <= 4:
            return Term("call", f"{rng.choice(['first_value', 'last_value'])}({{0}}){ignore}", (value,))
        if shape == 5:
            return Term("call", f"nth_value({{0}}, {{1}}){ignore}", (value, leaf("offset", str(rng.randint(1, 3)))))
        if shape == 6:
            return leaf("call", rng.choice(RANKS))
        return Term("call", rng.choice(["sum({0})", "count({0})", "min({0})", "max({0})"]), (value,))

    def _peers(self, rng: random.Random, down: str) -> tuple[Term, Term]:
        """An order with ties and NULLs, and a frame that takes peers together."""
        shape = rng.randrange(3)
        if shape == 0:
            span = lambda: f"INTERVAL '{rng.choice(INTERVALS)}'"  # noqa: E731
            return leaf("order", f"a.timestamp{down}"), self._frame(rng, "RANGE", span)
        if shape == 1:
            order = leaf("order", f"a.latitude{rng.choice(ORDERS)}")
            # At a distance of 0 DuckDB's own answers differ: peers are taken in, or not.
            return order, self._frame(rng, "RANGE", lambda: rng.choice(["0.25", "1", "2.5"]))
        column = rng.choice(["a.latitude", "a.type", "a.timestamp", "a.longitude"])
        return leaf("order", f"{column}{rng.choice(ORDERS)}"), self._frame(rng, "GROUPS", lambda: str(rng.randint(0, 3)))

    def _frame(self, rng: random.Random, unit: str, distance: Callable[[], str]) -> Term:
        """A frame that does not end before it begins by its words alone."""
        if rng.random() < 0.3:
            return NOTHING
        starts = ["UNBOUNDED PRECEDING", f"{distance()} PRECEDING", "CURRENT ROW", f"{distance()} FOLLOWING"]
        ends = [f"{distance()} PRECEDING", "CURRENT ROW", f"{distance()} FOLLOWING", "UNBOUNDED FOLLOWING"]
        start = rng.randrange(4)
        # From n PRECEDING one may go to m PRECEDING, also to none at all.
        first = {0: 0, 1: 0, 2: 1, 3: 2}[start]
        return leaf("clause", f" {unit} BETWEEN {starts[start]} AND {ends[rng.randrange(first, 4)]}")

    def _set(self, rng: random.Random) -> Term:
        """UNION, INTERSECT and EXCEPT, ALL or not."""
        kinds = [rng.choice(KINDS) for _ in range(rng.randint(1, 2))]

        def side() -> Term:
            columns = [self._terms.any(rng, ("a",), 1, kind) for kind in kinds]
            return Term("rows", "SELECT {0} FROM events a{1}", (selected(columns), self._where(rng, ("a",), 2)))

        word = rng.choice(["UNION", "UNION ALL", "INTERSECT", "EXCEPT", "INTERSECT ALL", "EXCEPT ALL"])
        query = Term("rows", f"({{0}}) {word} ({{1}})", (side(), side()))
        return self._limited(rng, query, len(kinds), 0.15)

    def _join(self, rng: random.Random) -> Term:
        """Two tables of events, by an equality that is unknown for many, or by anything."""
        word = rng.choice(["JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN"])
        key = rng.choice(["latitude", "longitude", "type", "timestamp", "device_id"])
        condition = Term("bool", f"(a.{key} = b.{key})")
        if rng.random() < 0.5 and word != "FULL JOIN":
            extra = self._terms.bool(rng, ("a", "b"), 1)
            condition = Term("bool", rng.choice(["({0} AND {1})", "({0} AND {1})", "{1}"]), (condition, extra))
        columns = [self._terms.any(rng, ("a", "b"), 1, rng.choice(KINDS)) for _ in range(2)]
        where = self._where(rng, ("a", "b"), 2, 0.5)
        if rng.random() < 0.2:
            return self._lateral(rng, columns, where)
        joined = f"SELECT {{0}} FROM events a {word} events b ON {{1}}{{2}}"
        return Term("rows", joined, (selected(columns), condition, where))

    def _lateral(self, rng: random.Random, columns: list[Term], where: Term) -> Term:
        """The first events of another query for each event."""
        first = f"b.{rng.choice(['timestamp', 'latitude'])}{rng.choice(ORDERS)}"
        order = leaf("clause", f" ORDER BY {first}, b.timestamp, b.device_id LIMIT {rng.randint(1, 3)}")
        rows = Term("all columns", "SELECT b.* FROM events b{0}{1}", (self._where(rng, ("a", "b"), 1, 0.9), order))
        word = rng.choice(["LEFT JOIN", "JOIN"])
        joined = f"SELECT {{0}} FROM events a {word} LATERAL ({{1}}) b ON true{{2}}"
        return Term("rows", joined, (selected(columns), rows, where))

    def _nested(self, rng: random.Random) -> Term:
        """A query over the groups, windows or rows of another one."""
        shape = rng.randrange(5)
        if shape == 3:
            return self._first_of_each(rng)
        if shape == 4:
            return self._distinct_on(rng)
        inner = rng.choice([self._rows, self._groups, self._windows])(rng)
        if shape == 0:
            return Term("rows", "SELECT count(*) AS c0, count(c0) AS c1 FROM ({0}) q", (inner,))
        if shape == 1:
            return Term("rows", "SELECT DISTINCT c0 FROM ({0}) q WHERE c0 IS NOT NULL", (inner,))
        counted = "WITH q AS ({0}) SELECT a.type AS c0, (SELECT count(*) FROM q) AS c1 FROM events a{1}"
        return Term("rows", counted, (inner, self._where(rng, ("a",), 1)))

    def _first_of_each(self, rng: random.Random) -> Term:
        """The first few of each type or device, by a rank."""
        partition, down = rng.choice(["type", "device_id", "latitude"]), rng.choice(["", " DESC"])
        rank = f"{rng.choice(['row_number', 'rank', 'dense_rank'])}()"
        over = f"(PARTITION BY a.{partition} ORDER BY a.timestamp{down}, a.device_id{down})"
        ranked = f"SELECT {{0}} AS c0, {rank} OVER {over} AS place FROM events a{{1}}"
        inner = Term("rows", ranked, (self._terms.number(rng, ("a",), 1), self._where(rng, ("a",), 1)))
        condition = leaf("condition", rng.choice(["place <= 2", "place = 1", "place > 3", "place < 3 AND c0 IS NULL"]))
        return Term("rows", "SELECT c0, place AS c1 FROM ({0}) q WHERE {1}", (inner, condition))

    def _distinct_on(self, rng: random.Random) -> Term:
        """One event of each type or device."""
        key, order = rng.choice(["type", "device_id", "latitude"]), rng.choice(ORDERS)
        columns = f"a.{key} AS c0, {{0}} AS c1"
        last = "" if key == "device_id" else ", a.device_id"
        query = f"SELECT DISTINCT ON (a.{key}) {columns} FROM events a{{1}} ORDER BY a.{key}, a.timestamp{order}{last}"
        return Term("rows", query, (self._terms.number(rng, ("a",), 1), self._where(rng, ("a",), 2)))
