"""Backup test: producers with ledgers, a busy server, and backups of its directory that are opened by a second server.

`python backuptest.py --backups 20 --rate 250000` runs the long form, with simulated events beside the producers; `test_backup.py` runs
the short one. What must hold for each copy: every batch that was acknowledged before the copy began is there, whole and once; what else
is there was sent. Flushes, merges and vacuums are forced to happen all the time, so that copies meet them.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import hexserver
from flight_client import connect, rows
from hexserver import Server
from killtest import STORED, KillTest, Options, compare
from ledger import Ledger, read_ledgers

FLAGS = ("--generation-rows", "300", "--flush-interval", "50ms", "--vacuum-after", "1s", "--log", "warn")
# The simulator's devices are not in the ledgers.
SENT_BY_PRODUCERS = STORED.replace("FROM events", "FROM events WHERE device_id LIKE 'p%-b%'")


class BackupTest(KillTest):
    """One run in one folder."""

    def __init__(self, folder: Path, options: Options, rate: int = 0) -> None:
        super().__init__(folder, options)
        # At full speed generations of a few hundred rows would be nothing but overhead.
        flags = ("--vacuum-after", "1s", "--flush-interval", "2s", "--log", "warn") if rate else FLAGS
        self._server = Server(folder / "data", *flags)
        self._rate = rate
        self.copies: list[str] = []

    def backups(self, count: int) -> None:
        """Makes backups and checks each; raises at the first broken promise."""
        simulator: subprocess.Popen[bytes] | None = None
        try:
            self._start()
            self._start_producers()
            simulator = self._simulate()
            for index in range(count):
                time.sleep(self._random.uniform(0.2, 0.6))
                self._back_up(self._folder / f"copy-{index}")
            if simulator is not None and simulator.poll() is not None:
                raise AssertionError(f"the simulator ended with {simulator.returncode}")
            self._stop_producers()
        finally:
            if simulator is not None:
                simulator.kill()
                simulator.wait()
            self._clean_up()

    def _simulate(self) -> subprocess.Popen[bytes] | None:
        if not self._rate:
            return None
        target = self._server.flight_url.replace("grpc://", "http://", 1)
        command = [str(hexserver.binary()), "simulate", "--target", target, "--rate", str(self._rate), "--duration", "1h"]
        environment = hexserver.clean_environment()
        return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment)

    def _back_up(self, copy: Path) -> None:
        before = read_ledgers(self._ledgers)
        made = hexserver.run("backup", "--data-dir", str(self._server.data_dir), str(copy), timeout=300)
        assert made.returncode == 0, made.stdout + made.stderr
        checked = hexserver.run("check", "--data-dir", str(copy), timeout=300)
        assert checked.returncode == 0, checked.stdout + checked.stderr
        with Server(copy, "--log", "warn") as restored, connect(restored.flight_url) as client:
            stored = rows(client, SENT_BY_PRODUCERS)
        after = read_ledgers(self._ledgers)
        compare(Ledger(after.intents, before.acked), stored)
        self.copies.append(f"{len(before.acked)} acked batches of before, {made.stdout.strip()}")
        self._say(self.copies[-1])
        shutil.rmtree(copy)


def main() -> None:
    """Runs the long form."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--backups", type=int, default=20)
    arguments.add_argument("--rate", type=int, default=250_000, help="simulated events per second beside the producers")
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory(prefix="hexflight-backup-") as folder:
        started = time.monotonic()
        BackupTest(Path(folder), Options(kills=0), given.rate).backups(given.backups)
        print(f"{given.backups} backups, {time.monotonic() - started:.0f} s: every acked batch of before is in its copy")


if __name__ == "__main__":
    main()
