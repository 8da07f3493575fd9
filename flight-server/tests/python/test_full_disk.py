"""A file system that is really full. Needs the right to mount one: elsewhere the tests of the engine stand in, on a simulated one."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.flight as flight
import pytest

from conftest import ServerFactory
from flight_client import connect, events, put, query
from hexserver import Server, http_get, wait_until

DISK = "24m"
FLAGS = ("--reserve", "4MiB", "--flush-interval", "1h", "--compaction", "false")
ROWS = 5_000
FILLER = "filler"
# Sorts ten times as much as the disk has.
SPILLING = "SELECT v, repeat('x', 100) AS x FROM generate_series(1, 2000000) t(v) ORDER BY v % 1000, v DESC"


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small file system of its own."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", str(folder)], capture_output=True, text=True
    )
    if mounted.returncode != 0:
        pytest.skip(f"cannot mount a file system: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.fixture
def server(disk: Path, make_server: ServerFactory) -> Server:
    """A server on it, not started yet."""
    made = make_server(*FLAGS)
    # Its log lies beside its data, and would be the first to have no space.
    (disk.parent / "data").symlink_to(disk / "data", target_is_directory=True)
    (disk / "data").mkdir()
    return made


def fill(server: Server) -> int:
    """Sends batches until one is refused; returns how many were acknowledged."""
    with connect(server.flight_url) as client:
        for number in range(200):
            try:
                put(client, events(ROWS, f"device-{number}"))
            except flight.FlightUnavailableError as refusal:
                assert "space" in str(refusal), refusal
                return number
    raise AssertionError("200 batches do not fill the disk")


def can_put(server: Server, device: str) -> bool:
    """Tells whether a batch is taken."""
    try:
        with connect(server.flight_url) as client:
            put(client, events(10, device))
    except flight.FlightUnavailableError:
        return False
    return True


def stored(server: Server) -> dict[str, int]:
    """Rows by device."""
    with connect(server.flight_url) as client:
        found = query(client, "SELECT device_id, count(*) AS n FROM events GROUP BY device_id").to_pylist()
    return {row["device_id"]: row["n"] for row in found}


def test_the_log_fills_the_disk_and_flushes_make_space(server: Server) -> None:
    server.start()
    acknowledged = fill(server)
    assert acknowledged > 2
    wait_until(lambda: can_put(server, "after"), 30, "an append after the flush")
    assert list(server.table_dir.rglob("*.parquet"))
    assert http_get(f"{server.http_url}/health/ready")[0] == 200
    found = stored(server)
    assert all(found[f"device-{number}"] == ROWS for number in range(acknowledged))


def test_a_full_disk_is_read_after_a_restart(server: Server, disk: Path) -> None:
    server.start()
    with connect(server.flight_url) as client:
        for number in range(3):
            put(client, events(ROWS, f"device-{number}"))
    server.kill()
    # Whatever is free is taken by somebody else, the reserve included.
    (disk / "data" / ".reserve").unlink()
    subprocess.run(f"head -c 64M /dev/zero > {disk / FILLER}", shell=True, stderr=subprocess.DEVNULL)

    server.spawn()
    wait_until(lambda: "Flight SQL" in server.log, 30, "a start on a full disk")
    assert {device: rows for device, rows in stored(server).items() if device != "after"} == {
        f"device-{number}": ROWS for number in range(3)
    }
    status, reason = http_get(f"{server.http_url}/health/ready")
    assert status == 503
    assert "space" in reason or "full" in reason, reason
    assert not can_put(server, "refused")

    (disk / FILLER).unlink()
    wait_until(lambda: can_put(server, "after"), 30, "an append once there is space")
    assert stored(server)["after"] == 10


def test_queries_that_spill_leave_the_disk_to_appends(make_server: ServerFactory, disk: Path) -> None:
    server = make_server(*FLAGS, "--memory-limit", "128MiB")
    (disk.parent / "data").symlink_to(disk / "data", target_is_directory=True)
    (disk / "data").mkdir()
    server.start()
    with connect(server.flight_url) as client:
        put(client, events(ROWS, "before"))
        with pytest.raises(pa.ArrowException) as refusal:
            query(client, SPILLING)
        assert can_put(server, "after")
        assert query(client, "SELECT count(*) AS n FROM events").to_pylist() == [{"n": ROWS + 10}]
    print(str(refusal.value)[:300])
    assert "no space for what it spills" in str(refusal.value), refusal.value
    spilled = disk / "data" / "query-spill"
    wait_until(lambda: not any(path.is_file() for path in spilled.rglob("*")), 10, "the end of what was spilled")
    assert http_get(f"{server.http_url}/health/ready")[0] == 200
