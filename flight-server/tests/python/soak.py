"""Runs the long form of a test round after round, each with a seed of its own, and adds the results up.

    soak.py NAME --seed 1 --rounds 10 --size-variable HEXFLIGHT_RANDOM_QUERIES --size 5000 -- COMMAND …

A round is COMMAND with `HEXFLIGHT_SEED` set (and `{seed}` and `{size}` replaced in its words); it passes when it exits with 0. Each round is
a line of `target/soak/NAME.jsonl`, so that several runs make one result; the output of a round that failed is kept beside it.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

SOAK = Path(__file__).resolve().parents[3] / "target" / "soak"
# A run ends before the round that would go beyond, if rounds take as long as the longest so far.
SECONDS_MAX = 100 * 60


@dataclass(frozen=True)
class Round:
    """How one round ended. `size` is how much was tried in it: statements, doubles, kills."""

    commit: str
    seed: int
    size: int
    passed: bool
    seconds: float


def main() -> int:
    """Runs the rounds; exits with 1 when one of them failed."""
    given = arguments()
    SOAK.mkdir(parents=True, exist_ok=True)
    results = SOAK / f"{given.name}.jsonl"
    started, longest, failed = time.monotonic(), 0.0, 0
    for seed in range(given.seed, given.seed + given.rounds):
        if time.monotonic() - started + longest > SECONDS_MAX:
            print(f"{given.name}: stopped before seed {seed}, to stay below {SECONDS_MAX} s")
            break
        done = run(given, seed)
        longest, failed = max(longest, done.seconds), failed + (not done.passed)
        with results.open("a") as lines:
            lines.write(json.dumps(asdict(done)) + "\n")
        print(f"{given.name}: seed {seed} {'passed' if done.passed else 'FAILED'} in {done.seconds:.0f} s", flush=True)
    print(total(given.name, results))
    return int(failed > 0)


def arguments() -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--size", type=int, default=1, help="how much one round tries")
    parser.add_argument("--size-variable", help="environment variable that tells the command")
    parser.add_argument("command", nargs="+")
    return parser.parse_args()


def run(given: argparse.Namespace, seed: int) -> Round:
    """Runs one round."""
    environment = os.environ | {"HEXFLIGHT_SEED": str(seed), "PYTHONDONTWRITEBYTECODE": "1"}
    if given.size_variable:
        environment[given.size_variable] = str(given.size)
    words = [word.replace("{seed}", str(seed)).replace("{size}", str(given.size)) for word in given.command]
    started = time.monotonic()
    ended = subprocess.run(words, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if ended.returncode != 0:
        (SOAK / f"{given.name}-{seed}.log").write_text(ended.stdout)
        print(ended.stdout[-4_000:])
    return Round(commit(), seed, given.size, ended.returncode == 0, round(time.monotonic() - started, 1))


def commit() -> str:
    """Returns the commit that the work tree is at."""
    head = subprocess.run(["git", "describe", "--always", "--dirty"], text=True, capture_output=True)
    return head.stdout.strip() or "unknown"


def total(name: str, results: Path) -> str:
    """Adds up all rounds that were ever run of a name."""
    rounds = [json.loads(line) for line in results.read_text().splitlines()]
    failed = [one["seed"] for one in rounds if not one["passed"]]
    size = sum(one["size"] for one in rounds)
    return f"{name}: {len(rounds)} rounds, {size} tried, failed seeds: {failed or 'none'}"


if __name__ == "__main__":
    sys.exit(main())
