"""Acceptance of "what a query costs follows its answer": Hexflight beside DuckDB and ClickHouse on the same events.

    cargo build --release -p hexflight
    target/venv/bin/pip install chdb                              # ClickHouse; without it DuckDB is the only peer
    target/venv/bin/python benches/python/questions.py FOLDER     # latencies: data, loads, equal answers, times, goals
    target/venv/bin/python benches/python/questions.py FOLDER --concurrency 16 --seconds 20 [--ingest 250000]
    target/venv/bin/python benches/python/questions.py FOLDER --cold --disk --growth

FOLDER keeps the events and what each engine made of them (50 M: about 5 GB); a second run only measures. `--reload` loads
into Hexflight anew. `--rows 5000000` is a smaller table of the same shape.

Hexflight is asked through ADBC over Flight SQL, the peers in this process, in the layouts that `loads.py` and `views.py` tell.
Every answer is compared before anything is timed. Run it on a quiet machine; `--cold` empties the page cache of all of it.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import json
import platform
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from questions import cold, dataset, disk, engines, growth, loads, measure, mix, report, server
from questions.shapes import Shape, all_shapes


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="keeps events and loads between runs")
    parser.add_argument("--rows", type=int, default=50_000_000)
    parser.add_argument("--binary", type=Path, default=server.REPOSITORY / "target/release/hexflight")
    parser.add_argument("--shapes", default="", help="only shapes whose name contains this")
    parser.add_argument("--positions", type=int, default=5, help="windows per shape")
    parser.add_argument("--runs", type=int, default=20, help="times that each window is asked")
    parser.add_argument("--shape-seconds", type=float, default=30.0, help="no further round of a shape after this")
    parser.add_argument("--no-peers", action="store_true", help="Hexflight alone: no comparison of answers either")
    parser.add_argument("--reload", action="store_true", help="load into Hexflight anew, as after a change of its files")
    parser.add_argument("--json", type=Path, help="write what was measured there, too")
    modes = parser.add_argument_group("other measurements, instead of latencies")
    modes.add_argument("--concurrency", type=int, metavar="CLIENTS", help="a random mix from many clients")
    modes.add_argument("--seconds", type=float, default=20.0, help="of --concurrency")
    modes.add_argument("--ingest", type=int, default=0, metavar="RATE", help="--concurrency again, while events/s come in")
    modes.add_argument("--cold", action="store_true", help="the first query after a start, page cache empty")
    modes.add_argument("--cold-repeats", type=int, default=3, help="starts per shape")
    modes.add_argument("--disk", action="store_true", help="bytes per event")
    modes.add_argument("--growth", action="store_true", help="a tenth of the rows beside all")
    return parser.parse_args()


def main() -> None:
    args = arguments()
    args.binary = args.binary.resolve()
    args.folder = args.folder.resolve()
    server.use_binary(args.binary)
    shapes = [shape for shape in all_shapes(args.positions) if args.shapes in shape.name]
    events = dataset.ensure(args.folder, args.rows)
    found: dict[str, Any] = {"rows": args.rows, "machine": platform.platform(), "folder": str(args.folder)}
    data_dir = loads.hexflight(events, args.binary, args.reload)
    if not (args.concurrency or args.cold or args.disk or args.growth):
        found["latency"] = latency(args, events, data_dir, shapes)
    if args.disk:
        found["disk"] = disk.measure(args.rows, data_dir, peer_folders(events, args.no_peers))
    if args.growth:
        tenth = loads.hexflight(dataset.ensure(args.folder, args.rows // 10), args.binary, args.reload)
        found["growth"] = growth.measure(tenth, data_dir, shapes, args.runs)
    if args.concurrency:
        rates = [0, args.ingest] if args.ingest else [0]
        found["mix"] = [
            mix.measure(data_dir, args.binary, shapes, args.concurrency, args.seconds, rate) for rate in rates
        ]
    if args.cold:
        found["cold"] = cold.measure(data_dir, args.binary, shapes, args.cold_repeats)
    if args.json:
        args.json.write_text(json.dumps(found, indent=2))


def peer_folders(events: dataset.Dataset, none: bool) -> dict[str, Path]:
    """Returns what each peer holds, loaded now if need be."""
    if none:
        return {}
    if importlib.util.find_spec("chdb") is None:
        print("chdb is not installed: ClickHouse is left out")
        return {"duckdb": loads.duckdb(events)}
    return {"duckdb": loads.duckdb(events), "chdb": loads.clickhouse(events)}


def latency(args: argparse.Namespace, events: dataset.Dataset, data_dir: Path, shapes: Sequence[Shape]) -> dict[str, Any]:
    """Compares all answers, then times all shapes on all engines."""
    effort = measure.Effort(args.runs, args.shape_seconds)
    openers = {"duckdb": engines.open_duckdb, "chdb": engines.open_clickhouse}
    with contextlib.ExitStack() as stack:
        running = stack.enter_context(server.serve(data_dir))
        opened = list(stack.enter_context(engines.open_hexflight(running.flight_url)))
        for peer, folder in peer_folders(events, args.no_peers).items():
            opened += stack.enter_context(openers[peer](folder))
        for shape in shapes:
            measure.check(shape, opened)
        print(f"{events.rows:,} events; all answers of {', '.join(engine.name for engine in opened)} are the same")
        measured = []
        for shape in shapes:
            print(f"  timing {shape.name}", flush=True)
            measured.append(measure.time_shape(shape, opened, effort))
    report.show(measured)
    return report.as_json(measured)


if __name__ == "__main__":
    main()
