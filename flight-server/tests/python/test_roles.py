"""Who may do what: roles of users, scopes of tokens, one's own statements, guesses that are slowed, foreign web pages, mistyped settings."""

from __future__ import annotations

import http.client
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.flight as flight
import pytest
import requests

import hexserver
from conftest import ServerFactory
from flight_client import connect, events, put
from hexserver import Server
from test_auth import basic
from test_users import add

PASSWORD = "correct horse"
ROLES = ["read", "write", "admin"]


@pytest.fixture(scope="module")
def roles(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with a user of each role, named after it, and a second reader."""
    folder = tmp_path_factory.mktemp("roles")
    for role in ROLES:
        add(folder / "users", role, PASSWORD, "--role", role)
    add(folder / "users", "other", PASSWORD, "--role", "read")
    with Server(folder / "data", "--auth-file", str(folder / "users")) as running:
        yield running


def client_of(server: Server, authorization: str) -> flight.FlightClient:
    """A client that sends a header with every call."""
    factory = Authorization(authorization)
    return flight.FlightClient(
        server.flight_url, middleware=[factory], generic_options=[("grpc.use_local_subchannel_pool", 1)]
    )


class Authorization(flight.ClientMiddlewareFactory):
    """Adds the header `authorization`."""

    def __init__(self, value: str) -> None:
        super().__init__()
        self.value = value

    def start_call(self, _info: flight.CallInfo) -> flight.ClientMiddleware:
        """Returns what adds the header to one call."""
        return _Header(self.value)


class _Header(flight.ClientMiddleware):
    def __init__(self, value: str) -> None:
        super().__init__()
        self.value = value

    def sending_headers(self) -> dict[str, str]:
        return {"authorization": self.value}

    def received_headers(self, _headers: object) -> None:
        pass


def api(server: Server, method: str, path: str, authorization: str, **more: Any) -> requests.Response:
    """Asks the JSON API."""
    headers = {"Authorization": authorization, **more.pop("headers", {})}
    return requests.request(method, f"{server.http_url}/api/v1/{path}", headers=headers, timeout=30, **more)


def create_token(server: Server, user: str, *scopes: str, **more: Any) -> requests.Response:
    """Makes a token."""
    return api(server, "POST", "tokens", basic(user, PASSWORD), json={"name": "test", "scopes": scopes, **more})


def bearer(created: requests.Response) -> str:
    """The header with a token that was made."""
    assert created.status_code == 201, created.text
    return f"Bearer {created.json()['token']}"


EVENT = {"device_id": "a", "type": "t", "timestamp": 1, "value": 1.0}


@pytest.mark.parametrize("role", ROLES)
def test_a_role_may_what_it_says(roles: Server, role: str) -> None:
    header = basic(role, PASSWORD)
    asked = api(roles, "POST", "sql", header, json={"sql": "SELECT 1"})
    sent = api(roles, "POST", "events", header, json=EVENT)
    with client_of(roles, header) as client:
        assert client.do_get(flight.Ticket(b"SELECT 1")).read_all().num_rows == 1
        if role == "read":
            with pytest.raises(flight.FlightUnauthorizedError, match="'read' may not send events"):
                put(client, events(1))
        else:
            assert put(client, events(1))

    assert asked.status_code == 200
    assert sent.status_code == (403 if role == "read" else 200)


def test_a_token_may_less_than_its_user(roles: Server) -> None:
    header = bearer(create_token(roles, "admin", "write"))
    assert api(roles, "POST", "events", header, json=EVENT).status_code == 200
    refused = api(roles, "POST", "sql", header, json={"sql": "SELECT 1"})
    with client_of(roles, header) as client:
        assert put(client, events(1))
        with pytest.raises(flight.FlightUnauthorizedError, match="only write"):
            client.do_get(flight.Ticket(b"SELECT 1")).read_all()

    assert refused.status_code == 403 and refused.json()["code"] == "forbidden"
    assert create_token(roles, "read", "write").status_code == 403
    assert api(roles, "POST", "tokens", header, json={"name": "x", "scopes": ["read"]}).status_code == 403


def test_a_token_ends(roles: Server) -> None:
    short = bearer(create_token(roles, "read", "read", lasts_s=1))
    created = create_token(roles, "read", "read")
    long = bearer(created)
    listed = api(roles, "GET", "tokens", basic("read", PASSWORD)).json()["tokens"]
    assert created.json()["id"] in {token["id"] for token in listed}
    assert all(token["user"] == "read" and "token" not in token for token in listed)

    path = f"tokens/{created.json()['id']}"
    assert api(roles, "DELETE", path, basic("other", PASSWORD)).status_code == 404
    assert api(roles, "GET", "aggregates?metric_name=t&window=60s", long).status_code == 200
    assert api(roles, "DELETE", path, basic("admin", PASSWORD)).status_code == 200
    assert api(roles, "GET", "tokens", long).status_code == 401
    time.sleep(1)
    assert api(roles, "GET", "tokens", short).status_code == 401


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"name": "", "scopes": ["read"]},
        {"name": "x", "scopes": []},
        {"name": "x", "scopes": ["all"]},
        {"name": "x", "scopes": ["read"], "lasts_s": 0},
        {"name": "x", "scopes": ["read"], "lasts_s": 10**9},
        {"name": "x", "scopes": ["read"], "more": 1},
    ],
)
def test_a_bad_request_makes_no_token(roles: Server, body: dict[str, Any]) -> None:
    assert api(roles, "POST", "tokens", basic("read", PASSWORD), json=body).status_code == 400


def test_without_users_there_are_no_tokens(server: Server) -> None:
    answer = requests.post(f"{server.http_url}/api/v1/tokens", json={"name": "x", "scopes": ["read"]}, timeout=30)

    assert answer.status_code == 409 and answer.json()["code"] == "no_users"


def test_statements_are_their_users(roles: Server) -> None:
    sql = "SELECT DISTINCT \"user\" FROM system.queries WHERE sql LIKE '%secret %' ORDER BY 1"
    for user in ("read", "other"):
        api(roles, "POST", "sql", basic(user, PASSWORD), json={"sql": f"SELECT 'secret of {user}, over HTTP'"})
        with client_of(roles, basic(user, PASSWORD)) as client:
            client.do_get(flight.Ticket(f"SELECT 'secret of {user}, over Flight'".encode())).read_all()

    def seen(user: str) -> list[str]:
        rows = api(roles, "POST", "sql", basic(user, PASSWORD), json={"sql": sql, "format": "ndjson"})
        with client_of(roles, basic(user, PASSWORD)) as client:
            over_flight = client.do_get(flight.Ticket(sql.encode())).read_all().column(0).to_pylist()
        found = [line.split('"')[3] for line in rows.text.splitlines()]
        assert [name for name in over_flight if name != user] == [name for name in found if name != user]
        return found

    assert seen("read") == ["read"]
    assert set(seen("admin")) >= {"read", "other"}


def test_guesses_are_slowed_and_logged(roles: Server) -> None:
    guesses = [api(roles, "GET", "tokens", basic("other", f"guess {number}")) for number in range(12)]

    assert [guess.status_code for guess in guesses] == [401] * 10 + [429] * 2
    assert 0 < int(guesses[-1].headers["Retry-After"]) <= 61
    assert api(roles, "GET", "tokens", basic("read", PASSWORD)).status_code == 200
    with client_of(roles, basic("other", "guess")) as client, pytest.raises((flight.FlightError, pa.ArrowInvalid), match="too many failed"):
        list(client.list_actions())
    api(roles, "GET", "tokens", basic("hunter2", "x"))
    assert 'user="other"' in roles.log and "127.0.0.1" in roles.log
    assert "hunter2" not in roles.log


def test_foreign_pages_and_names_are_refused(server: Server, roles: Server) -> None:
    own, (host, port) = server.http_url, server.http_url.split("://")[1].rsplit(":", 1)

    def status(headers: dict[str, str], path: str = "/api/v1/aggregates?metric_name=t&window=60s") -> int:
        connection = http.client.HTTPConnection(host, int(port), timeout=10)
        connection.request("GET", path, headers=headers)
        return connection.getresponse().status

    assert status({}) == 200
    assert status({"Origin": own}) == 200
    assert status({"Origin": "http://evil.example"}) == 403
    assert status({"Origin": "null"}) == 403
    assert status({"Host": "evil.example"}) == 421
    assert status({"Host": f"localhost:{port}"}) == 200
    assert status({"Host": "evil.example"}, "/health/live") == 200
    # With users a name is no secret and no key.
    named = api(roles, "GET", "tokens", basic("read", PASSWORD), headers={"Host": "iot.example"})
    assert named.status_code == 200


def test_a_mistyped_setting_is_refused_and_an_unknown_one_named(
    make_server: ServerFactory, tmp_path: Path
) -> None:
    for mistake in ("HEXFLIGHT_AUTHFILE", "HEXFLIGHT_MEMORY_LIMITS"):
        failed = hexserver.run("serve", "--data-dir", str(tmp_path / "none"), env={mistake: "x"})
        assert failed.returncode == 1 and mistake in failed.stderr, failed.stderr

    server = make_server(env={"HEXFLIGHT_FAVOURITE_COLOUR": "blue"}).start()
    assert "HEXFLIGHT_FAVOURITE_COLOUR" in server.log
