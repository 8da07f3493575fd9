"""Sessions: options over ADBC and by hand, the cookie, and what an option does."""

from __future__ import annotations

import json
from collections.abc import Iterator

import adbc_driver_flightsql.dbapi as flightsql
import adbc_driver_manager
import grpc
import pytest
from adbc_driver_flightsql import DatabaseOptions

from conftest import ServerFactory
from hexserver import Server
from raw_flight import bytes_field
from raw_flight_sql import RawClient, any_of, fields_of, text, whole
from test_auth import basic, write_users

# Would take ages.
ENDLESS = "SELECT count(*) FROM generate_series(1, 100000000000) WHERE value % 2 = 0"

INVALID_NAME, INVALID_VALUE = 1, 2
CLOSED = 1


@pytest.fixture
def session(server: Server) -> Iterator[flightsql.Connection]:
    """An ADBC connection that sends cookies."""
    cookies = {DatabaseOptions.WITH_COOKIE_MIDDLEWARE.value: "true"}
    with flightsql.connect(server.flight_url, db_kwargs=cookies, autocommit=True) as connection:
        yield connection


@pytest.fixture
def raw(server: Server) -> Iterator[RawClient]:
    """A client that builds its messages by hand."""
    with grpc.insecure_channel(server.flight_url.removeprefix("grpc://")) as channel:
        yield RawClient(channel)


def set_options(raw: RawClient, **options: bytes) -> dict[str, int]:
    """Sets options; returns the error of each that was refused."""
    entries = [bytes_field(1, text(1, name) + bytes_field(2, value)) for name, value in options.items()]
    (answer,) = raw.act("SetSessionOptions", b"".join(entries))
    errors = [fields_of(entry) for entry in fields_of(answer).get(1, [])]
    return {error[1][0].decode(): fields_of(error[2][0])[1][0] for error in errors}


def get_options(raw: RawClient) -> dict[str, bytes | int]:
    """Returns the options of the session."""
    (answer,) = raw.act("GetSessionOptions")
    entries = [fields_of(entry) for entry in fields_of(answer).get(1, [])]
    return {entry[1][0].decode(): next(iter(fields_of(entry[2][0]).values()))[0] for entry in entries}


def cookie(raw: RawClient) -> str:
    """Returns the cookie that the last answer set."""
    return raw.answered["set-cookie"]


def test_adbc_reads_and_sets_catalog_and_schema(session: flightsql.Connection) -> None:
    assert (session.adbc_current_catalog, session.adbc_current_db_schema) == ("hexflight", "public")
    session.adbc_current_catalog = "hexflight"
    session.adbc_current_db_schema = "public"
    with pytest.raises(adbc_driver_manager.ProgrammingError, match="catalog.*invalid value"):
        session.adbc_current_catalog = "elsewhere"
    with pytest.raises(adbc_driver_manager.ProgrammingError, match="schema.*invalid value"):
        session.adbc_current_db_schema = "elsewhere"


def test_adbc_without_cookies_reads_catalog_and_schema(adbc: flightsql.Connection) -> None:
    assert (adbc.adbc_current_catalog, adbc.adbc_current_db_schema) == ("hexflight", "public")


def session_options(session: flightsql.Connection) -> dict[str, object]:
    """Returns all session options that ADBC sees."""
    return json.loads(session.adbc_connection.get_option("adbc.flight.sql.session.options"))


def test_a_query_timeout_is_of_its_session_alone(
    session: flightsql.Connection, adbc: flightsql.Connection
) -> None:
    session.adbc_connection.set_options(**{"adbc.flight.sql.session.option.query_timeout_ms": "50"})

    assert session_options(session) == {"catalog": "hexflight", "schema": "public", "query_timeout_ms": 50}
    with session.cursor() as cursor, pytest.raises(adbc_driver_manager.Error, match="limit of 50ms"):
        cursor.execute(ENDLESS)
        cursor.fetchall()
    assert "query_timeout_ms" not in session_options(adbc)


def test_an_option_is_erased(session: flightsql.Connection) -> None:
    session.adbc_connection.set_options(**{"adbc.flight.sql.session.option.query_timeout_ms": "50"})
    session.adbc_connection.set_options(**{"adbc.flight.sql.session.optionerase.query_timeout_ms": ""})

    assert session_options(session) == {"catalog": "hexflight", "schema": "public"}


def test_an_unknown_option_is_refused_by_name(session: flightsql.Connection) -> None:
    with pytest.raises(adbc_driver_manager.ProgrammingError, match="timezone.*invalid name"):
        session.adbc_connection.set_options(**{"adbc.flight.sql.session.option.timezone": "UTC"})


def test_a_cookie_comes_with_the_first_option_and_leads_back(raw: RawClient) -> None:
    assert set_options(raw, query_timeout_ms=text(1, "70")) == {}
    name, id_ = cookie(raw).split("=")
    assert name == "arrow_flight_session_id" and len(id_) == 32

    assert "query_timeout_ms" not in get_options(raw)
    raw.headers = [("cookie", f"other=1; arrow_flight_session_id={id_}; more=2")]
    assert get_options(raw)["query_timeout_ms"] == (70).to_bytes(8, "little")
    assert set_options(raw, schema=text(1, "public")) == {}
    assert "set-cookie" not in raw.answered
    assert get_options(raw)["query_timeout_ms"] == (70).to_bytes(8, "little")


def test_each_refused_option_has_its_reason_and_the_others_are_set(raw: RawClient) -> None:
    refused = set_options(
        raw, query_timeout_ms=text(1, "80"), catalog=text(1, "x"), schema=whole(2, 1), colour=text(1, "red")
    )

    assert refused == {"catalog": INVALID_VALUE, "schema": INVALID_VALUE, "colour": INVALID_NAME}
    raw.headers = [("cookie", cookie(raw))]
    assert get_options(raw)["query_timeout_ms"] == (80).to_bytes(8, "little")


def test_an_id_that_was_not_given_out_is_not_taken_over(raw: RawClient) -> None:
    guess = "arrow_flight_session_id=00000000000000000000000000000000"
    raw.headers = [("cookie", guess)]

    set_options(raw, query_timeout_ms=text(1, "90"))

    assert not cookie(raw).startswith(guess)
    assert "query_timeout_ms" not in get_options(raw)


def test_a_closed_session_is_forgotten(raw: RawClient) -> None:
    set_options(raw, query_timeout_ms=text(1, "70"))
    raw.headers = [("cookie", cookie(raw))]

    (answer,) = raw.act("CloseSession")

    assert fields_of(answer) == {1: [CLOSED]}
    assert "Max-Age=0" in cookie(raw)
    assert "query_timeout_ms" not in get_options(raw)
    assert raw.act("CloseSession") == [answer]


def test_a_malformed_request_is_refused(raw: RawClient) -> None:
    with pytest.raises(grpc.RpcError) as raised:
        raw.act("SetSessionOptions", b"\xff\xff\xff")

    assert raised.value.code() == grpc.StatusCode.INVALID_ARGUMENT


def test_a_session_is_its_users_own(make_server: ServerFactory, tmp_path) -> None:
    server = make_server("--auth-file", str(write_users(tmp_path / "users"))).start()
    ada, bob = (("authorization", basic()), ("authorization", basic("bob", "other")))
    with grpc.insecure_channel(server.flight_url.removeprefix("grpc://")) as channel:
        raw = RawClient(channel, [ada])
        set_options(raw, query_timeout_ms=text(1, "70"))
        of_ada = ("cookie", cookie(raw))

        raw.headers = [bob, of_ada]
        assert "query_timeout_ms" not in get_options(raw)
        raw.act("CloseSession")
        raw.headers = [ada, of_ada]
        assert "query_timeout_ms" in get_options(raw)


def test_transactions_and_savepoints_are_refused_with_words(raw: RawClient) -> None:
    for name in ("BeginTransaction", "BeginSavepoint", "EndTransaction", "EndSavepoint"):
        with pytest.raises(grpc.RpcError) as raised:
            raw.act(name, any_of(f"Action{name}Request"))

        assert raised.value.code() == grpc.StatusCode.UNIMPLEMENTED
        assert "transactions are not supported" in raised.value.details()
