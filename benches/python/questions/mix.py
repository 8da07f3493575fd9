"""Many clients at once: a random mix of all questions, alone or while events are taken in."""

from __future__ import annotations

import multiprocessing
import random
import signal
import subprocess
import threading
import time
from collections import defaultdict
from collections.abc import Sequence
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

from questions import engines
from questions.measure import percentile
from questions.server import scratch_copy, serve
from questions.shapes import Shape

# Threads share a process: an interpreter per client would take more of two cores than the questions do.
CLIENTS_PER_PROCESS = 4
# How long the producer sends before the clients begin.
LEAD_SECONDS = 3.0
# How long the clients ask before anything counts: a server that was just started is measured by itself.
WARM_UP_SECONDS = 5.0

Taken = list[tuple[str, float]]


def measure(
    data_dir: Path, binary: Path, shapes: Sequence[Shape], clients: int, seconds: float, rate: int
) -> dict[str, Any]:
    """Measures and prints the mix, on a copy of the data where events are sent at `rate` per second meanwhile."""
    if rate == 0:
        with serve(data_dir) as server:
            return _mix(server.flight_url, shapes, clients, seconds, "no events come in")
    with scratch_copy(data_dir) as copy, serve(copy) as server:
        before, started = _count(server.flight_url), time.monotonic()
        command = [str(binary), "simulate", "--target", server.flight_url, "--rate", str(rate)]
        # Longer than all else takes; it is ended by hand.
        with subprocess.Popen([*command, "--duration", "1h"], stdout=subprocess.DEVNULL) as producer:
            try:
                time.sleep(LEAD_SECONDS)
                result = _mix(server.flight_url, shapes, clients, seconds, f"{rate:,} events/s wanted to come in")
                came = (_count(server.flight_url) - before) / (time.monotonic() - started)
            finally:
                producer.send_signal(signal.SIGINT)
        print(f"  {came:,.0f} events/s came in")
        return result | {"wanted_events_per_second": rate, "events_per_second": came}


def _mix(url: str, shapes: Sequence[Shape], clients: int, seconds: float, title: str) -> dict[str, Any]:
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(clients)
    shares = [range(clients)[first : first + CLIENTS_PER_PROCESS] for first in range(0, clients, CLIENTS_PER_PROCESS)]
    pipes = []
    for share in shares:
        receiver, sender = context.Pipe(duplex=False)
        process = context.Process(target=_process, args=(url, tuple(shapes), share, seconds, barrier, sender))
        process.start()
        sender.close()
        pipes.append((process, receiver))
    taken: Taken = []
    for process, receiver in pipes:
        taken += receiver.recv()
        process.join()
    return _report(taken, clients, seconds, title)


def _process(url: str, shapes: Sequence[Shape], seeds: range, seconds: float, barrier: Barrier, sender: Any) -> None:
    """One client process: a thread for each seed."""
    taken: Taken = []
    threads = [threading.Thread(target=_client, args=(url, shapes, seed, seconds, barrier, taken)) for seed in seeds]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sender.send(taken)


def _client(
    url: str, shapes: Sequence[Shape], seed: int, seconds: float, barrier: Barrier, taken: Taken
) -> None:
    """Asks one random question after another, as programs with a pool of cursors do, until the time is over."""
    rng = random.Random(seed)
    with engines.open_hexflight(url) as (_, engine):
        barrier.wait()
        begin = time.perf_counter() + WARM_UP_SECONDS
        end = begin + seconds
        while (started := time.perf_counter()) < end:
            shape = rng.choice(shapes)
            engine.ask(engine.sql(rng.choice(shape.questions)))
            if started >= begin:
                taken.append((shape.name, (time.perf_counter() - started) * 1e3))


def _report(taken: Taken, clients: int, seconds: float, title: str) -> dict[str, Any]:
    by_shape = defaultdict(list)
    for name, ms in taken:
        by_shape[name].append(ms)
    everything = [ms for _, ms in taken]
    rate = len(taken) / seconds
    print(f"\n{clients} clients, {seconds:g} s, {title}: {rate:.0f} queries/s")
    print(f"{'shape':<30} {'queries':>8} {'p50 ms':>8} {'p99 ms':>8}")
    for name, of_shape in [("all", everything), *sorted(by_shape.items())]:
        print(f"{name:<30} {len(of_shape):8} {percentile(of_shape, 0.5):8.2f} {percentile(of_shape, 0.99):8.2f}")
    p50, p99 = percentile(everything, 0.5), percentile(everything, 0.99)
    return {"clients": clients, "queries_per_second": rate, "p50_ms": p50, "p99_ms": p99}


def _count(url: str) -> int:
    with engines.open_hexflight(url) as (engine, _):
        return engine.ask("SELECT count(*) AS n FROM events")["n"][0].as_py()
