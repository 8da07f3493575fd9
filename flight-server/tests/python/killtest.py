"""Kill test: producers with ledgers, a server that is killed with SIGKILL at random moments, and a comparison by SQL.

`python killtest.py --kills 200 [--seed N]` runs the long form; `test_kill.py` runs the short one. What must hold after every
restart: each acknowledged batch is there with all its rows, exactly once; a batch without an ack is there wholly or not at
all; nothing else is there. Sealing and flushing are forced to happen all the time, so that kills meet them.

With `--damage` an object that no row depends on is damaged behind each kill, and `hexflight check` looks at the directory before the
next start.
"""

from __future__ import annotations

import argparse
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import hexserver
from damagetest import drawn, simple
from flight_client import connect, rows
from hexserver import READY_SECONDS, Server, wait_until
from ledger import Intent, Ledger, read_ledgers

PRODUCERS = 4
PRODUCER_STOP_SECONDS = 60.0
FLAGS = ("--generation-rows", "300", "--flush-interval", "50ms", "--log", "warn")

STORED = """
SELECT device_id, count(*) AS rows, count(DISTINCT value) AS values, sum(value) AS value_sum,
       min(value) AS low, max(value) AS high,
       min(metadata->>'nonce') AS nonce, max(metadata->>'nonce') AS nonce_max
FROM events GROUP BY device_id
"""


class Broken(AssertionError):
    """A promise was broken; says which, with the seed."""


@dataclass(frozen=True)
class Options:
    """Settings of one run."""

    kills: int = 20
    seed: int = 0
    check_every: int = 1
    # Mean time between two sends of a producer; bounds the rows, and with them the cost of a check.
    pause: float = 0.05
    # Whether an object is damaged behind each kill.
    damage: bool = False


@dataclass
class Report:
    """What a run did."""

    kills: Counter[str] = field(default_factory=Counter)
    batches_sent: int = 0
    batches_acked: int = 0
    batches_unacked_kept: int = 0
    rows: int = 0
    checks: int = 0
    damages: int = 0
    files_max: int = 0

    def __str__(self) -> str:
        moments = ", ".join(f"{count} {moment}" for moment, count in sorted(self.kills.items()))
        return (
            f"{sum(self.kills.values())} kills ({moments}); {self.batches_sent} batches sent, {self.batches_acked} acked, "
            f"{self.batches_unacked_kept} kept without an ack; {self.rows} rows in {self.files_max} files; "
            f"{self.damages} objects damaged; {self.checks} checks: 0 acked rows missing, 0 rows twice, 0 torn batches"
        )


class KillTest:
    """One run in one folder."""

    def __init__(self, folder: Path, options: Options, say: Callable[[str], None] = print) -> None:
        self._folder = folder
        self._options = options
        self._say = say
        self._random = random.Random(options.seed)
        self._server = Server(folder / "data", *FLAGS)
        self._address = folder / "address"
        self._ledgers = [folder / f"ledger-{index}" for index in range(PRODUCERS)]
        self._producers: list[subprocess.Popen[bytes]] = []
        self.report = Report()

    def run(self) -> Report:
        """Kills, restarts and checks; raises `Broken` at the first broken promise."""
        self._say(f"kill test: {self._options.kills} kills, seed {self._options.seed}, folder {self._folder}")
        try:
            self._start()
            self._start_producers()
            for index in range(self._options.kills):
                self._kill_and_restart(index)
            self._stop_producers()
            self._check_at_rest()
        finally:
            self._clean_up()
        return self.report

    def _kill_and_restart(self, index: int) -> None:
        """Waits for a random moment, kills, starts again, and checks."""
        moment = self._random.choices(list(MOMENTS), weights=[weight for weight, _ in MOMENTS.values()])[0]
        MOMENTS[moment][1](self)
        self._kill(allowed=(0,) if moment == "while stopping" else ())
        self.report.kills[moment] += 1
        if self._options.damage:
            self._damage()
        self._start()
        if (index + 1) % self._options.check_every == 0:
            self._check_running()
        if (index + 1) % 20 == 0:
            self._say(
                f"  {index + 1} kills, {self.report.batches_acked} batches acked, {self.report.rows} rows"
            )

    def _kill(self, allowed: tuple[int, ...] = ()) -> None:
        """Kills the server; it must have lived until then, or have ended with an `allowed` exit code."""
        code = self._server.kill()
        if code not in (-signal.SIGKILL, *allowed):
            raise Broken(
                f"seed {self._options.seed}: the server ended by itself with {code}:\n{self._server.log}"
            )

    def _damage(self) -> None:
        """Damages an object that no row depends on, and lets `check` look at it."""
        data_dir = self._server.data_dir
        found = sorted(data_dir.glob(self._random.choice(SPARE_OBJECTS)))
        if not found:
            return
        path = self._random.choice(found)
        content = path.read_bytes()
        damages = [damage for damage in (*simple(content), *drawn(content, self._random)) if damage.left != content]
        damage = self._random.choice(damages)
        path.unlink()
        if damage.left is not None:
            path.write_bytes(damage.left)
        checked = hexserver.run("check", "--data-dir", str(data_dir))
        key = str(path.relative_to(data_dir))
        if checked.returncode not in (0, 1):
            raise Broken(f"{key}, {damage.what}: check ended with {checked.returncode}:\n{checked.stdout}{checked.stderr}")
        self.report.damages += 1

    def _start(self) -> None:
        """Starts the server and tells the producers where it is, as soon as it has bound its port."""
        self._server.start()
        self._publish()

    def _publish(self) -> None:
        staged = self._address.with_suffix(".new")
        staged.write_text(self._server.flight_url)
        staged.rename(self._address)

    def during_ingest(self) -> None:
        """Lets the producers work for a while."""
        time.sleep(self._random.uniform(0.1, 0.9))

    def just_started(self) -> None:
        """Goes on at once: recovery flushes behind, and the first batches arrive."""
        time.sleep(self._random.uniform(0, 0.08))

    def while_starting(self) -> None:
        """Kills an earlier process, and leaves the next one within its start-up."""
        self.during_ingest()
        self._kill()
        self._server.spawn()
        time.sleep(self._random.uniform(0, 0.15))

    def while_starting_again(self) -> None:
        """Leaves several starts behind, each ended before or about when it was ready."""
        for _ in range(self._random.randint(1, 3)):
            self._kill()
            self._server.spawn()
            time.sleep(self._random.uniform(0, 0.25))

    def while_stopping(self) -> None:
        """Asks the process to stop, which flushes, and kills it in the middle of that."""
        self.during_ingest()
        self._server.terminate()
        time.sleep(self._random.uniform(0, 0.15))

    def _start_producers(self) -> None:
        script = Path(__file__).with_name("kill_producer.py")
        for index, ledger in enumerate(self._ledgers):
            command = [
                sys.executable, str(script), "--name", f"p{index}", "--ledger", str(ledger), "--address", str(self._address),
                "--seed", str(self._random.getrandbits(32)), "--pause", str(self._options.pause),
            ]  # fmt: skip
            self._producers.append(subprocess.Popen(command, stdin=subprocess.PIPE))
        wait_until(lambda: read_ledgers(self._ledgers).acked, READY_SECONDS, "a first ack")

    def _stop_producers(self) -> None:
        for producer in self._producers:
            assert producer.stdin is not None, "producers are started with a pipe"
            producer.stdin.close()
        codes = [producer.wait(PRODUCER_STOP_SECONDS) for producer in self._producers]
        if any(codes):
            raise Broken(f"seed {self._options.seed}: a producer failed, exit codes {codes}")

    def _check_running(self) -> None:
        """Compares while the producers go on: what was acked before must be there, what is there must have been sent."""
        before = read_ledgers(self._ledgers)
        stored = self._stored()
        after = read_ledgers(self._ledgers)
        self._compare(Ledger(after.intents, before.acked), stored)

    def _check_at_rest(self) -> None:
        """Compares once nobody sends, before and after one more clean restart."""
        for _ in range(2):
            self._compare(read_ledgers(self._ledgers), self._stored())
            self._server.restart()
        self._compare(read_ledgers(self._ledgers), self._stored())

    def _stored(self) -> list[dict[str, Any]]:
        with connect(self._server.flight_url) as client:
            return rows(client, STORED)

    def _compare(self, ledger: Ledger, stored: list[dict[str, Any]]) -> None:
        try:
            compare(ledger, stored)
        except Broken as broken:
            raise Broken(
                f"seed {self._options.seed}, after {sum(self.report.kills.values())} kills: {broken}"
            ) from None
        self.report.checks += 1
        self.report.batches_sent = len(ledger.intents)
        self.report.batches_acked = len(ledger.acked)
        self.report.batches_unacked_kept = len({row["device_id"] for row in stored} - ledger.acked)
        self.report.rows = sum(row["rows"] for row in stored)
        self.report.files_max = max(
            self.report.files_max, len(list(self._server.table_dir.rglob("*.parquet")))
        )

    def _clean_up(self) -> None:
        for producer in self._producers:
            if producer.poll() is None:
                producer.kill()
                producer.wait()
        self._server.stop_or_kill()


# Objects that no row depends on.
SPARE_OBJECTS = ("streams/*.json", "tables/events/_rollups/**/*.rollup", "tables/events/_marks/*.mark", "LOCK")

# How often each moment is chosen, and how it is reached.
MOMENTS: dict[str, tuple[int, Callable[[KillTest], None]]] = {
    "during ingest": (8, KillTest.during_ingest),
    "just started": (4, KillTest.just_started),
    "while starting": (4, KillTest.while_starting),
    "while starting again": (2, KillTest.while_starting_again),
    "while stopping": (2, KillTest.while_stopping),
}


def compare(ledger: Ledger, stored: list[dict[str, Any]]) -> None:
    """Compares what the server holds with what the producers wrote down."""
    missing = ledger.acked - {row["device_id"] for row in stored}
    if missing:
        raise Broken(f"{len(missing)} acked batches are missing: {sorted(missing)[:5]}")
    for row in stored:
        intent = ledger.intents.get(row["device_id"])
        if intent is None:
            raise Broken(f"nobody sent {row}")
        if not is_whole(intent, row):
            kind = "twice, in part" if row["rows"] > intent.rows else "torn"
            raise Broken(f"{kind} (acked: {intent.device in ledger.acked}): sent {intent}, stored {row}")


def is_whole(intent: Intent, row: dict[str, Any]) -> bool:
    """Tells whether a stored batch has each of its rows exactly once, as it was sent."""
    return (
        row["rows"] == row["values"] == intent.rows
        and (row["low"], row["high"]) == (0.0, float(intent.rows - 1))
        and row["value_sum"] == intent.value_sum
        and row["nonce"] == row["nonce_max"] == intent.nonce
    )


def main() -> None:
    """Runs the long form."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--kills", type=int, default=200)
    arguments.add_argument("--seed", type=int, default=None, help="default: a new one, printed")
    arguments.add_argument("--check-every", type=int, default=5, help="kills between two comparisons")
    arguments.add_argument("--damage", action="store_true", help="damage an object behind each kill")
    given = arguments.parse_args()
    seed = random.SystemRandom().getrandbits(32) if given.seed is None else given.seed
    with tempfile.TemporaryDirectory(prefix="hexflight-kill-") as folder:
        started = time.monotonic()
        report = KillTest(Path(folder), Options(given.kills, seed, given.check_every, damage=given.damage)).run()
        print(f"{report} (seed {seed}, {time.monotonic() - started:.0f} s)")


if __name__ == "__main__":
    main()
