"""Short form of the handover test, and proof that its check bites."""

from __future__ import annotations

from pathlib import Path

import pytest

from handover import BATCH_ROWS, BATCH_SUM, Options, check, run


def test_no_answer_is_off_by_one_while_rows_move_to_files(tmp_path: Path) -> None:
    report = run(tmp_path, Options(queries=2_000))

    assert report.queries == 2_000
    # Without handovers the answers would prove nothing.
    assert report.commits >= 100, report


def cut(batches: int) -> tuple[int, float, int]:
    """Returns the right answer after `batches` batches."""
    return batches * BATCH_ROWS, batches * BATCH_SUM, batches


@pytest.mark.parametrize("batches", [3, 4, 5])
def test_check_accepts_every_possible_cut(batches: int) -> None:
    check(3, 5, cut(batches))


@pytest.mark.parametrize("batches", [2, 6])
def test_check_finds_a_lost_and_an_invented_batch(batches: int) -> None:
    with pytest.raises(AssertionError, match="possible"):
        check(3, 5, cut(batches))


@pytest.mark.parametrize("change", [(1, 0.0, 0), (-1, 0.0, 0), (0, 1.0, 0), (BATCH_ROWS, BATCH_SUM, 0)])
def test_check_finds_a_torn_or_doubled_batch(change: tuple[int, float, int]) -> None:
    rows, total, devices = cut(4)

    with pytest.raises(AssertionError, match="whole"):
        check(3, 5, (rows + change[0], total + change[1], devices + change[2]))
