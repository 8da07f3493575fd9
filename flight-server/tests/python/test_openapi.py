"""The OpenAPI document: valid, complete, and true under generated requests; the frame around every answer."""

from __future__ import annotations

import http.client
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import openapi_spec_validator
import pyarrow.flight as flight
import pytest
import requests

import hexserver
import schemathesis_hooks
from conftest import ServerFactory
from flight_client import connect, events, put
from hexserver import Server


PROBLEM_MEMBERS = ["type", "title", "status", "code", "detail", "request_id", "hint"]


@pytest.fixture(scope="module")
def document(server: Server) -> dict[str, Any]:
    """The document, with some rows behind it."""
    with connect(server.flight_url) as client:
        put(client, events(100))
    return requests.get(f"{server.http_url}/openapi.json", timeout=30).json()


def test_the_document_is_valid_openapi_3_1(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1.")
    openapi_spec_validator.validate(document)


def test_every_read_endpoint_is_described(document: dict[str, Any]) -> None:
    assert {
        "/api/v1/aggregates",
        "/api/v1/devices/{device_id}/average",
        "/api/v1/top-devices",
        "/api/v1/geo/average",
        "/api/v1/sql",
        "/health/live",
        "/health/ready",
        "/metrics",
    } <= set(document["paths"])


def test_every_operation_says_what_goes_in_and_what_comes_out(document: dict[str, Any]) -> None:
    for path, item in document["paths"].items():
        for method, operation in item.items():
            where = f"{method} {path}"
            assert operation["summary"], where
            for parameter in operation.get("parameters", []):
                assert {"description", "schema"} <= set(parameter), f"{where}: {parameter['name']}"
            for status, response in operation["responses"].items():
                assert response["description"] and response["content"], f"{where}: {status}"
                if path.startswith("/api/") and not status.startswith("2"):
                    schema = response["content"]["application/problem+json"]["schema"]
                    names = {schema["$ref"].rsplit("/")[-1]}
                    assert names <= {"Problem", "EventsProblem"}, f"{where}: {status}"
                    assert set(PROBLEM_MEMBERS) <= set(document["components"]["schemas"][names.pop()]["properties"])


def test_generated_requests_find_no_server_error_and_no_untrue_schema(
    server: Server, document: dict[str, Any], tmp_path: Path
) -> None:
    """Leaves out one check: what is right by each schema can be wrong together, as a start after an end."""
    assert document
    command = [
        str(Path(sys.executable).with_name("schemathesis")), "run", f"{server.http_url}/openapi.json",
        "--checks", "all", "--exclude-checks", "positive_data_acceptance",
        "--max-examples", "30", "--generation-deterministic", "--workers", "1", "--request-timeout", "20", "--no-color",
    ]  # fmt: skip

    hooks = {
        "SCHEMATHESIS_HOOKS": schemathesis_hooks.__name__,
        "PYTHONPATH": str(Path(schemathesis_hooks.__file__).parent),
    }
    ended = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, timeout=300, env=hexserver.clean_environment(hooks)
    )

    assert ended.returncode == 0, ended.stdout[-8_000:] + ended.stderr[-2_000:]
    assert "panicked" not in server.log


def test_an_unknown_path_and_a_wrong_method_are_problems(server: Server) -> None:
    unknown = requests.get(f"{server.http_url}/api/v1/nothing", timeout=30)
    wrong = requests.delete(f"{server.http_url}/api/v1/aggregates", timeout=30)

    for response, status, code in ((unknown, 404, "unknown_path"), (wrong, 405, "wrong_method")):
        assert (response.status_code, response.json()["code"]) == (status, code)
        assert response.headers["content-type"] == "application/problem+json"
    assert "GET" in wrong.headers["allow"]


def test_a_request_id_is_in_header_body_and_log(server: Server) -> None:
    url = f"{server.http_url}/api/v1/aggregates?metric_name=a&window=0"

    given = requests.get(url, headers={"X-Request-Id": "my-own-id-42"}, timeout=30)
    made = requests.get(url, headers={"X-Request-Id": "not an id, has spaces"}, timeout=30)

    assert given.headers["x-request-id"] == given.json()["request_id"] == "my-own-id-42"
    assert made.headers["x-request-id"] == made.json()["request_id"] != "not an id, has spaces"
    for response in (given, made):
        [line] = [line for line in server.log.splitlines() if response.json()["request_id"] in line]
        assert "invalid_parameter" in line and "/api/v1/aggregates" in line
    assert requests.get(f"{server.http_url}/health/live", timeout=30).headers["x-request-id"]


def test_ids_that_could_forge_the_log_are_not_taken_over(server: Server) -> None:
    for bad in ("a" * 129, "tab\there", "", "é"):
        connection = http.client.HTTPConnection(urlsplit(server.http_url).netloc, timeout=30)
        connection.putrequest("GET", "/nothing")
        connection.putheader("X-Request-Id", bad.encode())
        connection.endheaders()
        response = connection.getresponse()
        response.read()
        connection.close()
        assert response.headers["x-request-id"] != bad


def test_a_server_that_stops_says_503_and_when_to_come_back(make_server: ServerFactory) -> None:
    """A client that reads slowly holds the shutdown up long enough to ask."""
    server = make_server().start()
    with connect(server.flight_url) as client:
        put(client, events(20_000))
        endless = b"SELECT a.value, b.device_id FROM events a CROSS JOIN events b"
        ticket = client.get_flight_info(flight.FlightDescriptor.for_command(endless)).endpoints[0].ticket
        slow = client.do_get(ticket)
        slow.read_chunk()
        server.terminate()
        url = f"{server.http_url}/api/v1/aggregates?metric_name=a&window=60s"

        hexserver.wait_until(lambda: hexserver.http_status(url) == 503, 8, "the server refuses")
        response = requests.get(url, timeout=5)
        slow.cancel()

    assert (response.status_code, response.json()["code"]) == (503, "unavailable")
    assert int(response.headers["retry-after"]) >= 1
