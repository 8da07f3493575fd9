"""Short form of the kill test, and proof that its comparison bites."""

from __future__ import annotations

import os
import random
from pathlib import Path
from typing import Any

import pytest

from killtest import Broken, KillTest, Options, compare
from ledger import Intent, Ledger, LedgerWriter, read_ledgers


def test_twenty_kills_lose_double_and_tear_nothing(tmp_path: Path) -> None:
    seed = int(os.environ.get("HEXFLIGHT_TEST_SEED", random.SystemRandom().getrandbits(32)))

    report = KillTest(tmp_path, Options(kills=20, seed=seed)).run()

    print(f"{report} (seed {seed})")
    assert sum(report.kills.values()) == 20
    assert report.batches_acked > 100
    assert report.files_max > 10


def test_kills_over_a_damaged_directory_lose_nothing(tmp_path: Path) -> None:
    seed = int(os.environ.get("HEXFLIGHT_TEST_SEED", random.SystemRandom().getrandbits(32)))

    report = KillTest(tmp_path, Options(kills=6, seed=seed, damage=True)).run()

    print(f"{report} (seed {seed})")
    assert report.damages >= 3


SENT = Intent("p0-b1", 3, 3.0, "aa")


def stored(**changed: Any) -> dict[str, Any]:
    """Returns the row of a batch that is stored as it was sent, with some fields changed."""
    good = {
        "device_id": "p0-b1", "rows": 3, "values": 3, "value_sum": 3.0, "low": 0.0, "high": 2.0, "nonce": "aa",
        "nonce_max": "aa",
    }  # fmt: skip
    return good | changed


@pytest.mark.parametrize("acked", [{"p0-b1"}, set()], ids=["acked", "unacked"])
def test_compare_accepts_a_whole_batch(acked: set[str]) -> None:
    compare(Ledger({"p0-b1": SENT}, acked), [stored()])


def test_compare_accepts_an_absent_batch_without_an_ack() -> None:
    compare(Ledger({"p0-b1": SENT}, set()), [])


def test_compare_finds_a_missing_batch() -> None:
    with pytest.raises(Broken, match="missing"):
        compare(Ledger({"p0-b1": SENT}, {"p0-b1"}), [])


@pytest.mark.parametrize("acked", [{"p0-b1"}, set()], ids=["acked", "unacked"])
@pytest.mark.parametrize(
    ("changed", "found"),
    [
        ({"rows": 2, "values": 2, "value_sum": 1.0, "high": 1.0}, "torn"),
        ({"rows": 6}, "twice"),
        ({"rows": 4}, "twice"),
        ({"values": 2}, "torn"),
        ({"value_sum": 4.0}, "torn"),
        ({"nonce_max": "bb"}, "torn"),
    ],
)
def test_compare_finds_a_changed_batch(acked: set[str], changed: dict[str, Any], found: str) -> None:
    with pytest.raises(Broken, match=found):
        compare(Ledger({"p0-b1": SENT}, acked), [stored(**changed)])


def test_compare_finds_a_batch_that_nobody_sent() -> None:
    with pytest.raises(Broken, match="nobody"):
        compare(Ledger({}, set()), [stored()])


def test_ledger_reads_back_what_was_written(tmp_path: Path) -> None:
    writer = LedgerWriter(tmp_path / "ledger")
    writer.intend([SENT])
    writer.acknowledge("p0-b1")
    with (tmp_path / "ledger").open("a") as unfinished:
        unfinished.write('{"ack": "p0-')

    assert read_ledgers([tmp_path / "ledger", tmp_path / "absent"]) == Ledger({"p0-b1": SENT}, {"p0-b1"})
