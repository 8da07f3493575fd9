"""The first query after a start with nothing of the data in the page cache, beside the same query when warm."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from questions import engines
from questions.measure import milliseconds
from questions.server import drop_page_cache, serve
from questions.shapes import Shape

WARM_RUNS = 15


def measure(data_dir: Path, binary: Path, shapes: Sequence[Shape], repeats: int) -> dict[str, Any]:
    """Measures and prints every shape; each repeat is another position on a server of its own."""
    print(f"\nfirst query after a start, {repeats} starts per shape")
    print(f"{'shape':<30} {'cold ms':>9} {'warm ms':>9} {'ratio':>7}")
    measured, how = [], ""
    for shape in shapes:
        firsts, warm = [], []
        for question in shape.questions[:repeats]:
            how = drop_page_cache(data_dir, binary)
            with serve(data_dir) as server, engines.open_hexflight(server.flight_url) as (engine, _):
                sql = engine.sql(question)
                firsts.append(milliseconds(lambda: engine.ask(sql)))
                warm.append(statistics.median(milliseconds(lambda: engine.ask(sql)) for _ in range(WARM_RUNS)))
        cold_ms, warm_ms = statistics.median(firsts), statistics.median(warm)
        print(f"{shape.name:<30} {cold_ms:9.2f} {warm_ms:9.2f} {cold_ms / warm_ms:7.2f}", flush=True)
        measured.append({"name": shape.name, "cold_ms": cold_ms, "warm_ms": warm_ms})
    print(f"  page cache emptied by {how}")
    return {"how": how, "shapes": measured}
