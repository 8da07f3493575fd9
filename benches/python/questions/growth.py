"""What a tenfold table costs: the same questions of two servers, one with all events and one with every tenth."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from questions import engines
from questions.measure import milliseconds, percentile
from questions.server import serve
from questions.shapes import DAY, Shape


def measure(small: Path, large: Path, shapes: Sequence[Shape], runs: int) -> dict[str, Any]:
    """Measures and prints the shapes up to a day, in turns; a window of the larger table also holds ten times the events."""
    print(f"\n{'shape':<30} {small.name + ' ms':>24} {large.name + ' ms':>24} {'ratio':>7}")
    measured = []
    with (
        serve(small) as one, serve(large) as other,
        engines.open_hexflight(one.flight_url) as (few, _), engines.open_hexflight(other.flight_url) as (many, _),
    ):  # fmt: skip
        for shape in (shape for shape in shapes if shape.span <= DAY):
            texts = [few.sql(question) for question in shape.questions]
            for sql in texts:
                few.ask(sql), many.ask(sql)
            taken = [(milliseconds(lambda: few.ask(sql)), milliseconds(lambda: many.ask(sql)))
                     for _ in range(runs) for sql in texts]  # fmt: skip
            low, high = (percentile(column, 0.5) for column in zip(*taken))
            print(f"{shape.name:<30} {low:24.2f} {high:24.2f} {high / low:7.2f}", flush=True)
            measured.append({"name": shape.name, "small_ms": low, "large_ms": high})
    return {"small": small.name, "large": large.name, "shapes": measured}
