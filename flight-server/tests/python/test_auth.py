"""Authentication: users of `--auth-file` over Flight, Flight SQL and HTTP, and everybody without it."""

from __future__ import annotations

import base64
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import adbc_driver_flightsql.dbapi as flightsql
import adbc_driver_manager
import pyarrow.flight as flight
import pytest

import hexserver
from adbc_driver_flightsql import DatabaseOptions
from conftest import ServerFactory
from flight_client import connect, event_count, events, put
from hexserver import Server

USER, PASSWORD = "ada", "pass:word with späce"
USERS = f"# who may call\n\n{USER}:{PASSWORD}\nbob:other\n"

WRONG = "unknown user or wrong password"


def write_users(path: Path, text: str = USERS, mode: int = 0o600) -> Path:
    """Writes a file of users."""
    path.write_text(text)
    path.chmod(mode)
    return path


def basic(user: str = USER, password: str = PASSWORD) -> str:
    """Returns the value of an `Authorization` header."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def options(value: str) -> flight.FlightCallOptions:
    """Returns call options with an `authorization` header."""
    return flight.FlightCallOptions(headers=[(b"authorization", value.encode())])


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that asks who calls."""
    folder = tmp_path_factory.mktemp("guarded")
    users = write_users(folder / "users")
    with Server(folder / "data", "--auth-file", str(users), "--log", "debug") as running:
        yield running


@pytest.fixture
def stranger(guarded: Server) -> Iterator[flight.FlightClient]:
    """A client without credentials."""
    with connect(guarded.flight_url) as client:
        yield client


EVERY_CALL = {
    "list_flights": lambda client, *o: list(client.list_flights(b"", *o)),
    "get_flight_info": lambda client, *o: client.get_flight_info(
        flight.FlightDescriptor.for_command(b"SELECT 1"), *o
    ),
    "get_schema": lambda client, *o: client.get_schema(flight.FlightDescriptor.for_path("events"), *o),
    "do_get": lambda client, *o: client.do_get(flight.Ticket(b"SELECT 1"), *o).read_all(),
    "do_action": lambda client, *o: list(client.do_action(flight.Action("GetSessionOptions", b""), *o)),
    "list_actions": lambda client, *o: client.list_actions(*o),
}


@pytest.mark.parametrize("call", EVERY_CALL.values(), ids=EVERY_CALL)
def test_a_call_without_credentials_is_refused(stranger: flight.FlightClient, call: object) -> None:
    # pyarrow turns the refusal of GetSchema into a plain OSError.
    with pytest.raises((flight.FlightUnauthenticatedError, OSError), match="authentication is required"):
        call(stranger)


@pytest.mark.parametrize("call", EVERY_CALL.values(), ids=EVERY_CALL)
def test_a_call_with_credentials_is_taken(stranger: flight.FlightClient, call: object) -> None:
    call(stranger, options(basic()))


def test_a_put_without_credentials_is_refused_and_keeps_nothing(stranger: flight.FlightClient) -> None:
    with pytest.raises(flight.FlightUnauthenticatedError, match="authentication is required"):
        put(stranger, events(3))

    info = stranger.get_flight_info(flight.FlightDescriptor.for_command(b"SELECT count(*) FROM events"), options(basic()))
    assert stranger.do_get(info.endpoints[0].ticket, options(basic())).read_all().column(0)[0].as_py() == 0


def test_a_login_gives_a_token(stranger: flight.FlightClient) -> None:
    name, value = stranger.authenticate_basic_token(USER, PASSWORD)

    assert name == b"authorization" and value.startswith(b"Bearer ")
    with_token = flight.FlightCallOptions(headers=[(name, value)])
    assert stranger.do_get(flight.Ticket(b"SELECT 1"), with_token).read_all().num_rows == 1


class LoginByMessage(flight.ClientAuthHandler):
    """The older login: `BasicAuth` in the first message, the token in every call's `auth-token-bin`."""

    def __init__(self, user: str, password: str) -> None:
        super().__init__()
        self.basic_auth = flight.BasicAuth(user, password)
        self.token = b""

    def authenticate(self, outgoing: object, incoming: object) -> None:
        outgoing.write(self.basic_auth.serialize())
        self.token = incoming.read()

    def get_token(self) -> bytes:
        return self.token


def test_the_older_login_by_message_works(stranger: flight.FlightClient) -> None:
    stranger.authenticate(LoginByMessage(USER, PASSWORD))

    assert stranger.do_get(flight.Ticket(b"SELECT 1")).read_all().num_rows == 1


@pytest.mark.parametrize(
    ("user", "password"), [("nobody", PASSWORD), (USER, "wrong"), (USER, ""), ("", ""), ("ADA", PASSWORD)]
)
def test_wrong_credentials_are_told_alike(stranger: flight.FlightClient, user: str, password: str) -> None:
    with pytest.raises(flight.FlightUnauthenticatedError, match=WRONG):
        stranger.authenticate_basic_token(user, password)
    with pytest.raises(flight.FlightUnauthenticatedError, match=WRONG):
        stranger.list_actions(options(basic(user, password)))


@pytest.mark.parametrize("value", ["Bearer guess", "Bearer None"])
def test_an_unknown_token_is_refused(stranger: flight.FlightClient, value: str) -> None:
    with pytest.raises(flight.FlightUnauthenticatedError, match="unknown or has expired"):
        stranger.list_actions(options(value))


@pytest.mark.parametrize("value", ["Basic !", "Negotiate abc", "Basic"])
def test_a_header_of_another_kind_is_refused(stranger: flight.FlightClient, value: str) -> None:
    with pytest.raises(flight.FlightUnauthenticatedError, match="cannot be read"):
        stranger.list_actions(options(value))


def test_adbc_logs_in(guarded: Server) -> None:
    credentials = {"username": USER, "password": PASSWORD}
    with flightsql.connect(guarded.flight_url, db_kwargs=credentials, autocommit=True) as connection:
        with connection.cursor() as cursor:
            cursor.execute("SELECT ?", parameters=(7,))
            assert cursor.fetchall() == [(7,)]
        assert connection.adbc_get_table_schema("events").names[0] == "timestamp"


def test_adbc_sends_a_header_of_its_own(guarded: Server) -> None:
    header = {DatabaseOptions.AUTHORIZATION_HEADER.value: basic("bob", "other")}
    with flightsql.connect(guarded.flight_url, db_kwargs=header, autocommit=True) as connection:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
            assert cursor.fetchall() == [(1,)]


def test_adbc_is_told_of_a_wrong_password(guarded: Server) -> None:
    credentials = {"username": USER, "password": "wrong"}
    with pytest.raises(adbc_driver_manager.Error, match=f"(?i)unauthenticated|{WRONG}"):
        flightsql.connect(guarded.flight_url, db_kwargs=credentials, autocommit=True)


def http(url: str, authorization: str | None = None) -> tuple[int, dict[str, str], str]:
    """Returns status, headers and body of a GET."""
    request = urllib.request.Request(url)
    if authorization is not None:
        request.add_header("Authorization", authorization)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, dict(answer.headers), answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, dict(error.headers), error.read().decode()


@pytest.mark.parametrize("path", ["/health/live", "/health/ready", "/metrics"])
def test_health_and_metrics_are_open(guarded: Server, path: str) -> None:
    assert http(guarded.http_url + path)[0] == 200


@pytest.mark.parametrize("path", ["/openapi.json", "/api/v1/events", "/nothing", "//metrics"])
def test_http_asks_who_calls(guarded: Server, path: str) -> None:
    status, headers, body = http(guarded.http_url + path)

    assert status == 401
    assert headers["content-type"] == "application/problem+json"
    assert headers["www-authenticate"].startswith("Basic ")
    assert '"code":"unauthenticated"' in body


def test_http_takes_a_password_and_a_token(guarded: Server, stranger: flight.FlightClient) -> None:
    token = stranger.authenticate_basic_token(USER, PASSWORD)[1].decode()

    for authorization in (basic(), token):
        assert http(f"{guarded.http_url}/openapi.json", authorization)[0] == 200
    for authorization in (basic(password="wrong"), "Bearer guess", "nonsense"):
        assert http(f"{guarded.http_url}/openapi.json", authorization)[0] == 401


def test_our_own_commands_take_credentials_from_the_address(guarded: Server) -> None:
    address = guarded.flight_url.removeprefix("grpc://")
    target = f"grpc://{USER}:pass:word%20with%20sp%C3%A4ce@{address}"

    sent = hexserver.run("simulate", "--target", target, "--duration", "200ms", "--devices", "10", "--rate", "100")
    asked = hexserver.run("sql", "--target", target, "SELECT count(*) > 0 AS some FROM events")

    assert sent.returncode == 0, sent.stderr
    assert "true" in asked.stdout, asked.stderr
    assert "pass" not in sent.stderr + sent.stdout + asked.stderr


def test_our_own_commands_take_credentials_from_the_environment(guarded: Server) -> None:
    env = {"HEXFLIGHT_USER": USER, "HEXFLIGHT_PASSWORD": PASSWORD}

    asked = hexserver.run("sql", "--target", guarded.flight_url, "SELECT 42 AS answer", env=env)

    assert "42" in asked.stdout, asked.stderr


def test_our_own_commands_say_why_they_are_refused(guarded: Server) -> None:
    asked = hexserver.run("sql", "--target", guarded.flight_url, "SELECT 1")

    assert asked.returncode == 1
    assert "authentication is required" in asked.stderr and "UNAUTHENTICATED" in asked.stderr


def test_no_password_is_logged(guarded: Server) -> None:
    for text in (PASSWORD, basic()):
        assert text not in guarded.log


def test_a_token_dies_with_the_server(make_server: ServerFactory, tmp_path: Path) -> None:
    server = make_server("--auth-file", str(write_users(tmp_path / "users"))).start()
    with connect(server.flight_url) as client:
        header = client.authenticate_basic_token(USER, PASSWORD)
    server.restart()

    with connect(server.flight_url) as client, pytest.raises(flight.FlightUnauthenticatedError, match="expired"):
        client.list_actions(flight.FlightCallOptions(headers=[header]))


def test_without_a_file_everybody_is_let_in(server: Server) -> None:
    with connect(server.flight_url) as client:
        header = client.authenticate_basic_token("anyone", "anything")
        assert event_count(client) >= 0
        client.list_actions(flight.FlightCallOptions(headers=[header]))
        client.list_actions(options("Bearer None"))


@pytest.mark.parametrize(
    ("text", "mode", "named"),
    [
        (USERS, 0o644, "chmod 600"),
        (USERS, 0o640, "chmod 600"),
        ("ada", 0o600, "line 1"),
        ("ada:hunter2\nada:hunter2", 0o600, "line 2"),
        ("ada:", 0o600, "line 1"),
        ("# nobody\n", 0o600, "no user"),
    ],
)
def test_a_bad_file_stops_the_start(tmp_path: Path, text: str, mode: int, named: str) -> None:
    users = write_users(tmp_path / "users", text, mode)

    failed = hexserver.run("serve", "--data-dir", str(tmp_path / "data"), "--auth-file", str(users))

    assert failed.returncode != 0
    assert str(users) in failed.stderr and named in failed.stderr
    assert "hunter2" not in failed.stderr + failed.stdout


def test_users_allow_an_address_that_others_reach(make_server: ServerFactory, tmp_path: Path) -> None:
    users = write_users(tmp_path / "users")
    open_bind = {"HEXFLIGHT_AUTH_FILE": str(users)}

    shown = hexserver.run("config", "show", "--flight-bind", "0.0.0.0:0", env=open_bind)
    refused = hexserver.run("config", "show", "--flight-bind", "0.0.0.0:0")

    assert shown.returncode == 0, shown.stderr
    assert f"{users}" in shown.stdout and PASSWORD not in shown.stdout
    assert refused.returncode != 0 and "--auth-file" in refused.stderr
