"""Damage test: whole processes over a data directory in which one stored object is not what was written.

`python damagetest.py --rounds 200 [--seed N]` runs the long form; `test_damage.py` runs the short one. Every kind of object is missing,
empty, cut at the end of each line, and in each round cut, flipped in one bit and overwritten with 4 KiB of zeros at random places. What
must hold then: a start answers every question rightly, or is refused by the name of the object, or says what is missing; a question
that meets damage fails by the name of the file; `hexflight check` names what is lost; and nothing is gone afterwards that a clean start
leaves.
"""

from __future__ import annotations

import argparse
import random
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.flight as flight

import hexserver
from flight_client import connect, events, put, query
from hexserver import READY_SECONDS, Server, ServerDied, http_get, wait_until

FLAGS = ("--flush-interval", "1h", "--generation-rows", "2000", "--log", "warn")
ZEROED_BYTES = 4_096
WORKERS = 3
# What is made anew at every start.
PASSING = (".staging/", "_probe/", ".reserve", "LOCK")
# From every row, from rollups, from some files.
QUESTIONS = (
    "SELECT device_id, timestamp, type, value, latitude, longitude, metadata FROM events ORDER BY device_id, value",
    "SELECT type, count(*), sum(value), min(value), max(value) FROM events GROUP BY type",
    "SELECT count(*), avg(value) FROM events WHERE device_id = 'g' AND timestamp < TIMESTAMP '2025-06-01 12:10:00'",
)

Tree = dict[str, bytes]
Answers = list[list[dict[str, Any]]]


def is_fence(key: str) -> bool:
    """The first life of the image has ended; its one commit is gone, and the fence behind it is left."""
    return key.startswith("wal/") and key.endswith("/00000000000000000004.wal")


def is_flushed(key: str) -> bool:
    """The newest commit whose rows are in files: it stays to tell that there were others."""
    return key.startswith("wal/") and key.endswith("/00000000000000000001.wal")


def is_unflushed(key: str) -> bool:
    return key.startswith("wal/") and not is_fence(key) and not is_flushed(key)


# What has no word of its own in `check` loses nothing: it is only read to notice other losses.
KINDS: dict[str, tuple[Callable[[str], bool], bool]] = {
    "WAL commit": (is_unflushed, True),
    "flushed commit": (is_flushed, False),
    "fence": (is_fence, False),
    "registry entry": (lambda key: key.startswith("streams/"), False),
    "Delta version": (lambda key: "/_delta_log/" in key, True),
    "mark": (lambda key: "/_marks/" in key, False),
    "Parquet file": (lambda key: key.endswith(".parquet"), True),
    "rollup": (lambda key: key.endswith(".rollup"), True),
    "lock": (lambda key: key == "LOCK", False),
}


@dataclass(frozen=True)
class Damage:
    """What an object is afterwards; `None` when it is missing."""

    what: str
    left: bytes | None


class Broken(AssertionError):
    """A promise was broken; says with which object and which damage."""


class DamageTest:
    """One run in one folder."""

    def __init__(self, folder: Path, rounds: int, seed: int, objects: int | None = None) -> None:
        self._folder = folder
        self._rounds = rounds
        self._random = random.Random(seed)
        self._seed = seed
        self._objects = objects
        self._image = folder / "image"
        self.outcomes: Counter[str] = Counter()

    def run(self) -> Counter[str]:
        """Inflicts everything; raises `Broken` at the first broken promise."""
        self._make_image()
        self._tree = tree(self._image)
        with self._served("clean") as server:
            self._answers = ask(server)
        after = tree(server.data_dir)
        self._deletable = {key for key in self._tree if key not in after}
        shutil.rmtree(server.data_dir)
        cases = list(self._cases())
        with ThreadPoolExecutor(WORKERS) as workers:
            for outcome in workers.map(self._try, range(len(cases)), *zip(*cases, strict=True)):
                self.outcomes[outcome] += 1
        return self.outcomes

    def _make_image(self) -> None:
        """Two lives: one that ended well, one that was killed with rows in files and in its log."""
        data = self._folder / "made"
        for life, batches in enumerate((("a", "b", "c"), ("g", "h"))):
            server = Server(data, *FLAGS).start()
            with connect(server.flight_url) as client:
                for name in batches:
                    put(client, events(2_000 if name == "g" else 700, name))
                if life == 0:
                    server.stop()
                    continue
                newest = server.table_dir / "_delta_log" / "00000000000000000002.json"
                wait_until(newest.exists, READY_SECONDS, "a flush")
                for name in ("i", "j", "k"):
                    put(client, events(30, name))
            server.kill()
        data.rename(self._image)

    def _cases(self) -> Iterator[tuple[str, str, Damage]]:
        for kind, (is_of_kind, _) in KINDS.items():
            keys = [key for key in sorted(self._tree) if is_of_kind(key)]
            assert keys, f"the image has no {kind}: {sorted(self._tree)}"
            for key in keys[-self._objects :] if self._objects else keys:
                yield from ((kind, key, damage) for damage in simple(self._tree[key]))
            for _ in range(self._rounds):
                key = self._random.choice(keys)
                yield from ((kind, key, damage) for damage in drawn(self._tree[key], self._random))

    def _try(self, number: int, kind: str, key: str, damage: Damage) -> str:
        """Starts a process over one damaged object; returns how that ended."""
        try:
            return f"{kind}: {self._outcome(number, kind, key, damage)}"
        except (Broken, AssertionError) as broken:
            raise Broken(f"seed {self._seed}: {kind} {key}, {damage.what}: {broken}") from None

    def _outcome(self, number: int, kind: str, key: str, damage: Damage) -> str:
        server = self._served(f"case-{number}")
        path = server.data_dir / key
        path.unlink()
        if damage.left is not None:
            path.write_bytes(damage.left)
        before = tree(server.data_dir)
        if KINDS[kind][1] and damage.left != self._tree[key]:
            self._check(server.data_dir, key)
        try:
            with server:
                outcome = self._answered(server, kind, key)
        except ServerDied:
            outcome = self._refused(server, key, before)
            before[key] = self._tree[key]
        gone = self._gone(before, tree(server.data_dir))
        if gone:
            raise Broken(f"deleted {gone}")
        shutil.rmtree(server.data_dir)
        return outcome

    def _check(self, data_dir: Path, key: str) -> None:
        checked = hexserver.run("check", "--data-dir", str(data_dir))
        if checked.returncode != 1 or key not in checked.stdout:
            raise Broken(f"check ended with {checked.returncode}: {checked.stdout}{checked.stderr}")

    def _answered(self, server: Server, kind: str, key: str) -> str:
        outcome = "answered"
        said = http_get(f"{server.http_url}/health/ready")[1]
        for question, right in zip(QUESTIONS, self._answers, strict=True):
            try:
                found = ask_one(server, question)
            except flight.FlightError as error:
                if kind != "Parquet file" or key not in str(error):
                    raise Broken(f"{question}: {error}") from None
                outcome = "a question named it"
                continue
            if found == right:
                continue
            if key not in said:
                raise Broken(f"{question}: another answer and not a word: {said}")
            if question is QUESTIONS[0] and not all(row in right for row in found):
                raise Broken(f"{question}: rows that nobody sent")
            outcome = "the start said what is missing"
        return outcome

    def _refused(self, server: Server, key: str, before: Tree) -> str:
        log = server.log
        if key not in log or not any(advice in log for advice in ("restore", "start a newer build")):
            raise Broken(f"refused without its name or advice: {log}")
        if tree(server.data_dir) != before:
            raise Broken("a refused start changed something")
        (server.data_dir / key).write_bytes(self._tree[key])
        with server:
            if ask(server) != self._answers:
                raise Broken("restored, it answers otherwise")
        return "the start was refused"

    def _gone(self, before: Tree, after: Tree) -> list[str]:
        def is_kept(key: str, content: bytes) -> bool:
            return content in (after.get(key), after.get(f"quarantine/{key}"))

        return [key for key, content in before.items() if not is_kept(key, content) and key not in self._deletable]

    def _served(self, name: str) -> Server:
        """A server over a copy of the image, not started."""
        copy = self._folder / name
        shutil.copytree(self._image, copy)
        return Server(copy, *FLAGS)


def tree(root: Path) -> Tree:
    """Every object below a directory that a start may not lose, by its key."""
    found = {str(path.relative_to(root)): path for path in root.rglob("*") if path.is_file()}
    return {key: path.read_bytes() for key, path in found.items() if key == "LOCK" or not key.startswith(PASSING)}


def simple(content: bytes) -> Iterator[Damage]:
    """What is done to every object: missing, empty, cut at the end of each line."""
    yield Damage("missing", None)
    yield Damage("empty", b"")
    if content.isascii():
        ends = [at + 1 for at, byte in enumerate(content) if byte == ord("\n")]
        yield from (Damage(f"cut at the end of a line, at {at}", content[:at]) for at in ends if at < len(content))


def drawn(content: bytes, source: random.Random) -> Iterator[Damage]:
    """A cut, a flipped bit and a page of zeros at random places; nothing for an object without bytes."""
    if not content:
        return
    cut, flipped, zeroed = (source.randrange(len(content)) for _ in range(3))
    yield Damage(f"cut at {cut}", content[:cut])
    bit = 1 << source.randrange(8)
    yield Damage(f"bit {bit:#x} flipped at {flipped}", replaced(content, flipped, bytes([content[flipped] ^ bit])))
    zeros = bytes(min(ZEROED_BYTES, len(content) - zeroed))
    yield Damage(f"zeros from {zeroed}", replaced(content, zeroed, zeros))


def replaced(content: bytes, at: int, part: bytes) -> bytes:
    """Returns `content` with other bytes from `at` on."""
    return content[:at] + part + content[at + len(part) :]


def ask(server: Server) -> Answers:
    """Asks every question."""
    return [ask_one(server, question) for question in QUESTIONS]


def ask_one(server: Server, question: str) -> list[dict[str, Any]]:
    """Asks one question."""
    with connect(server.flight_url) as client:
        return query(client, question).to_pylist()


def main() -> None:
    """Runs the long form."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--rounds", type=int, default=200)
    arguments.add_argument("--seed", type=int, default=None, help="default: a new one, printed")
    given = arguments.parse_args()
    seed = random.SystemRandom().getrandbits(32) if given.seed is None else given.seed
    with tempfile.TemporaryDirectory(prefix="hexflight-damage-") as folder:
        started = time.monotonic()
        outcomes = DamageTest(Path(folder), given.rounds, seed).run()
        for outcome, count in sorted(outcomes.items()):
            print(f"{count:>6} {outcome}")
        print(f"{outcomes.total()} damages, none silent (seed {seed}, {time.monotonic() - started:.0f} s)")


if __name__ == "__main__":
    main()
