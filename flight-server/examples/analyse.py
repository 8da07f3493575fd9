#!/usr/bin/env python3
"""An analyst: the four questions through ADBC, each with its parameters bound rather than pasted into the text.

    python analyse.py --type temperature --minutes 60
"""

from __future__ import annotations

import argparse
import datetime as dt

import adbc_driver_flightsql.dbapi as flightsql

WINDOW = """
SELECT count(*) AS events, sum(value) AS total, avg(value) AS average, min(value) AS lowest, max(value) AS highest
FROM events WHERE type = ? AND timestamp >= ? AND timestamp < ?
"""

TOP = """
SELECT device_id, count(*) AS events
FROM events WHERE type = ? AND timestamp >= ? AND timestamp < ?
GROUP BY device_id ORDER BY events DESC, device_id LIMIT 10
"""

DEVICE = """
SELECT date_bin(INTERVAL '10 minutes', timestamp) AS start, count(*) AS events, avg(value) AS average
FROM events WHERE device_id = ? AND type = ? AND timestamp >= ? AND timestamp < ?
GROUP BY start ORDER BY start
"""

BOX = """
SELECT count(*) AS events, avg(value) AS average
FROM events WHERE type = ? AND timestamp >= ? AND timestamp < ?
AND latitude BETWEEN ? AND ? AND longitude BETWEEN ? AND ?
"""


def ask(cursor: flightsql.Cursor, question: str, sql: str, parameters: tuple) -> list[tuple]:
    """Asks, prints the answer, and returns its rows."""
    cursor.execute(sql, parameters)
    names = [column[0] for column in cursor.description]
    rows = cursor.fetchall()
    print(f"\n{question}\n  {'  '.join(names)}")
    for row in rows:
        print("  " + "  ".join(f"{value:.2f}" if isinstance(value, float) else str(value) for value in row))
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--target", default="grpc://127.0.0.1:8815")
    parser.add_argument("--type", default="temperature")
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--box", type=float, nargs=4, default=[47.3, 47.45, 8.4, 8.65],
                        metavar=("SOUTH", "NORTH", "WEST", "EAST"))  # fmt: skip
    options = parser.parse_args()

    end = dt.datetime.now(dt.timezone.utc)
    window = (options.type, end - dt.timedelta(minutes=options.minutes), end)
    with flightsql.connect(options.target, autocommit=True) as connection, connection.cursor() as cursor:
        ask(cursor, f"{options.type}, the last {options.minutes:g} minutes", WINDOW, window)
        busiest = ask(cursor, "The ten devices with the most events", TOP, window)
        if busiest:
            device = busiest[0][0]
            ask(cursor, f"{device}, in steps of ten minutes", DEVICE, (device, *window))
        south, north, west, east = options.box
        ask(cursor, f"Inside {south}–{north} N, {west}–{east} E", BOX, (*window, south, north, west, east))


if __name__ == "__main__":
    main()
