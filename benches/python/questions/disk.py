"""Bytes per event: below Hexflight's data directory by kind of file, and of each layout of the peers."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from questions import engines


def measure(rows: int, data_dir: Path, peers: dict[str, Path]) -> dict[str, Any]:
    """Measures and prints every kind of file of Hexflight, and every layout of `peers`, of which we have the folders."""
    sizes: Counter[str] = Counter()
    counts: Counter[str] = Counter()
    for path in _files(data_dir):
        kind = _kind(path.relative_to(data_dir))
        sizes[kind] += path.stat().st_size
        counts[kind] += 1
    print(f"\n{'files':<40} {'number':>7} {'bytes':>15} {'per event':>10}")
    for kind, size in [*sizes.most_common(), ("hexflight, all", sizes.total())]:
        number = counts[kind] or counts.total()
        print(f"{kind:<40} {number:7} {size:15,} {size / rows:10.2f}")
    layouts = {"DuckDB": peers["duckdb"].stat().st_size} if "duckdb" in peers else {}
    layouts |= _clickhouse(peers["chdb"]) if "chdb" in peers else {}
    for name, size in layouts.items():
        print(f"{name:<40} {'':7} {size:15,} {size / rows:10.2f}")
    return {"rows": rows, "hexflight": dict(sizes), "peers": layouts}


def _clickhouse(folder: Path) -> dict[str, int]:
    """Bytes of each table; parts that were merged into others lie about for a while, and do not count."""
    sizes = "SELECT table, sum(bytes_on_disk) AS size FROM system.parts WHERE active AND database = 'bench' GROUP BY table"
    with engines.open_clickhouse(folder) as (any_layout, *_):
        return {f"ClickHouse {row['table']}": row["size"] for row in any_layout.ask(sizes).to_pylist()}


def _kind(path: Path) -> str:
    """Files are of a kind by their folder below the table, and by what their name ends on."""
    folders = [part for part in path.parts[:-1] if part.startswith("_")]
    top = path.parts[0] if len(path.parts) > 1 else "."
    return f"{'/'.join([top, *folders])}/*{path.suffix or path.name}"


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]
