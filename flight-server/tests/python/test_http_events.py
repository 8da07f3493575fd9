"""`POST /api/v1/events`: shapes, formats, limits, refusals, and what is kept when things end badly."""

from __future__ import annotations

import datetime
import gzip
import json
import socket
import threading
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests
import zstandard
from cloudevents.core.bindings import http as cloud_http
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent

import hexserver
from conftest import ServerFactory
from flight_client import START_SECONDS, connect, rows
from hexserver import Server, wait_until

JSON = "application/json"
NDJSON = "application/x-ndjson"
ROWS_MAX = 100_000
BODY_MAX = 8 << 20

Event = dict[str, Any]


@pytest.fixture
def device() -> str:
    """A device id that no other test uses: the tests of this file share a server."""
    return f"device-{uuid.uuid4()}"


def event(device: str, **members: Any) -> Event:
    """Returns a good event, with members added or replaced."""
    return {"timestamp": START_SECONDS, "device_id": device, "type": "temperature", "value": 21.5} | members


def post(server: Server, body: Any, content_type: str | None = JSON, **options: Any) -> requests.Response:
    """Sends a body; what is not bytes or text is sent as JSON. `on_error` is the parameter of that name."""
    headers = {"Content-Type": content_type} if content_type else {}
    headers |= options.pop("headers", {})
    on_error = options.pop("on_error", None)
    data = body if isinstance(body, (bytes, str, Iterator)) else json.dumps(body)
    data = data.encode() if isinstance(data, str) else data
    return requests.post(
        f"{server.http_url}/api/v1/events",
        data=data,
        headers=headers,
        params={} if on_error is None else {"on_error": on_error},
        timeout=60,
        **options,
    )


def lines(*events: Any) -> str:
    """Returns NDJSON; text is a line as it stands."""
    return "".join((one if isinstance(one, str) else json.dumps(one)) + "\n" for one in events)


def accepted(answer: requests.Response) -> int:
    """Returns how many events were written; fails unless all were."""
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert body["rejected"] == 0 and uuid.UUID(body["stream"]) and body["sequence"] >= 1
    return body["accepted"]


def problem(answer: requests.Response, status: int, code: str) -> dict[str, Any]:
    """Returns a problem after checking what every problem has."""
    assert answer.status_code == status, f"{answer.status_code}: {answer.text[:500]}"
    assert answer.headers["Content-Type"] == "application/problem+json"
    body = answer.json()
    assert body["status"] == status and body["code"] == code and body["detail"] and body["request_id"]
    return body


def stored(server: Server, device: str, columns: str = "*") -> list[dict[str, Any]]:
    """Returns the rows of a device, in the order of their time and value."""
    sql = f"SELECT {columns} FROM events WHERE device_id = '{device}' ORDER BY timestamp, value"
    with connect(server.flight_url) as client:
        return rows(client, sql)


# --- Formats and shapes


def test_object_array_and_lines_are_taken(server: Server, device: str) -> None:
    assert accepted(post(server, event(device, value=1))) == 1
    assert accepted(post(server, [event(device, value=2), event(device, value=3)])) == 2
    for content_type in (NDJSON, "application/ndjson", "application/jsonl", "Application/JSONL; charset=UTF-8"):
        assert accepted(post(server, lines(event(device, value=4), event(device, value=5)), content_type)) == 2

    assert [row["value"] for row in stored(server, device)] == [1, 2, 3] + [4] * 4 + [5] * 4


@pytest.mark.parametrize("count", [1, 2])
def test_format_is_found_out_without_a_content_type(server: Server, device: str, count: int) -> None:
    one = event(device)
    assert accepted(post(server, [one] * count, content_type=None)) == count
    assert accepted(post(server, lines(*[one] * count), content_type=None)) == count
    assert accepted(post(server, json.dumps(one, indent=2), content_type=None)) == 1


def test_both_shapes_and_all_spellings_are_the_same_row(server: Server, device: str) -> None:
    place = {"latitude": 52.52, "longitude": 13.405}
    metadata = {"firmware": "1.4.2", "floor": 3}
    common = {"device_id": device, "metadata": metadata}
    typed = {"type": "humidity", "value": 0.25}
    shapes = [
        common | typed | {"timestamp": START_SECONDS, "location": place},
        common | {"timestamp": START_SECONDS, "metric_name": "humidity", "metric_value": 0.25, "location": place},
        common | typed | {"ts": "2025-06-01T12:00:00Z", "lat": 52.52, "lon": 13.405},
        common | typed | {"time": "2025-06-01T14:00:00+02:00", "latitude": 52.52, "lng": 13.405},
        common | typed | {"time": float(START_SECONDS), "location": {"lat": 52.52, "lng": 13.405}},
    ]

    assert accepted(post(server, shapes)) == len(shapes)

    found = stored(server, device)
    assert len(found) == len(shapes)
    assert all(row == found[0] for row in found)
    assert found[0]["h3"] is not None and json.loads(found[0]["metadata"]) == metadata


def test_location_and_metadata_may_be_null_or_absent(server: Server, device: str) -> None:
    events = [
        event(device),
        event(device, location=None, metadata=None),
        event(device, location={"latitude": None, "longitude": None}),
        event(device, lat=None, lon=None),
    ]

    assert accepted(post(server, events)) == 4

    assert all(
        row[name] is None for row in stored(server, device) for name in ("latitude", "longitude", "h3", "metadata")
    )


@pytest.mark.parametrize(
    ("timestamp", "micros"),
    [
        ("1748779200.000001", 1),
        ("1748779200.1234567", 123_456),
        ("1.748779200999999e9", 999_999),
        ('"2025-06-01T12:00:00.000001Z"', 1),
    ],
)
def test_timestamps_are_exact_to_the_microsecond(server: Server, device: str, timestamp: str, micros: int) -> None:
    body = json.dumps(event(device)).replace(f'"timestamp": {START_SECONDS}', f'"timestamp": {timestamp}')

    assert accepted(post(server, body)) == 1

    found = stored(server, device, "CAST(timestamp AS BIGINT) AS micros")
    assert found == [{"micros": START_SECONDS * 1_000_000 + micros}]


def test_metadata_is_kept_as_it_was_sent(server: Server, device: str) -> None:
    sent = '{ "big":12345678901234567890,\t"exact": 1.10, "nested":{"a":[1,null,{"b":"\\u00e4\\n"}]} }'

    assert accepted(post(server, f'{json.dumps(event(device))[:-1]}, "metadata": {sent}}}')) == 1

    assert stored(server, device, "metadata") == [{"metadata": sent}]


def test_text_of_every_script_and_escape_arrives(server: Server, device: str) -> None:
    name = "Wärme \U0001f321 \"quoted\" \\ /\t\x7f温度"
    assert accepted(post(server, [event(device, type=name)])) == 1
    assert accepted(post(server, json.dumps(event(device, type=name), ensure_ascii=False))) == 1

    assert [row["type"] for row in stored(server, device)] == [name, name]


@pytest.mark.parametrize("content_type", ["text/csv", "application/x-www-form-urlencoded", "application/json; charset=latin-1"])
def test_other_content_types_are_refused(server: Server, device: str, content_type: str) -> None:
    found = problem(post(server, event(device), content_type), 415, "unsupported_media_type")

    assert JSON in found["accepted"] and NDJSON in found["accepted"] and NDJSON in found["detail"]
    assert stored(server, device) == []


# --- Compression and limits


@pytest.mark.parametrize(
    ("encoding", "compress"),
    [("gzip", gzip.compress), ("zstd", zstandard.compress), ("identity", bytes), ("GZIP", gzip.compress)],
)
def test_compressed_bodies_are_taken(server: Server, device: str, encoding: str, compress: Any) -> None:
    body = lines(*[event(device)] * 2_000).encode()

    assert accepted(post(server, compress(body), NDJSON, headers={"Content-Encoding": encoding})) == 2_000
    assert len(stored(server, device)) == 2_000


def test_gzip_of_several_members_is_one_body(server: Server, device: str) -> None:
    body = b"".join(gzip.compress(lines(event(device)).encode()) for _ in range(3))

    assert accepted(post(server, body, NDJSON, headers={"Content-Encoding": "gzip"})) == 3


@pytest.mark.parametrize("encoding", ["br", "deflate", "gzip, zstd", "gzip, gzip", "gzip,identity"])
def test_other_encodings_are_refused(server: Server, device: str, encoding: str) -> None:
    answer = post(server, gzip.compress(b"[]"), headers={"Content-Encoding": encoding})

    assert problem(answer, 415, "unsupported_encoding")["accepted"] == ["identity", "gzip", "zstd"]


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
@pytest.mark.parametrize("damage", ["truncated", "flipped", "plain"])
def test_damaged_compression_is_refused_with_a_reason(
    server: Server, device: str, encoding: str, damage: str
) -> None:
    compress = gzip.compress if encoding == "gzip" else zstandard.ZstdCompressor(write_checksum=True).compress
    body = bytearray(compress(lines(*[event(device)] * 100).encode()))
    if damage == "truncated":
        body = body[:-5]
    elif damage == "flipped":
        body[-6] ^= 0xFF
    else:
        body = bytearray(b"{}")

    answer = post(server, bytes(body), NDJSON, headers={"Content-Encoding": encoding}, on_error="skip")

    assert encoding in problem(answer, 400, "corrupt_encoding")["detail"]
    assert stored(server, device) == []


def test_body_over_the_limit_is_refused(server: Server, device: str) -> None:
    body = lines(*[event(device)] * 100).encode()
    body += b" " * ((10 << 20) - len(body))

    found = problem(post(server, body, NDJSON), 413, "body_too_large")
    assert found["limit_bytes"] == BODY_MAX
    chunked = post(server, iter([body[:5_000_000], body[5_000_000:]]), NDJSON)
    assert problem(chunked, 413, "body_too_large")["limit_bytes"] == BODY_MAX
    assert stored(server, device) == []


def test_client_that_asks_first_is_refused_before_it_sends(server: Server) -> None:
    head = f"POST /api/v1/events HTTP/1.1\r\nHost: x\r\nContent-Length: {1 << 30}\r\nExpect: 100-continue\r\n\r\n"
    with raw_connection(server) as connection:
        connection.sendall(head.encode())
        assert connection.recv(4_096).startswith(b"HTTP/1.1 413 ")


def test_body_at_the_limit_is_taken(server: Server, device: str) -> None:
    body = lines(*[event(device)] * 10)

    assert accepted(post(server, body + " " * (BODY_MAX - len(body)), NDJSON)) == 10


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
def test_decompression_bomb_is_refused_in_little_memory(make_server: ServerFactory, encoding: str) -> None:
    server = make_server("--max-message", "1MiB").start()
    plain = b" " * (256 << 20)
    bomb = gzip.compress(plain, 1) if encoding == "gzip" else zstandard.compress(plain)
    assert len(bomb) < BODY_MAX
    before = peak_memory(server)

    found = problem(post(server, bomb, headers={"Content-Encoding": encoding}), 413, "body_too_large")

    assert found["limit_bytes"] == 1 << 20
    assert peak_memory(server) - before < 64 << 20


def peak_memory(server: Server) -> int:
    """Returns the most memory that the server ever had, in bytes."""
    with open(f"/proc/{server.pid}/status") as status:
        return next(int(line.split()[1]) * 1_024 for line in status if line.startswith("VmHWM:"))


def test_rows_of_a_request_are_bounded(server: Server, device: str) -> None:
    def body(count: int) -> bytes:
        return gzip.compress(lines(*[event(device)] * count).encode(), 1)

    headers = {"Content-Encoding": "gzip"}
    found = problem(post(server, body(ROWS_MAX + 1), NDJSON, headers=headers), 413, "too_many_events")
    assert found["limit_events"] == ROWS_MAX
    assert stored(server, device) == []
    assert accepted(post(server, body(ROWS_MAX), NDJSON, headers=headers)) == ROWS_MAX
    assert len(stored(server, device, "value")) == ROWS_MAX


def test_bodies_that_fill_their_share_of_memory_are_told_to_come_back(make_server: ServerFactory) -> None:
    server = make_server("--memory-limit", "64MiB").start()
    size = 5 << 20
    # 16 KiB of a body are free.
    held = size - (16 << 10)
    with raw_connection(server) as slow:
        slow.sendall(f"POST /api/v1/events HTTP/1.1\r\nHost: x\r\nContent-Length: {size + 1}\r\n\r\n".encode())
        slow.sendall(b" " * size)
        wait_until(lambda: memory_used(server) >= held, 20, "the slow body is held")
        refused = post(server, b" " * size)
        assert problem(refused, 429, "memory_exhausted")
        assert int(refused.headers["Retry-After"]) >= 1
    wait_until(lambda: memory_used(server) < held, 20, "the slow body is let go")
    assert problem(post(server, b" " * size), 400, "empty_body")


def memory_used(server: Server) -> float:
    """Returns what the memory budget says is used."""
    text = hexserver.http_get(f"{server.http_url}/metrics")[1]
    return next(
        float(line.split()[1]) for line in text.splitlines() if line.startswith("hexflight_memory_used_bytes ")
    )


# --- Refusals


@pytest.mark.parametrize("body", ["", " \r\n\t", "\ufeff"])
@pytest.mark.parametrize("content_type", [JSON, NDJSON, None])
def test_empty_body_is_refused(server: Server, body: str, content_type: str | None) -> None:
    problem(post(server, body, content_type), 400, "empty_body")


@pytest.mark.parametrize("on_error", ["abort", "skip"])
def test_an_empty_array_is_no_events(server: Server, on_error: str) -> None:
    answer = post(server, "[ ]", on_error=on_error)

    assert (answer.status_code, answer.json()["accepted"], answer.json()["stream"]) == (200, 0, None)


@pytest.mark.parametrize(("name", "value"), [("on_error", "foo"), ("on_error", ""), ("on_eror", "skip")])
def test_wrong_parameter_is_refused(server: Server, device: str, name: str, value: str) -> None:
    answer = requests.post(
        f"{server.http_url}/api/v1/events", params={name: value}, json=event(device), timeout=60
    )

    assert name in problem(answer, 400, "invalid_parameter")["detail"]
    assert stored(server, device) == []


def mixed(device: str) -> list[Event]:
    """Returns six events of which 1, 3 and 5 are bad: by the table's rules, by structure, by both."""
    return [
        event(device, value=0),
        event(device, value=1, location={"latitude": 91, "longitude": 0}),
        event(device, value=2),
        event("", value="NaN"),
        event(device, value=4),
        event(device, value=5, timestamp=-1),
    ]


MIXED_FAULTS = [
    (1, "/1/location/latitude", "91", "[-90, 90]"),
    (3, "/3/value", '"NaN"', "number"),
    (5, "/5/timestamp", "1969-12-31T23:59:59Z", "1970"),
]


def check_faults(errors: list[dict[str, Any]], expected: list[tuple[int, str, str, str]]) -> None:
    """Compares index, pointer and value, and looks for a word of the rule."""
    assert [(one["index"], one["pointer"], one["value"]) for one in errors] == [one[:3] for one in expected]
    assert all(rule in one["rule"] for one, (*_, rule) in zip(errors, expected, strict=True))


@pytest.mark.parametrize("on_error", [None, "abort"])
def test_abort_lists_every_bad_event_and_writes_nothing(
    server: Server, device: str, on_error: str | None
) -> None:
    found = problem(post(server, mixed(device), on_error=on_error), 422, "invalid_events")

    check_faults(found["errors"], MIXED_FAULTS)
    assert found["errors_total"] == 3 and found["rejected"] == 3
    assert "3 of 6" in found["detail"] and "/1/location/latitude" in found["detail"]
    assert stored(server, device) == []


def test_skip_writes_the_good_events_and_lists_the_others(server: Server, device: str) -> None:
    answer = post(server, mixed(device), on_error="skip")

    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert (body["accepted"], body["rejected"], body["errors_total"]) == (3, 3, 3)
    assert uuid.UUID(body["stream"]) and body["sequence"] >= 1
    check_faults(body["errors"], MIXED_FAULTS)
    assert [row["value"] for row in stored(server, device)] == [0, 2, 4]


def test_lines_are_named_by_line_and_by_index(server: Server, device: str) -> None:
    good = event(device)
    body = lines(good, "", event(device, lat=91, lon=0), '{"timestamp": ', good, event(device, value=None))

    found = post(server, body, NDJSON, on_error="skip").json()

    assert [(one["index"], one["line"], one["pointer"]) for one in found["errors"]] == [
        (1, 3, "/lat"),
        (2, 4, ""),
        (4, 6, "/value"),
    ]
    assert found["accepted"] == 2 and len(stored(server, device)) == 2
    refused = problem(post(server, body, NDJSON), 400, "malformed_json")
    assert refused["line"] == 4 and refused["errors_total"] == 3
    assert len(stored(server, device)) == 2


def test_skip_with_only_bad_events_accepts_none(server: Server, device: str) -> None:
    for bad in (event(device, value="x"), event(device, lat=91, lon=1)):
        answer = post(server, [bad, bad], on_error="skip")
        assert answer.status_code == 200, answer.text
        body = answer.json()
        assert (body["accepted"], body["rejected"], body["stream"], body["sequence"]) == (0, 2, None, None)
    assert stored(server, device) == []


@pytest.mark.parametrize("on_error", ["abort", "skip"])
def test_the_first_hundred_faults_are_listed_and_all_are_counted(
    server: Server, device: str, on_error: str
) -> None:
    bad = [event(device, value="x") if index % 2 else event(device, lat=91, lon=0) for index in range(5_000)]

    body = post(server, [event(device), *bad], on_error=on_error).json()

    assert (body["rejected"], body["errors_total"]) == (5_000, 5_000)
    assert [one["index"] for one in body["errors"]] == list(range(1, 101))


@pytest.mark.parametrize(
    ("text", "byte", "line", "column"),
    [
        ('[{"timestamp": 1,}]', 17, 1, 18),
        ('{"timestamp": 1,\n "device_id" "x"}', 30, 2, 14),
        ('{"value": NaN}', 10, 1, 11),
        ('{"value": 01}', 11, 1, 12),
        ('{"value": 1', 11, 1, 12),
        ("[1] x", 4, 1, 5),
        ("{'a': 1}", 1, 1, 2),
        ('{"a": "\\x"}', 7, 1, 8),
        ("nonsense", 0, 1, 1),
    ],
)
@pytest.mark.parametrize("on_error", ["abort", "skip"])
def test_malformed_json_is_placed(
    server: Server, on_error: str, text: str, byte: int, line: int, column: int
) -> None:
    found = problem(post(server, text, on_error=on_error), 400, "malformed_json")

    assert (found["offset"], found["line"], found["column"]) == (byte, line, column), found["detail"]
    assert f"byte {byte}" in found["detail"]


def test_events_in_lines_that_are_called_json_get_a_hint(server: Server, device: str) -> None:
    found = problem(post(server, lines(event(device), event(device))), 400, "malformed_json")

    assert NDJSON in found["hint"]


def test_invalid_utf8_is_placed(server: Server, device: str) -> None:
    body = json.dumps(event(device)).encode().replace(b"temperature", b"temp\xff")

    assert problem(post(server, body), 400, "malformed_json")["offset"] == body.index(b"\xff")


@pytest.mark.parametrize("body", ["7", '"event"', "null", "[[]]", "[null]", "[7]", "true"])
def test_what_is_no_object_is_no_event(server: Server, body: str) -> None:
    found = problem(post(server, body), 422, "invalid_events")

    assert "object" in found["errors"][0]["rule"]


@pytest.mark.parametrize(
    ("member", "value", "pointer", "rule"),
    [
        ("devcie_id", "x", "/devcie_id", "did you mean `device_id`"),
        ("colour", "red", "/colour", "no field"),
        ("h3", 1, "/h3", "derived"),
        ("latitude", 91, "/latitude", "[-90, 90]"),
        ("longitude", -180.5, "/longitude", "[-180, 180]"),
        ("value", "NaN", "/value", "number"),
        ("value", True, "/value", "number"),
        ("value", None, "/value", "not allowed"),
        ("device_id", "", "/device_id", "1 to 256"),
        ("device_id", "x" * 257, "/device_id", "1 to 256"),
        ("device_id", 7, "/device_id", "text"),
        ("type", ["t"], "/type", "text"),
        ("timestamp", START_SECONDS * 1_000, "/timestamp", "milliseconds"),
        ("timestamp", "2025-06-01T12:00:00", "/timestamp", "zone"),
        ("timestamp", "noon", "/timestamp", "RFC 3339"),
        ("timestamp", -0.5, "/timestamp", "1970"),
        ("timestamp", "2099-01-01T00:00:00Z", "/timestamp", "ahead"),
        ("location", [52.5, 13.4], "/location", "object"),
        ("location", {"latitude": 1}, "/location/longitude", "both or neither"),
        ("location", {"latitude": 1, "longtude": 2}, "/location/longtude", "did you mean `longitude`"),
        ("metadata", "{}", "/metadata", "object"),
        ("metadata", [1], "/metadata", "object"),
        ("metadata", {"blob": "x" * 65_536}, "/metadata", "65536"),
        ("metric_value", 1, "/metric_value", "again"),
        ("ts", START_SECONDS, "/ts", "again"),
    ],
)
def test_a_bad_member_is_named(
    server: Server, device: str, member: str, value: Any, pointer: str, rule: str
) -> None:
    good = event(device, latitude=1, longitude=2) if member in ("latitude", "longitude") else event(device)

    found = problem(post(server, good | {member: value}), 422, "invalid_events")

    assert found["errors"][0]["pointer"] == pointer, found
    assert rule in found["errors"][0]["rule"], found
    assert len(found["errors"][0]["value"]) < 200
    assert stored(server, device) == []


@pytest.mark.parametrize("name", ["timestamp", "device_id", "type", "value"])
def test_a_missing_member_is_named(server: Server, device: str, name: str) -> None:
    bad = event(device)
    del bad[name]

    found = problem(post(server, [event(device), bad]), 422, "invalid_events")

    assert [(one["pointer"], one["value"]) for one in found["errors"]] == [(f"/1/{name}", None)]
    assert "missing" in found["errors"][0]["rule"]


@pytest.mark.parametrize(
    ("member", "pointer", "rule"),
    [
        ('"value": 1e999', "/value", "range"),
        (f'"value": {"9" * 400}', "/value", "range"),
        ('"timestamp": 1.7e15', "/timestamp", "microseconds"),
        ('"timestamp": 1.7e18', "/timestamp", "nanoseconds"),
        ('"timestamp": 1e400', "/timestamp", "5138"),
        (f'"timestamp": {"9" * 100_000}', "/timestamp", "5138"),
        ('"type": "\\ud800"', "/type", "surrogate"),
        ('"metadata": {"a": "\\udfff"}', "/metadata", "JSON object"),
        ('"metadata": {"a": 1e999}', "/metadata", "JSON object"),
        (f'"metadata": {{"a": {"[" * 5_000}{"]" * 5_000}}}', "/metadata", "JSON object"),
    ],
)
def test_values_beyond_every_type_are_bad_events(
    server: Server, device: str, member: str, pointer: str, rule: str
) -> None:
    name = member.split('"')[1]
    bad = json.dumps({key: value for key, value in event(device).items() if key != name})
    body = f"[{json.dumps(event(device))}, {bad[:-1]}, {member}}}]"

    found = post(server, body, on_error="skip").json()

    assert (found["accepted"], found["rejected"]) == (1, 1), found
    assert found["errors"][0]["pointer"] == f"/1{pointer}"
    assert rule in found["errors"][0]["rule"], found
    assert len(stored(server, device)) == 1


@pytest.mark.parametrize("bracket", ["[", '{"a":', '[{"a":'])
def test_deep_nesting_ends_with_an_error(server: Server, bracket: str) -> None:
    deep = bracket * (4_000_000 // len(bracket))

    problem(post(server, deep), 400, "malformed_json")
    problem(post(server, deep, NDJSON), 400, "malformed_json")
    problem(post(server, f'{{"metadata": {deep}'), 400, "malformed_json")


def test_duplicate_keys_are_bad_events(server: Server, device: str) -> None:
    one = json.dumps(event(device))
    body = f'[{one[:-1]}, "value": 3}}, {one[:-1]}, "location": {{"lat": 1, "lat": 2, "lon": 3}}}}]'

    found = problem(post(server, body), 422, "invalid_events")

    assert [error["pointer"] for error in found["errors"]] == ["/0/value", "/1/location/lat"]
    assert all("twice" in error["rule"] for error in found["errors"])


# --- CloudEvents


def cloud_event(device: str, **data: Any) -> CloudEvent:
    """Returns a CloudEvent around an event of which the envelope says device and type."""
    attributes = {"type": "temperature", "source": "/gateways/7", "subject": device}
    return CloudEvent(attributes=attributes, data={"timestamp": START_SECONDS, "value": 1.0} | data)


@pytest.mark.parametrize("to_message", [cloud_http.to_structured_event, cloud_http.to_binary_event])
@pytest.mark.parametrize("content_type", [None, JSON, "application/vnd.reading+json"])
def test_cloud_events_of_the_sdk_are_taken(
    server: Server, device: str, to_message: Any, content_type: str | None
) -> None:
    for data in ({}, {"device_id": device, "type": "humidity", "location": {"lat": 1, "lon": 2}}):
        sent = cloud_event(device, **data)
        if content_type:
            sent.get_attributes()["datacontenttype"] = content_type
        message = to_message(sent)
        answer = requests.post(
            f"{server.http_url}/api/v1/events", data=message.body, headers=message.headers, timeout=60
        )
        assert accepted(answer) == 1

    assert sorted(row["type"] for row in stored(server, device)) == ["humidity", "temperature"]


def test_cloud_event_time_stands_in_for_a_missing_timestamp(server: Server) -> None:
    device = f"Gerät {uuid.uuid4()} %"
    sent = CloudEvent(
        attributes={"type": "t", "source": "/s", "subject": device, "time": iso_time("2025-06-01T12:00:00.000001+00:00")},
        data={"value": 2},
    )
    for message in (cloud_http.to_structured_event(sent), cloud_http.to_binary_event(sent)):
        answer = requests.post(
            f"{server.http_url}/api/v1/events", data=message.body, headers=message.headers, timeout=60
        )
        assert accepted(answer) == 1

    found = stored(server, device, "CAST(timestamp AS BIGINT) AS micros")
    assert found == [{"micros": START_SECONDS * 1_000_000 + 1}] * 2


def iso_time(text: str) -> datetime.datetime:
    """Returns an instant as the SDK wants it."""
    return datetime.datetime.fromisoformat(text)


def test_batch_of_cloud_events_is_taken_and_its_faults_are_placed(server: Server, device: str) -> None:
    def written(one: CloudEvent) -> dict[str, Any]:
        return json.loads(JSONFormat().write(one))

    bad = written(cloud_event(device)) | {"specversion": "0.3"}
    batch = [written(cloud_event(device)), written(cloud_event(device, lat=91, lon=0)), bad]

    found = post(server, batch, "application/cloudevents-batch+json", on_error="skip").json()

    assert (found["accepted"], found["rejected"]) == (1, 2)
    assert [one["pointer"] for one in found["errors"]] == ["/1/data/lat", "/2/specversion"]


@pytest.mark.parametrize("name", ["specversion", "id", "source", "type"])
def test_cloud_event_without_a_required_attribute_is_refused(server: Server, device: str, name: str) -> None:
    structured = json.loads(JSONFormat().write(cloud_event(device)))
    del structured[name]
    found = problem(post(server, structured, "application/cloudevents+json"), 422, "invalid_events")
    assert found["errors"][0]["pointer"] == f"/{name}"

    message = cloud_http.to_binary_event(cloud_event(device))
    headers = {key: value for key, value in message.headers.items() if key != f"ce-{name}"}
    found = problem(post(server, message.body, JSON, headers=headers), 422, "invalid_events")
    assert found["errors"][0]["header"] == f"ce-{name}"
    assert stored(server, device) == []


def test_cloud_event_that_names_no_device_is_refused(server: Server) -> None:
    structured = json.loads(JSONFormat().write(cloud_event("left out below")))
    del structured["subject"]

    found = problem(post(server, structured, "application/cloudevents+json"), 422, "invalid_events")

    assert found["errors"][0]["pointer"] == "/data/device_id"


def test_cloud_event_with_data_in_base64_is_taken(server: Server, device: str) -> None:
    sent = CloudEvent(attributes={"type": "t", "source": "/s"}, data=json.dumps(event(device)).encode())
    message = cloud_http.to_structured_event(sent)
    assert b"data_base64" in message.body

    assert accepted(post(server, message.body, message.headers["content-type"])) == 1
    assert len(stored(server, device)) == 1


# --- Durability, order, ends


def test_an_acknowledged_event_survives_a_kill(make_server: ServerFactory, device: str) -> None:
    server = make_server()
    for round_number in range(5):
        server.start()
        assert accepted(post(server, event(device, value=round_number))) == 1
        server.kill()

    server.start()

    assert [row["value"] for row in stored(server, device)] == list(range(5))


def test_an_acknowledged_event_is_visible_at_once(server: Server, device: str) -> None:
    with connect(server.flight_url) as client, requests.Session() as session:
        for count in range(1, 31):
            answer = session.post(f"{server.http_url}/api/v1/events", json=event(device), timeout=60)
            assert accepted(answer) == 1
            sql = f"SELECT count(*) AS n FROM events WHERE device_id = '{device}'"
            assert rows(client, sql) == [{"n": count}]


def test_many_clients_at_once_lose_and_double_nothing(server: Server, device: str) -> None:
    def send(client: int) -> list[tuple[str, int]]:
        acks = []
        with requests.Session() as session:
            for number in range(10):
                values = [client * 1_000 + number * 50 + index for index in range(50)]
                body = lines(*(event(device, value=value) for value in values))
                headers = {"Content-Type": NDJSON}
                answer = session.post(f"{server.http_url}/api/v1/events", body, headers=headers, timeout=60)
                assert accepted(answer) == 50
                acks.append((answer.json()["stream"], answer.json()["sequence"]))
        assert acks == sorted(acks)
        return acks

    with ThreadPoolExecutor(8) as clients:
        list(clients.map(send, range(8)))

    expected = [client * 1_000 + number for client in range(8) for number in range(500)]
    assert [row["value"] for row in stored(server, device)] == expected


def test_a_body_that_is_cut_off_leaves_nothing(server: Server, device: str) -> None:
    body = lines(*[event(device)] * 100).encode()
    with raw_connection(server) as connection:
        head = f"POST /api/v1/events HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
        connection.sendall(head.encode() + body[:-10])
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(4_096):
            pass

    assert stored(server, device) == []


def test_a_client_that_leaves_before_the_answer_leaves_all_or_nothing(server: Server, device: str) -> None:
    body = lines(*[event(device)] * 500).encode()
    for _ in range(20):
        with raw_connection(server) as connection:
            head = f"POST /api/v1/events HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
            connection.sendall(head.encode() + body)
    assert accepted(post(server, event(device, value=-1))) == 1

    assert (len(stored(server, device)) - 1) % 500 == 0


def test_what_is_acknowledged_during_a_shutdown_is_kept(make_server: ServerFactory, device: str) -> None:
    server = make_server().start()
    url, acked, answers, begun = f"{server.http_url}/api/v1/events", [], [], threading.Event()

    def send() -> None:
        with requests.Session() as session:
            for value in range(1_000_000):
                try:
                    answer = session.post(url, json=event(device, value=value), timeout=30)
                except requests.ConnectionError:
                    return
                answers.append(answer)
                if answer.status_code == 200:
                    acked.append(value)
                begun.set()

    sender = threading.Thread(target=send)
    sender.start()
    assert begun.wait(30)
    assert server.stop() == 0
    sender.join(60)
    server.start()

    for answer in answers:
        if answer.status_code != 200:
            problem(answer, 503, "unavailable")
            assert int(answer.headers["Retry-After"]) >= 1
    kept = [row["value"] for row in stored(server, device)]
    assert set(acked) <= set(kept) and len(kept) == len(set(kept))


def test_rows_and_bytes_are_counted(server: Server, device: str) -> None:
    before = counted(server)

    accepted(post(server, [event(device)] * 7))

    after = counted(server)
    assert after[0] - before[0] == 7 and after[1] - before[1] == len(json.dumps([event(device)] * 7))


def counted(server: Server) -> tuple[float, float]:
    """Returns the rows and the bytes that were taken in."""
    text = hexserver.http_get(f"{server.http_url}/metrics")[1]

    def value(name: str) -> float:
        return sum(float(line.split()[-1]) for line in text.splitlines() if line.startswith(f"{name} "))

    return value("hexflight_ingest_rows_total"), value("hexflight_ingest_bytes_total")


def raw_connection(server: Server) -> socket.socket:
    """Returns a connection for what no client library would send."""
    host, port = server.http_url.removeprefix("http://").split(":")
    connection = socket.create_connection((host, int(port)), timeout=60)
    return connection


# --- Documentation


def test_openapi_describes_every_format_and_answer(server: Server) -> None:
    document = requests.get(f"{server.http_url}/openapi.json", timeout=60).json()

    operation = document["paths"]["/api/v1/events"]["post"]
    assert operation["tags"] == ["ingest"]
    assert set(operation["requestBody"]["content"]) == {
        JSON,
        NDJSON,
        "application/ndjson",
        "application/jsonl",
        "application/cloudevents+json",
        "application/cloudevents-batch+json",
    }
    assert {"200", "400", "408", "413", "415", "422", "429", "503"} <= set(operation["responses"])
