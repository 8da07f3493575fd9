"""`hexflight serve` as a process: what it prints, bad surroundings, configuration, graceful stop, restart, a full disk."""

from __future__ import annotations

import os
import resource
import signal
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.flight as flight
import pytest

import hexserver
from conftest import ServerFactory
from flight_client import (
    columns,
    connect,
    event_count,
    events,
    from_columns,
    put,
    scalar,
)
from hexserver import Server, metric

FREE_PORTS = ("--flight-bind", "127.0.0.1:0", "--http-bind", "127.0.0.1:0")


def refusal(*arguments: str, **options: Any) -> str:
    """Runs a command that must fail with exit code 1 or 2; returns the last line of what it said."""
    ended = hexserver.run(*arguments, **options)
    assert ended.returncode in (1, 2), f"exit code {ended.returncode}: {ended.stdout}{ended.stderr}"
    assert "panicked" not in ended.stderr and "RUST_BACKTRACE" not in ended.stderr
    return ended.stderr.strip()


def one_line(*arguments: str, **options: Any) -> str:
    """Runs a command that must fail with a single line on stderr, and returns it."""
    said = refusal(*arguments, **options)
    errors = [line for line in said.splitlines() if " INFO " not in line]
    assert len(errors) == 1, said
    return errors[0]


def test_start_prints_urls_directory_and_what_to_try(server: Server) -> None:
    assert server.flight_url in server.log
    assert server.http_url in server.log
    assert str(server.data_dir) in server.log
    assert "hexflight sql" in server.log
    assert "hexflight simulate" in server.log


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="a setting of Linux")
def test_memory_comes_in_small_pages(server: Server) -> None:
    assert "THP_enabled:\t0\n" in Path(f"/proc/{server.pid}/status").read_text()


@pytest.mark.parametrize("path", ["/health/live", "/health/ready"])
def test_health_answers(server: Server, path: str) -> None:
    assert hexserver.http_get(server.http_url + path)[0] == 200


def test_unknown_path_is_not_found(server: Server) -> None:
    assert hexserver.http_get(f"{server.http_url}/nothing")[0] == 404


def test_metrics_count_ingested_rows(server: Server) -> None:
    with connect(server.flight_url) as client:
        before = metric(server, "hexflight_ingest_rows_total")
        put(client, events(123))

    assert metric(server, "hexflight_ingest_rows_total") == before + 123


def test_data_dir_below_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    said = one_line("serve", "--data-dir", str(tmp_path / "file" / "data"), *FREE_PORTS)

    assert str(tmp_path / "file") in said and "--data-dir" in said


def test_data_dir_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    assert str(tmp_path / "file") in one_line("serve", "--data-dir", str(tmp_path / "file"), *FREE_PORTS)


def test_data_dir_that_cannot_be_written_is_refused() -> None:
    # /proc refuses new folders to every user, root included.
    assert "/proc/hexflight" in one_line("serve", "--data-dir", "/proc/hexflight", *FREE_PORTS)


@pytest.mark.parametrize("flag", ["--flight-bind", "--http-bind"])
def test_taken_port_is_named_with_its_flag(tmp_path: Path, flag: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        address = f"127.0.0.1:{holder.getsockname()[1]}"
        other = "--http-bind" if flag == "--flight-bind" else "--flight-bind"
        said = one_line("serve", "--data-dir", str(tmp_path / "data"), flag, address, other, "127.0.0.1:0")

    assert address in said and flag in said


def test_second_process_on_one_directory_is_refused(server: Server) -> None:
    said = one_line("serve", "--data-dir", str(server.data_dir), *FREE_PORTS)

    assert "another" in said and "--data-dir" in said
    assert hexserver.http_status(f"{server.http_url}/health/ready") == 200


def test_directory_is_free_again_after_a_kill(make_server: ServerFactory) -> None:
    server = make_server().start()
    server.kill()

    server.start()


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("serve", "--frobnicate"), "--frobnicate"),
        (("frobnicate",), "frobnicate"),
        (("serve", "--flight-bind", "nonsense"), "nonsense"),
        (("serve", "--memory-limit", "lots"), "memory"),
        (("serve", "--memory-limit", "101%"), "memory"),
        (("serve", "--flush-interval", "10"), "flush"),
        (("serve", "--generation-rows", "0"), "generation"),
        (("serve", "--config", "/nonexistent/hexflight.toml"), "/nonexistent/hexflight.toml"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else value,
)
def test_bad_flag_is_named(arguments: tuple[str, ...], named: str, tmp_path: Path) -> None:
    assert named in refusal(*arguments, cwd=tmp_path)


def test_bad_environment_variable_is_named(tmp_path: Path) -> None:
    said = one_line("serve", cwd=tmp_path, env={"HEXFLIGHT_MEMORY_LIMIT": "lots"})

    assert "HEXFLIGHT_MEMORY_LIMIT" in said and "lots" in said


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("flush_intervall = '2s'", "flush_intervall"),
        ("flush_interval = ", "hexflight.toml"),
        ("log = 3.5.1", "toml"),
    ],
)
def test_bad_config_file_is_named(tmp_path: Path, text: str, named: str) -> None:
    file = tmp_path / "hexflight.toml"
    file.write_text(text)

    assert named in one_line("serve", "--config", str(file), cwd=tmp_path)


def test_bind_to_the_network_needs_insecure(tmp_path: Path) -> None:
    said = one_line(
        "serve",
        "--data-dir",
        str(tmp_path / "data"),
        "--flight-bind",
        "0.0.0.0:0",
        "--http-bind",
        "127.0.0.1:0",
    )

    assert "--insecure" in said


def test_config_show_tells_each_value_and_its_origin(tmp_path: Path) -> None:
    file = tmp_path / "hexflight.toml"
    file.write_text("flush_interval = '7s'\ngeneration_rows = 70\nmax_message = '7MiB'\n")
    environment = {"HEXFLIGHT_FLUSH_INTERVAL": "8s", "HEXFLIGHT_GENERATION_ROWS": "80"}

    shown = hexserver.run("config", "show", "--config", str(file), "--flush-interval", "9s", env=environment)

    assert shown.returncode == 0, shown.stderr
    lines = {line.split()[0]: line for line in shown.stdout.splitlines() if line.strip()}
    assert "9s" in lines["flush_interval"] and "flag" in lines["flush_interval"]
    assert "80" in lines["generation_rows"] and "HEXFLIGHT_GENERATION_ROWS" in lines["generation_rows"]
    assert "7MiB" in lines["max_message"] and str(file) in lines["max_message"]
    assert "64" not in lines["max_message"]
    assert "127.0.0.1:8815" in lines["flight_bind"] and "default" in lines["flight_bind"]


def test_max_future_follows_its_flag(make_server: ServerFactory) -> None:
    ahead = int((time.time() + 7_200) * 1_000_000)
    with make_server("--max-future", "3h") as server, connect(server.flight_url) as client:
        assert put(client, from_columns(columns(1, start_micros=ahead)))[0]["rows"] == 1


def wal_files(server: Server) -> list[Path]:
    """Returns the WAL objects of a data directory."""
    return sorted((server.data_dir / "wal").rglob("*.wal"))


def test_sigterm_flushes_and_the_rows_are_there_after_a_restart(make_server: ServerFactory) -> None:
    server = make_server().start()
    with connect(server.flight_url) as client:
        put(client, *[events(1_000, f"device-{index}") for index in range(5)])

    assert server.stop() == 0
    assert list(server.table_dir.rglob("*.parquet"))
    server.start()

    with connect(server.flight_url) as client:
        assert event_count(client) == 5_000
        assert scalar(client, "SELECT count(DISTINCT device_id) FROM events") == 5


def test_sigint_stops_like_sigterm(make_server: ServerFactory) -> None:
    server = make_server().start()

    os.kill(server.pid, signal.SIGINT)

    assert server.stop() == 0


def test_sigterm_ends_an_open_put_with_unavailable(make_server: ServerFactory) -> None:
    server = make_server().start()
    with connect(server.flight_url) as client:
        writer, reader = client.do_put(flight.FlightDescriptor.for_path("events"), events(1).schema)
        writer.write_batch(events(10))
        assert reader.read() is not None

        code = server.stop()

        assert code == 0
        with pytest.raises((flight.FlightError, pa.ArrowException, OSError)):
            writer.close()


def test_rows_outlive_a_kill(make_server: ServerFactory) -> None:
    server = make_server().start()
    with connect(server.flight_url) as client:
        put(client, *[events(1_000) for _ in range(10)])
    server.kill()
    assert wal_files(server)
    server.start()

    with connect(server.flight_url) as client:
        assert event_count(client) == 10_000


def test_many_restarts_neither_lose_nor_double(make_server: ServerFactory) -> None:
    server = make_server("--flush-interval", "100ms")
    for round_ in range(1, 7):
        with connect(server.start().flight_url) as client:
            assert event_count(client) == 100 * (round_ - 1)
            put(client, events(100))
            assert event_count(client) == 100 * round_
        server.stop() if round_ % 2 else server.kill()


@pytest.fixture
def file_limit(make_server: ServerFactory) -> Iterator[Server]:
    """A server whose files may not grow over 256 KiB: every write beyond fails, as on a full disk.

    `restore_signals=False` keeps SIGXFSZ ignored, as Python has it, so that the write fails and does not kill.
    """

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (256 << 10, 256 << 10))

    yield make_server(preexec_fn=limit, restore_signals=False).start()


def test_failed_write_is_an_error_and_never_an_ack(file_limit: Server) -> None:
    with connect(file_limit.flight_url) as client:
        assert put(client, events(100))[0]["rows"] == 100
        with pytest.raises((flight.FlightError, pa.ArrowException, OSError)) as refused:
            put(client, events(50_000))
        said = str(refused.value)

    assert "too large" in said.lower() or "unavailable" in said.lower()
    file_limit.kill()
    with Server(file_limit.data_dir) as unlimited, connect(unlimited.flight_url) as client:
        assert event_count(client) in (100, 50_100)


def test_sigterm_ends_a_server_that_cannot_write(file_limit: Server) -> None:
    with connect(file_limit.flight_url) as client:
        put(client, events(100))
        with pytest.raises((flight.FlightError, pa.ArrowException, OSError)):
            put(client, events(50_000))

    assert file_limit.stop() == 1
