"""What was measured, against the goals: as tables to read and as JSON to keep."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from questions.engines import HEXFLIGHT, HEXFLIGHT_OPEN, PEERS, PLAIN
from questions.measure import Timings, percentile
from questions.shapes import DAY

# Windows of a day and more: how many times faster than the best plain table, as a geometric mean.
GOAL_SPEEDUP = 3.0


@dataclass(frozen=True)
class Verdict:
    """One shape, as one way to ask Hexflight saw it."""

    timings: Timings
    way: str

    def median(self, engine: str) -> float | None:
        """Median of an engine, `None` if it cannot answer or was not asked."""
        taken = self.timings.engines.get(engine)
        return percentile(taken, 0.5) if taken else None

    @property
    def ours(self) -> float:
        """Median of Hexflight."""
        return percentile(self.timings.engines[self.way], 0.5)

    @property
    def select_1(self) -> float:
        """Median of `SELECT 1` while this shape was measured."""
        return percentile(self.timings.select_1[self.way], 0.5)

    def best(self, peers: Sequence[str]) -> tuple[str, float] | None:
        """The fastest of `peers` and its median."""
        known = [(name, median) for name in peers if (median := self.median(name)) is not None]
        return min(known, key=lambda pair: pair[1], default=None)

    def speedup(self, peers: Sequence[str]) -> float | None:
        """How many times faster than the fastest of `peers`."""
        best = self.best(peers)
        return best and best[1] / self.ours

    @property
    def in_goal(self) -> bool:
        """Whether the median keeps the goal of its span."""
        return self.ours <= self.timings.shape.goal_ms

    @property
    def near_peers(self) -> bool:
        """Whether the median is no more than the best peer's and a `SELECT 1`."""
        best = self.best(PEERS)
        return best is None or self.ours <= best[1] + self.select_1


def show(measured: Sequence[Timings]) -> None:
    """Prints every engine's medians, then each way to ask Hexflight against the goals."""
    _show_engines(measured)
    for way in (HEXFLIGHT, HEXFLIGHT_OPEN):
        verdicts = [Verdict(timings, way) for timings in measured if way in timings.engines]
        if verdicts:
            _show_goals(way, verdicts)


def _show_engines(measured: Sequence[Timings]) -> None:
    names = [n for n in (HEXFLIGHT, HEXFLIGHT_OPEN, *PEERS) if any(n in timings.engines for timings in measured)]
    print("\nmilliseconds: median / 95th percentile")
    print(f"{'shape':<30}" + "".join(f"{name:>33}" for name in names))
    for timings in measured:
        cells = [_pair(timings.engines.get(name)) for name in names]
        print(f"{timings.shape.name:<30}" + "".join(f"{cell:>33}" for cell in cells))


def _pair(taken: Sequence[float] | None) -> str:
    return f"{percentile(taken, 0.5):.2f} / {percentile(taken, 0.95):.2f}" if taken else "-"


def _show_goals(way: str, verdicts: Sequence[Verdict]) -> None:
    print(f"\n{way}: against the goals; × is the peer's median over ours, so more than 1 is faster")
    heads = f"{'median':>8} {'p95':>8} {'goal':>5}  {'best plain table':<32} {'×':>6}  {'best of all':<32} {'×':>6}"
    print(f"{'shape':<30} {heads}  verdict")
    for verdict in verdicts:
        high = percentile(verdict.timings.engines[way], 0.95)
        print(
            f"{verdict.timings.shape.name:<30} {verdict.ours:8.2f} {high:8.2f} {verdict.timings.shape.goal_ms:5.0f}"
            f"  {_peer(verdict, PLAIN)}  {_peer(verdict, PEERS)}  {_verdict(verdict)}"
        )
    for line in summary(way, verdicts)["text"]:
        print(f"  {line}")


def _peer(verdict: Verdict, peers: Sequence[str]) -> str:
    best = verdict.best(peers)
    return f"{best[0]:<30}{'':2} {best[1] / verdict.ours:6.2f}" if best else f"{'-':<32} {'-':>6}"


def _verdict(verdict: Verdict) -> str:
    faults = [] if verdict.in_goal else ["over the goal"]
    return ", ".join(faults if verdict.near_peers else [*faults, "over the best peer + SELECT 1"]) or "ok"


def summary(way: str, verdicts: Sequence[Verdict]) -> dict[str, Any]:
    """Returns the goals over all shapes as numbers, and as lines of text."""
    select_1 = percentile([ms for v in verdicts for ms in v.timings.select_1[way]], 0.5)
    in_goal, near = sum(v.in_goal for v in verdicts), sum(v.near_peers for v in verdicts)
    long = [s for v in verdicts if v.timings.shape.span >= DAY and (s := v.speedup(PLAIN)) is not None]
    mean = math.exp(sum(map(math.log, long)) / len(long)) if long else None
    text = [f"SELECT 1: {select_1:.2f} ms", f"within the goal: {in_goal} of {len(verdicts)}"]
    text.append(f"within the best peer + SELECT 1: {near} of {len(verdicts)}")
    if mean is not None:
        verdict = "ok" if mean >= GOAL_SPEEDUP else "UNDER THE GOAL"
        text.append(f"from a day on, times faster than the best plain table: {mean:.2f} (goal {GOAL_SPEEDUP:g}): {verdict}")
    numbers = {"select_1_ms": select_1, "in_goal": in_goal, "near_peers": near, "speedup": mean}
    return numbers | {"shapes": len(verdicts), "text": text}


def as_json(measured: Sequence[Timings]) -> dict[str, Any]:
    """Returns everything that `show` prints."""
    ways = {way: [Verdict(t, way) for t in measured if way in t.engines] for way in (HEXFLIGHT, HEXFLIGHT_OPEN)}
    return {
        "shapes": [_shape_as_json(timings) for timings in measured],
        "goals": {way: summary(way, verdicts) for way, verdicts in ways.items() if verdicts},
    }


def _shape_as_json(timings: Timings) -> dict[str, Any]:
    engines = {
        name: {"median_ms": percentile(taken, 0.5), "p95_ms": percentile(taken, 0.95), "runs": len(taken)}
        for name, taken in timings.engines.items()
    }
    select_1 = {way: percentile(taken, 0.5) for way, taken in timings.select_1.items()}
    return {"name": timings.shape.name, "goal_ms": timings.shape.goal_ms, "engines": engines, "select_1_ms": select_1}
