"""The file of users and `hexflight user`: passwords are hashed, changes reach a running server, and who is removed is out."""

from __future__ import annotations

import subprocess
import threading
import time
from pathlib import Path

import pyarrow.flight as flight
import pytest

import hexserver
from conftest import ServerFactory
from flight_client import connect
from hexserver import Server, wait_until
from test_auth import basic, http, options, write_users

# A server looks at its file every second, twice before it reads it.
RELOADED_SECONDS = 10.0


def user(*arguments: str, password: str | None = None) -> subprocess.CompletedProcess[str]:
    """Runs `hexflight user`."""
    return hexserver.run("user", *arguments, input=None if password is None else password + "\n")


def add(path: Path, name: str, password: str, *more: str) -> None:
    """Adds a user, or changes one."""
    done = user("add", name, *more, "--auth-file", str(path), password=password)
    assert done.returncode == 0, done.stderr


@pytest.fixture
def users(tmp_path: Path) -> Path:
    """A file with one user."""
    path = tmp_path / "users"
    add(path, "ada", "correct horse", "--role", "admin")
    return path


def status(server: Server, name: str, password: str) -> int:
    """Returns the status of a request with a password."""
    return http(f"{server.http_url}/openapi.json", basic(name, password))[0]


def test_users_are_added_listed_changed_and_removed(users: Path) -> None:
    add(users, "bob", "other words")
    add(users, "bob", "new words", "--role", "write")
    listed = user("list", "--auth-file", str(users))
    removed = user("remove", "ada", "--auth-file", str(users))
    again = user("remove", "ada", "--auth-file", str(users))

    assert listed.stdout.splitlines() == ["admin ada", "write bob"]
    assert removed.returncode == 0 and again.returncode == 1
    assert "no user 'ada'" in again.stderr
    text = users.read_text()
    assert text.startswith("bob:write:$argon2id$") and "words" not in text
    assert users.stat().st_mode & 0o777 == 0o600


def test_a_bad_name_or_password_changes_nothing(users: Path) -> None:
    before = users.read_text()
    for name, password in [("a:b", "x"), ("", "x"), ("bob", ""), ("bob", " x"), ("#bob", "x")]:
        refused = user("add", name, "--auth-file", str(users), password=password)
        assert refused.returncode == 1 and str(users) in refused.stderr, (name, password)
    assert users.read_text() == before


def test_a_hashed_password_logs_in_and_is_remembered(make_server: ServerFactory, users: Path) -> None:
    server = make_server("--auth-file", str(users)).start()
    with connect(server.flight_url) as client:
        client.authenticate_basic_token("ada", "correct horse")
    assert status(server, "ada", "correct hors") == 401
    assert status(server, "eve", "correct horse") == 401
    assert status(server, "ada", "correct horse") == 200

    began = time.monotonic()
    for _ in range(40):
        assert status(server, "ada", "correct horse") == 200
    # Verified anew, each would take some 50 ms; a request takes a few.
    assert (time.monotonic() - began) / 40 < 0.03


def test_a_password_in_the_clear_works_and_the_log_says_what_to_run(
    make_server: ServerFactory, tmp_path: Path
) -> None:
    path = write_users(tmp_path / "users", "ada:old words\n")
    server = make_server("--auth-file", str(path)).start()

    assert status(server, "ada", "old words") == 200
    assert f"hexflight user add ada --auth-file {path}" in server.log
    add(path, "ada", "old words")
    assert "admin ada" in user("list", "--auth-file", str(path)).stdout


def test_changes_reach_a_running_server(make_server: ServerFactory, users: Path) -> None:
    server = make_server("--auth-file", str(users)).start()
    add(users, "bob", "new")
    wait_until(lambda: "2 users" in server.log, RELOADED_SECONDS, "bob is read")
    assert status(server, "bob", "new") == 200

    good = users.read_text()
    users.write_text("nonsense\n")
    wait_until(lambda: "the users stay" in server.log, RELOADED_SECONDS, "the bad file is noticed")
    assert status(server, "bob", "new") == 200
    users.write_text(good)
    users.chmod(0o644)
    wait_until(lambda: "chmod 600" in server.log, RELOADED_SECONDS, "the open file is noticed")
    assert status(server, "bob", "new") == 200


def test_who_is_removed_is_cut_off_and_others_go_on(make_server: ServerFactory, users: Path) -> None:
    add(users, "bob", "new")
    server = make_server("--auth-file", str(users)).start()
    with connect(server.flight_url) as of_ada, connect(server.flight_url) as of_bob:
        headers = [client.authenticate_basic_token(*login) for client, login in
                   [(of_ada, ("ada", "correct horse")), (of_bob, ("bob", "new"))]]  # fmt: skip
        ada, bob = (flight.FlightCallOptions(headers=[header]) for header in headers)
        endless = "SELECT a.value FROM generate_series(1, 100000000) AS a(value), generate_series(1, 1000) AS b(value)"
        reader = of_bob.do_get(flight.Ticket(endless.encode()), bob)
        reader.read_chunk()
        assert user("remove", "bob", "--auth-file", str(users)).returncode == 0

        ended: list[BaseException] = []
        reading = threading.Thread(target=lambda: read_to_the_end(reader, ended), daemon=True)
        reading.start()
        reading.join(30)
        assert ended, "the result goes on"
        wait_until(lambda: "expired" in refusal(of_bob, bob), 10, "the token's end")
        assert list(of_ada.list_actions(ada))
    assert status(server, "bob", "new") == 401


def refusal(client: flight.FlightClient, call: flight.FlightCallOptions) -> str:
    """Returns why a call is refused; nothing while the client has not noticed yet that its connection was cut."""
    try:
        list(client.list_actions(call))
    except flight.FlightUnavailableError:
        return ""
    except flight.FlightUnauthenticatedError as error:
        return str(error)
    raise AssertionError("the call is answered")


def read_to_the_end(reader: flight.FlightStreamReader, ended: list[BaseException]) -> None:
    """Reads until there is an error, and keeps it."""
    try:
        while True:
            reader.read_chunk()
    except (flight.FlightError, StopIteration, OSError) as error:
        ended.append(error)


def test_many_logins_at_once_are_verified_a_few_at_a_time(make_server: ServerFactory, users: Path) -> None:
    server = make_server("--auth-file", str(users), "--memory-limit", "256MiB").start()
    assert status(server, "ada", "correct horse") == 200
    before = hexserver.peak_mib(server)
    statuses: list[int] = []
    logins = [
        threading.Thread(target=lambda n=number: statuses.append(status(server, f"user{n}", "wrong")))
        for number in range(60)
    ]
    for login in logins:
        login.start()
    for login in logins:
        login.join(60)

    assert set(statuses) == {401} and len(statuses) == 60
    # Two times 19 MiB, and what sixty requests take.
    assert hexserver.peak_mib(server) - before < 64
