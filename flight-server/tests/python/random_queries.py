"""Seeded random queries over `random_events`, as data: conditions, keys and aggregates that any `Dialect` can be written in.

Query `n` of a seed is always the same, so that one can be asked again alone. Nothing here knows what is right.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from random_conditions import AllOf, Condition, Conditions
from random_dialects import Dialect
from random_events import Events


@dataclass(frozen=True)
class Key:
    """A column to group by: `type`, `device_id`, or a `cell`, `bin` or `trunc` with its argument."""

    kind: str
    argument: int | str = 0

    def sql(self, dialect: Dialect) -> str:
        """Returns the expression."""
        if self.kind in ("type", "device_id"):
            return self.kind
        return getattr(dialect, self.kind)(self.argument)


@dataclass(frozen=True)
class Aggregate:
    """A number per group, and how much of it may differ: shares of the group's sum and mean of absolute values."""

    sql: str
    of_sum: float = 0.0
    of_mean: float = 0.0

    @property
    def exact(self) -> bool:
        """Whether all engines must agree to the last bit."""
        return self.of_sum == self.of_mean == 0.0


@dataclass(frozen=True)
class Top:
    """The first `limit` groups in order of one aggregate."""

    aggregate: int
    descending: bool
    limit: int


@dataclass(frozen=True)
class Query:
    """`SELECT keys, aggregates FROM events WHERE conditions GROUP BY keys HAVING … ORDER BY … LIMIT …`."""

    where: Condition = AllOf(())
    keys: tuple[Key, ...] = ()
    aggregates: tuple[Aggregate, ...] = ()
    having: str | None = None
    top: Top | None = None

    def sql(self, dialect: Dialect, extra: str = "", whole: bool = False) -> str:
        """Returns the text; with `extra` columns behind the others, and if `whole` with all groups in any order."""
        keys = [f"{key.sql(dialect)} AS k{number}" for number, key in enumerate(self.keys)]
        aggregates = [f"{aggregate.sql} AS a{number}" for number, aggregate in enumerate(self.aggregates)]
        text = f"SELECT {', '.join([*keys, *aggregates, *([extra] if extra else [])])} FROM events"
        if condition := self.where.sql(dialect):
            text += f" WHERE {condition}"
        if self.keys:
            text += f" GROUP BY {', '.join(str(number + 1) for number in range(len(self.keys)))}"
        if self.having:
            text += f" HAVING {self.having}"
        if self.top and not whole:
            order = f"a{self.top.aggregate} {'DESC' if self.top.descending else 'ASC'}"
            text += f" ORDER BY {order} LIMIT {self.top.limit}"
        return text


@dataclass(frozen=True)
class Latest:
    """The newest value of each device; undefined where a device has several newest events."""

    where: Condition

    def sql(self, dialect: Dialect) -> str:
        """Returns the text."""
        condition = self.where.sql(dialect)
        where = f" WHERE {condition}" if condition else ""
        latest = f"last_value(value ORDER BY {dialect.time}) AS a0"
        return f"SELECT device_id AS k0, {latest} FROM events{where} GROUP BY device_id"


@dataclass(frozen=True)
class Rows:
    """Some columns of the events themselves, in any order."""

    where: Condition
    columns: tuple[str, ...]

    def sql(self, dialect: Dialect) -> str:
        """Returns the text."""
        names = {"timestamp": dialect.time, "h3": dialect.cell(9)}
        columns = ", ".join(f"{names.get(name, name)} AS {name}" for name in self.columns)
        condition = self.where.sql(dialect)
        return f"SELECT {columns} FROM events" + (f" WHERE {condition}" if condition else "")


AnyQuery = Query | Latest | Rows

_PLAIN = (
    Aggregate("count(*)"),
    Aggregate("count(value)"),
    Aggregate("sum(value)", of_sum=1),
    Aggregate("avg(value)", of_mean=1),
    Aggregate("min(value)"),
    Aggregate("max(value)"),
)  # fmt: skip
_ARITHMETIC = (
    Aggregate("max(value) - min(value)"),
    Aggregate("-min(value)"),
    Aggregate("count(*) * 10 + 1"),
    Aggregate("sum(value) / count(*)", of_mean=1),
    Aggregate("sum(value) + count(*)", of_sum=1),
    Aggregate("avg(value) * 2 + max(value)", of_mean=2),
    Aggregate("count(latitude)"),
    Aggregate("min(latitude) + max(longitude)"),
)
_HAVINGS = ("count(*) > 3", "count(*) >= 20", "count(*) = 1", "max(value) > 30", "min(value) <= -1 AND count(*) > 1")
_COLUMNS = ("timestamp", "device_id", "type", "value", "latitude", "longitude", "h3")


@dataclass
class Generator:
    """Makes the queries of one seed over the events of the same seed."""

    seed: int
    events: Events
    _conditions: Conditions = field(init=False)

    def __post_init__(self) -> None:
        self._conditions = Conditions(self.events)

    def query(self, number: int) -> AnyQuery:
        """Returns query `number`."""
        rng = random.Random(f"query {self.seed} {number}")
        where = self._conditions.where(rng)
        kind = rng.random()
        if kind < 0.04:
            return Latest(where)
        if kind < 0.08:
            return Rows(where, tuple(sorted(rng.sample(_COLUMNS, rng.randint(1, len(_COLUMNS))), key=_COLUMNS.index)))
        return _aggregation(rng, where)


def _aggregation(rng: random.Random, where: Condition) -> Query:
    aggregates = tuple(rng.sample(_PLAIN, rng.choice([1, 1, 1, 2, 3, 5])))
    if rng.random() < 0.25:
        aggregates += (rng.choice(_ARITHMETIC),)
    keys = _keys(rng)
    if not keys:
        return Query(where, (), aggregates)
    if rng.random() < 0.05:
        return Query(where, keys)
    top = None
    if rng.random() < 0.4:
        top = Top(rng.randrange(len(aggregates)), rng.random() < 0.8, rng.choice([1, 3, 10, 10, 100]))
    return Query(where, keys, aggregates, _having(rng) if rng.random() < 0.2 else None, top)


def _keys(rng: random.Random) -> tuple[Key, ...]:
    if rng.random() < 0.35:
        return ()
    kinds = rng.sample(["type", "device_id", "cell", "time"], rng.choice([1, 1, 1, 1, 2, 2, 3]))
    return tuple(_key(rng, kind) for kind in kinds)


def _key(rng: random.Random, kind: str) -> Key:
    if kind == "cell":
        return Key("cell", rng.randrange(10))
    if kind != "time":
        return Key(kind)
    if rng.random() < 0.5:
        return Key("bin", rng.choice([1, 5, 7, 15, 60, 120]))
    return Key("trunc", rng.choice(["minute", "hour", "day"]))


def _having(rng: random.Random) -> str:
    return rng.choice(_HAVINGS)
