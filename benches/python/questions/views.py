"""ClickHouse's materialised views: what they hold, and the questions that they can answer exactly.

A window that is aligned to nothing is answered from the view for its whole minutes or hours, and from the table for the two
ends. Where a window holds no whole one, or the view lacks what is asked for, there is no text.
"""

from __future__ import annotations

from questions.dialect import clickhouse, window
from questions.shapes import HOUR, MINUTE, Question

BY_TIME, BY_DEVICE = "by_time", "by_device"
MINUTES, HOURS, DEVICE_HOURS = "minutes", "hours", "device_hours"

# Names of their own: ClickHouse takes an alias for a column of the same name.
_STATES = "count() AS c, sum(value) AS t, min(value) AS l, max(value) AS h"

# For each view: its key in order, and the query that fills it: a view whose parts are all merged holds the same.
VIEWS = {
    MINUTES: ("type, slot", f"SELECT type, toStartOfMinute(timestamp) AS slot, {_STATES} FROM by_time GROUP BY type, slot"),
    HOURS: (
        "type, slot, device_id",
        f"SELECT type, toStartOfHour(timestamp) AS slot, device_id, {_STATES} FROM by_time GROUP BY type, slot, device_id",
    ),
    DEVICE_HOURS: (
        "type, device_id, slot",
        f"SELECT type, toStartOfHour(timestamp) AS slot, device_id, {_STATES} FROM by_time GROUP BY type, slot, device_id",
    ),
}  # fmt: skip

# For each kind of question that a view helps: view, table for the ends, width of a slot, what identifies a group.
_ANSWERS = {
    "window": (MINUTES, BY_TIME, MINUTE, ""),
    "minutes": (MINUTES, BY_TIME, MINUTE, "minute"),
    "device": (DEVICE_HOURS, BY_DEVICE, HOUR, ""),
    "top": (HOURS, BY_TIME, HOUR, "device_id"),
}

_FINAL = {
    "window": "SELECT sum(c) AS n, sum(t) AS s, sum(t) / sum(c) AS a, min(l) AS low, max(h) AS high FROM ({parts})",
    "minutes": "SELECT minute, sum(t) / sum(c) AS a FROM ({parts}) GROUP BY minute ORDER BY minute",
    "device": "SELECT sum(t) / sum(c) AS a FROM ({parts})",
    "top": "SELECT device_id, sum(c) AS n FROM ({parts}) GROUP BY device_id ORDER BY n DESC, device_id LIMIT 10",
}


def sql(question: Question) -> str | None:
    """Returns the text that asks the best view, `None` if none can answer."""
    if question.kind not in _ANSWERS:
        return None
    view, table, width, key = _ANSWERS[question.kind]
    low, high = -(-question.start // width) * width, question.end // width * width
    if low >= high:
        return None
    of = f"type = '{question.type}'" + (f" AND device_id = '{question.device}'" if question.device else "")
    dialect = clickhouse(table)
    whole = f"slot >= {_second(low)} AND slot < {_second(high)}"
    ends = f"({window(question.start, low, dialect)} OR {window(high, question.end, dialect)})"
    from_view, from_table = ("slot AS minute", "toStartOfMinute(timestamp) AS minute") if key == "minute" else (key, key)
    group = f" GROUP BY {key}" if key else ""
    parts = (
        f"SELECT {_list(from_view, 'c, t, l, h')} FROM {view} WHERE {of} AND {whole} UNION ALL "
        f"SELECT {_list(from_table, _STATES)} FROM {table} WHERE {of} AND {ends}{group}"
    )
    return _FINAL[question.kind].format(parts=_without_empty(parts, key))


def _second(micros: int) -> str:
    return f"toDateTime({micros // 1_000_000}, 'UTC')"


def _list(first: str, rest: str) -> str:
    return f"{first}, {rest}" if first else rest


def _without_empty(parts: str, key: str) -> str:
    """Aggregates without groups give a row for no events, whose zeros must not become a minimum."""
    return parts if key else f"SELECT * FROM ({parts}) WHERE c > 0"
