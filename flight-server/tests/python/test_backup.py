"""`hexflight backup` and `hexflight check` as a person types them, beside a running server."""

from __future__ import annotations

from pathlib import Path

import hexserver
from backuptest import BackupTest
from conftest import ServerFactory
from flight_client import connect, events, put
from killtest import Options


def test_copies_of_a_busy_directory_hold_every_acknowledged_batch(tmp_path: Path) -> None:
    test = BackupTest(tmp_path, Options(kills=0, seed=1))
    test.backups(3)
    assert len(test.copies) == 3


def test_a_running_server_is_found_whole(make_server: ServerFactory) -> None:
    server = make_server("--flush-interval", "50ms").start()
    with connect(server.flight_url) as client:
        for device in range(20):
            put(client, events(100, f"device-{device}"))
            if device % 5 == 0:
                checked = hexserver.run("check", "--data-dir", str(server.data_dir))
                assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "looked at" in checked.stdout


def test_damage_is_listed_and_exits_with_one(make_server: ServerFactory, tmp_path: Path) -> None:
    server = make_server().start()
    with connect(server.flight_url) as client:
        put(client, events(100))
    server.stop()
    [parquet] = server.table_dir.rglob("*.parquet")
    damaged = bytearray(parquet.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    parquet.write_bytes(damaged)

    checked = hexserver.run("check", "--data-dir", str(server.data_dir))
    assert checked.returncode == 1
    assert str(parquet.relative_to(server.data_dir)) in checked.stdout
    assert "checksum mismatch" in checked.stdout
    assert "damaged or missing objects: 1" in checked.stderr

    copied = hexserver.run("backup", "--data-dir", str(server.data_dir), str(tmp_path / "copy"))
    assert copied.returncode == 1
    assert str(parquet.relative_to(server.data_dir)) in copied.stdout


def test_what_is_no_data_directory_is_named(tmp_path: Path) -> None:
    for command in (["check"], ["backup", str(tmp_path / "copy")]):
        refused = hexserver.run(*command, "--data-dir", str(tmp_path / "nothing"))
        assert refused.returncode == 1
        assert f"{tmp_path / 'nothing'}: there is no such folder" in refused.stderr
