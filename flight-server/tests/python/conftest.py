"""Fixtures: a server shared by a module, factories for servers of one's own, clients of either."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import adbc_driver_flightsql.dbapi as flightsql
import pyarrow.flight as flight
import pytest

import flight_client
import hexserver
from hexserver import Server

ServerFactory = Callable[..., Server]


def pytest_sessionstart() -> None:
    """Refuses to start without a binary: a suite that skips everything would pass."""
    if not hexserver.binary().is_file():
        pytest.exit(
            f"{hexserver.binary()} does not exist: run `cargo build`, or set HEXFLIGHT_BIN", returncode=2
        )


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A running server with the default settings, shared by the tests of a module."""
    with Server(tmp_path_factory.mktemp("server") / "data") as running:
        yield running


@pytest.fixture
def make_server(tmp_path: Path) -> Iterator[ServerFactory]:
    """Makes servers that are not started yet; whatever still runs at the end of the test is stopped."""
    made: list[Server] = []

    def make(*flags: str, name: str = "data", **options: object) -> Server:
        made.append(Server(tmp_path / name, *flags, **options))
        return made[-1]

    yield make
    for one in made:
        one.stop()


@pytest.fixture
def client(server: Server) -> Iterator[flight.FlightClient]:
    """A pyarrow Flight client of the shared server."""
    with flight_client.connect(server.flight_url) as connected:
        yield connected


@pytest.fixture
def adbc(server: Server) -> Iterator[flightsql.Connection]:
    """An ADBC Flight SQL connection to the shared server."""
    with flightsql.connect(server.flight_url, autocommit=True) as connected:
        yield connected
