#!/usr/bin/env python3
"""Polars and pandas over Flight SQL, in cells: open it in an editor that knows `# %%`, or run it as it stands."""

# %% Connect. One ADBC connection serves both libraries; results arrive as Arrow, without a copy through Python objects.
import os

import adbc_driver_flightsql.dbapi as flightsql
import pandas as pd
import polars as pl

TARGET = os.environ.get("HEXFLIGHT_TARGET", "grpc://127.0.0.1:8815")
connection = flightsql.connect(TARGET, autocommit=True)

# %% Polars: an aggregate per minute, computed where the data is; only the answer travels.
per_minute = pl.read_database(
    """
    SELECT date_trunc('minute', timestamp) AS minute, type, count(*) AS events, avg(value) AS average
    FROM events WHERE timestamp >= now() - INTERVAL '1 hour'
    GROUP BY minute, type ORDER BY minute, type
    """,
    connection,
)
print(per_minute.tail(6))

# %% Polars goes on from there: minutes that stand out from their neighbours.
smooth = per_minute.with_columns(
    pl.col("average").rolling_mean(window_size=5, min_samples=1).over("type").alias("smooth")
).with_columns((pl.col("average") - pl.col("smooth")).abs().alias("jump"))
print(smooth.sort("jump", descending=True).head(3))

# %% pandas: raw rows of the busiest device, metadata unpacked by the server.
busiest = pd.read_sql(
    """
    SELECT timestamp, type, value, metadata->>'firmware' AS firmware FROM events
    WHERE device_id = (SELECT device_id FROM events GROUP BY device_id ORDER BY count(*) DESC, device_id LIMIT 1)
    ORDER BY timestamp DESC LIMIT 1000
    """,
    connection,
)
print(busiest.describe(include="all"))

# %% pandas: one column per type.
print(busiest.pivot_table(index="firmware", columns="type", values="value", aggfunc="mean", dropna=False))

# %% Done.
connection.close()
