"""The four questions over HTTP: equal to an independent computation and to SQL, on edges too; bad input names what is wrong."""

from __future__ import annotations

import datetime as dt
import http.client
import random
import time
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
import requests

import http_questions as model
from flight_client import START_MICROS, START_SECONDS, connect, put, query
from hexserver import Server
from http_questions import DEVICES, LATITUDES, LONGITUDES, METRICS, Event

SEED = 20_260_301
ROWS = model.random_events(6_000, SEED)
KEYS = ["metric_name", "time_window_start", "time_window_end", "count", "sum", "avg", "min", "max"]
WINDOW = {"start": START_SECONDS, "end": START_SECONDS + 100}


@pytest.fixture(scope="module", autouse=True)
def rows(server: Server) -> list[Event]:
    """Sends the rows once, in several batches."""
    with connect(server.flight_url) as client:
        put(client, *(model.batch_of(ROWS[at : at + 1_000]) for at in range(0, len(ROWS), 1_000)))
    return ROWS


def get(server: Server, path: str, **params: Any) -> requests.Response:
    """Asks a question; the parameter `type` is written `type_`."""
    named = {name.rstrip("_"): value for name, value in params.items()}
    return requests.get(f"{server.http_url}/api/v1{path}", params=named, timeout=30)


def answer(server: Server, path: str, **params: Any) -> dict[str, Any]:
    """Returns the answer to a question that must have one."""
    response = get(server, path, **params)
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "application/json"
    return response.json()


def seconds(micros: int) -> str:
    """Returns µs as the text of Unix seconds, exactly."""
    return f"{micros // 1_000_000}.{micros % 1_000_000:06}"


def windows() -> list[tuple[int, int]]:
    """Returns windows that begin or end exactly on events, a µs beside them, or anywhere."""
    rng = random.Random(SEED + 1)
    edges = [rng.choice(ROWS).micros + rng.choice([-1, 0, 0, 1]) for _ in range(24)]
    pairs = [tuple(sorted(pair)) for pair in zip(edges[::2], edges[1::2], strict=True) if pair[0] != pair[1]]
    instant = rng.choice(ROWS).micros
    return [*pairs, (instant, instant + 1), (START_MICROS, START_MICROS + 100_000_000)]


@pytest.mark.parametrize(("start", "end"), windows())
def test_aggregates_equal_an_independent_computation(server: Server, start: int, end: int) -> None:
    for metric in METRICS:
        found = answer(server, "/aggregates", metric_name=metric, start=seconds(start), end=seconds(end))

        assert list(found) == KEYS
        expected = model.aggregates(model.within(ROWS, metric, start, end))
        assert {key: found[key] for key in expected} == expected
        assert found["metric_name"] == metric
        assert (found["time_window_start"], found["time_window_end"]) == (start / 1e6, end / 1e6)


def test_aggregates_equal_sql(server: Server) -> None:
    with connect(server.flight_url) as client:
        sql = (
            "SELECT count(*) AS count, sum(value) AS sum, avg(value) AS avg, min(value) AS min, max(value) AS max "
            "FROM events WHERE type = 'temperature' AND timestamp >= '2025-06-01T12:00:10Z' "
            "AND timestamp < '2025-06-01T12:00:20.5Z'"
        )
        [expected] = query(client, sql).to_pylist()

    found = answer(server, "/aggregates", metric_name="temperature", start=START_SECONDS + 10, window="10500ms")

    assert {key: found[key] for key in expected} == expected


def test_whole_seconds_are_integers_and_fractions_are_exact(server: Server) -> None:
    whole = get(server, "/aggregates", type_="humidity", start="1748779200.000", end="1748779201.000001").text

    assert '"time_window_start":1748779200,"time_window_end":1748779201.000001,' in whole


def test_an_empty_window_has_no_events_and_no_average(server: Server) -> None:
    found = answer(server, "/aggregates", metric_name="nothing like it", **WINDOW)

    assert {key: found[key] for key in KEYS[3:]} == {"count": 0, "sum": 0, "avg": None, "min": None, "max": None}


@pytest.mark.parametrize(
    "params",
    [
        {"start": START_SECONDS, "end": START_SECONDS + 60},
        {"start": START_SECONDS, "window": "60s"},
        {"end": START_SECONDS + 60, "window": "1m"},
        {"start": "2025-06-01T12:00:00Z", "end": "2025-06-01T14:01:00+02:00"},
        {"start": "2025-06-01T12:00:00.000000Z", "window": "60000ms"},
    ],
)
def test_every_spelling_of_a_window_is_the_same_window(server: Server, params: dict[str, Any]) -> None:
    found = answer(server, "/aggregates", metric_name="temperature", **params)

    assert (found["time_window_start"], found["time_window_end"]) == (START_SECONDS, START_SECONDS + 60)
    expected = model.within(ROWS, "temperature", START_MICROS, START_MICROS + 60_000_000)
    assert found["count"] == len(list(expected))


def test_a_length_alone_ends_now(server: Server) -> None:
    before = time.time()
    found = answer(server, "/aggregates", metric_name="temperature", window="60s")
    after = time.time()

    assert before - 1e-3 <= found["time_window_end"] <= after + 1e-3
    assert found["time_window_end"] - found["time_window_start"] == pytest.approx(60, abs=1e-5)


def test_aggregates_of_one_device(server: Server) -> None:
    for device in DEVICES:
        found = answer(server, "/aggregates", metric_name="humidity", device_id=device, **WINDOW)

        rows = [row for row in ROWS if row.metric == "humidity" and row.device == device]
        expected = model.aggregates(rows)
        assert list(found) == KEYS
        assert {key: found[key] for key in expected} == expected


@pytest.mark.parametrize(("step", "micros"), [("7s", 7_000_000), ("10s", 10_000_000), ("333ms", 333_000), ("100s", 10**8)])
@pytest.mark.parametrize("device", [None, "a"])
def test_a_series_has_every_step_and_cuts_the_last(server: Server, step: str, micros: int, device: str | None) -> None:
    start, end = START_MICROS - 3_500_000, START_MICROS + 96_500_000
    chosen = {} if device is None else {"device_id": device}
    found = answer(server, "/aggregates", metric_name="temperature", start=seconds(start), end=seconds(end),
                   step=step, **chosen)  # fmt: skip

    assert list(found) == ["metric_name", "time_window_start", "time_window_end", "step", "series"]
    assert (found["time_window_start"], found["time_window_end"], found["step"]) == (start / 1e6, end / 1e6, step)
    rows = [row for row in ROWS if device in (None, row.device)]
    edges = [*range(start, end, micros), end]
    assert len(found["series"]) == len(edges) - 1
    for at, until, one in zip(edges, edges[1:], found["series"], strict=False):
        assert list(one) == KEYS
        assert (one["time_window_start"], one["time_window_end"]) == (at / 1e6, until / 1e6)
        expected = model.aggregates(model.within(rows, "temperature", at, until))
        assert {key: one[key] for key in expected} == expected


def test_a_series_of_ten_thousand_steps_is_taken_and_one_more_is_not(server: Server) -> None:
    params = {"metric_name": "temperature", "start": START_SECONDS, "step": "1s"}

    assert len(answer(server, "/aggregates", window="10000s", **params)["series"]) == 10_000
    refused(get(server, "/aggregates", window="10001s", **params), "step", "10000")


@pytest.mark.parametrize("device", [*DEVICES, "nobody"])
def test_device_average(server: Server, device: str) -> None:
    found = answer(server, f"/devices/{quote(device, safe='')}/average", type_="temperature", **WINDOW)

    expected = model.aggregates(row for row in ROWS if row.metric == "temperature" and row.device == device)
    assert found == {
        "device_id": device,
        "type": "temperature",
        "time_window_start": START_SECONDS,
        "time_window_end": START_SECONDS + 100,
        "count": expected["count"],
        "avg": expected["avg"],
    }


@pytest.mark.parametrize("k", [1, 2, 3, len(DEVICES), 10_000, None])
def test_top_devices(server: Server, k: int | None) -> None:
    chosen = {} if k is None else {"k": k}
    for metric in [*METRICS, "nothing like it"]:
        found = answer(server, "/top-devices", type_=metric, **WINDOW, **chosen)

        rows = [row for row in ROWS if row.metric == metric]
        assert found == {
            "type": metric,
            "k": k or 10,
            "time_window_start": START_SECONDS,
            "time_window_end": START_SECONDS + 100,
            "count": len(rows),
            "devices": model.top(rows, k or 10),
        }


def test_ties_of_top_devices_are_in_order_of_ids(server: Server) -> None:
    tied = ["tie-b", "tie-a", "tie-é", "tie-B", "tie-10", "tie-9"]
    events = [Event(START_MICROS + at, device, "tied", 1.0, None, None) for device in tied for at in range(3)]
    with connect(server.flight_url) as client:
        put(client, model.batch_of(events))

    for k in range(1, len(tied) + 1):
        found = answer(server, "/top-devices", type_="tied", k=k, **WINDOW)
        assert [one["device_id"] for one in found["devices"]] == sorted(tied)[:k]
        assert found["count"] == 18


def boxes() -> list[tuple[float, float, float, float]]:
    """Returns boxes: whole globe, borders on events, across the antimeridian, without area, around zero of both signs."""
    rng = random.Random(SEED + 2)
    edges = [
        (*sorted((rng.choice(LATITUDES), rng.choice(LATITUDES))), rng.choice(LONGITUDES), rng.choice(LONGITUDES))
        for _ in range(12)
    ]
    some = next(row for row in ROWS if row.latitude is not None and row.longitude is not None)
    return [
        (-90, 90, -180, 180),
        (-90, 90, 170, -170),
        (-90, 90, 180, -180),
        (-90, 90, 179.5, 180),
        (0.0, 0.0, 0.0, 0.0),
        (-0.0, -0.0, -0.0, -0.0),
        (0.0, 90, -180, 0.0),
        (-90, -0.0, -0.0, 180),
        (some.latitude, some.latitude, some.longitude, some.longitude),
        *edges,
    ]


@pytest.mark.parametrize("box", boxes())
def test_geo_average(server: Server, box: tuple[float, float, float, float]) -> None:
    south, north, west, east = box
    borders = {"min_latitude": south, "max_latitude": north, "min_longitude": west, "max_longitude": east}
    for metric in METRICS:
        found = answer(server, "/geo/average", type_=metric, **borders, **WINDOW)

        expected = model.aggregates(row for row in ROWS if row.metric == metric and model.inside(row, *box))
        assert found == {
            "type": metric,
            **borders,
            "time_window_start": START_SECONDS,
            "time_window_end": START_SECONDS + 100,
            "count": expected["count"],
            "avg": expected["avg"],
        }


def test_answers_stay_the_same_once_the_events_are_in_files(server: Server) -> None:
    """The same questions, asked of memory and, after a restart, of Parquet."""
    before = [answer(server, *question[:1], **question[1]) for question in QUESTIONS]
    server.restart()

    assert list(server.table_dir.rglob("*.parquet")), "the restart flushed nothing"
    assert [answer(server, *question[:1], **question[1]) for question in QUESTIONS] == before


BOX = {"min_latitude": -45.5, "max_latitude": 45.5, "min_longitude": 170, "max_longitude": -170}
QUESTIONS: list[tuple[str, dict[str, Any]]] = [
    ("/aggregates", {"metric_name": "temperature", **WINDOW}),
    ("/aggregates", {"metric_name": "temperature", "step": "9s", **WINDOW}),
    ("/devices/a/average", {"type": "temperature", **WINDOW}),
    ("/top-devices", {"type": "temperature", "k": 3, **WINDOW}),
    ("/geo/average", {"type": "temperature", **BOX, **WINDOW}),
]


def test_values_never_become_part_of_the_statement(server: Server) -> None:
    for name in ("' OR 1=1 --", "$1", "?", 'x"; DROP TABLE events', "%"):
        assert answer(server, "/aggregates", metric_name=name, **WINDOW)["count"] == 0
        assert answer(server, f"/devices/{quote(name, safe='')}/average", type_=name, **WINDOW)["device_id"] == name


def test_a_sum_beyond_a_float_is_an_error_and_not_null(server: Server) -> None:
    events = [Event(START_MICROS, "a", "huge", 1.7e308, None, None)] * 2
    with connect(server.flight_url) as client:
        put(client, model.batch_of(events))

    response = get(server, "/aggregates", metric_name="huge", **WINDOW)

    assert (response.status_code, response.json()["code"]) == (422, "sum_overflow")


def refused(response: requests.Response, parameter: str, said: str = "", code: str = "invalid_parameter") -> None:
    """Checks a 400 that names the parameter, and says `said`."""
    assert response.status_code == 400, response.text
    assert response.headers["content-type"] == "application/problem+json"
    problem = response.json()
    assert problem["code"] == code, problem
    assert problem["parameter"] == parameter
    assert parameter in problem["detail"] and said in problem["detail"] + problem.get("hint", ""), problem
    assert problem["request_id"] == response.headers["x-request-id"]


def test_a_window_may_end_with_the_last_day(server: Server) -> None:
    ends = [253402300799, "9999-12-31T23:59:59Z", 253402214400]
    found = [answer(server, "/aggregates", metric_name="temperature", start=START_SECONDS, end=end) for end in ends]

    assert found[0]["count"] > 0
    assert [one["count"] for one in found] == [found[0]["count"]] * len(ends)


@pytest.mark.parametrize(
    ("changed", "parameter", "said"),
    [
        ({"start": START_SECONDS + 100}, "start", "before"),
        ({"end": 253402300800}, "end", "looks like milliseconds"),
        ({"start": START_SECONDS + 101}, "start", "before"),
        ({"start": START_SECONDS * 1000}, "start", "looks like milliseconds"),
        ({"end": "100000000000.000001"}, "end", "looks like milliseconds"),
        ({"start": "NaN"}, "start", "Unix seconds"),
        ({"start": "inf"}, "start", "Unix seconds"),
        ({"start": ""}, "start", "Unix seconds"),
        ({"start": "yesterday"}, "start", "RFC 3339"),
        ({"start": "2025-06-01"}, "start", "RFC 3339"),
        ({"start": "2025-13-01T00:00:00Z"}, "start", "RFC 3339"),
        ({"window": "60s"}, "window", "two of the three"),
        ({"end": None, "window": "0"}, "window", "duration"),
        ({"end": None, "window": "0s"}, "window", "duration"),
        ({"end": None, "window": "60"}, "window", "did you mean `60s`?"),
        ({"end": None, "window": "-1s"}, "window", "duration"),
        ({"end": None, "window": "NaNs"}, "window", "duration"),
        ({"end": None, "window": "99999999999999999999d"}, "window", ""),
        ({"step": "0s"}, "step", "duration"),
        ({"step": "101s"}, "step", "window"),
        ({"step": "1ms"}, "step", "10000"),
        ({"metric_name": ""}, "metric_name", "256"),
        ({"metric_name": "x" * 257}, "metric_name", "256"),
        ({"device_id": ""}, "device_id", "256"),
        ({"type": "temperature"}, "type", "metric_name"),
    ],
)
def test_bad_parameters_of_aggregates_are_named(
    server: Server, changed: dict[str, Any], parameter: str, said: str
) -> None:
    refused(get(server, "/aggregates", **({"metric_name": "temperature"} | WINDOW | changed)), parameter, said)


@pytest.mark.parametrize("k", ["0", "-1", "10001", "10000000", "1.5", "NaN", "", "ten", "99999999999999999999"])
def test_a_bad_k_is_refused(server: Server, k: str) -> None:
    refused(get(server, "/top-devices", type_="temperature", k=k, **WINDOW), "k", "from 1 to 10000")


@pytest.mark.parametrize(
    ("changed", "parameter", "said"),
    [
        ({"max_latitude": 91}, "max_latitude", "-90 to 90"),
        ({"min_latitude": "-90.00000000000002"}, "min_latitude", "-90 to 90"),
        ({"min_longitude": 181}, "min_longitude", "-180 to 180"),
        ({"min_latitude": "NaN"}, "min_latitude", "degrees"),
        ({"max_longitude": "inf"}, "max_longitude", "degrees"),
        ({"max_longitude": ""}, "max_longitude", "degrees"),
        ({"min_latitude": 46}, "min_latitude", "max_latitude"),
    ],
)
def test_a_bad_box_is_refused(server: Server, changed: dict[str, Any], parameter: str, said: str) -> None:
    refused(get(server, "/geo/average", **({"type": "temperature"} | WINDOW | BOX | changed)), parameter, said)


@pytest.mark.parametrize(
    ("path", "missing"),
    [
        ("/aggregates", "metric_name"),
        ("/aggregates", "start"),
        ("/aggregates", "end"),
        ("/devices/a/average", "type"),
        ("/top-devices", "type"),
        *[("/geo/average", name) for name in ("type", *BOX)],
    ],
)
def test_a_missing_parameter_is_named(server: Server, path: str, missing: str) -> None:
    metric = "metric_name" if path == "/aggregates" else "type"
    params = {metric: "temperature", **WINDOW, **(BOX if path == "/geo/average" else {})}

    refused(get(server, path, **(params | {missing: None})), missing, code="missing_parameter")


@pytest.mark.parametrize(
    ("path", "name", "hint"),
    [
        ("/aggregates", "metricname", "did you mean `metric_name`?"),
        ("/aggregates", "strat", "did you mean `start`?"),
        ("/top-devices", "K", "did you mean `k`?"),
        ("/geo/average", "min_lattitude", "did you mean `min_latitude`?"),
        ("/devices/a/average", "device_id", ""),
        ("/aggregates", "$%&", ""),
    ],
)
def test_an_unknown_parameter_is_named_with_its_nearest(server: Server, path: str, name: str, hint: str) -> None:
    refused(get(server, path, **WINDOW, **{name: "x"}), name, hint, code="unknown_parameter")


def test_a_parameter_given_twice_is_refused(server: Server) -> None:
    url = f"{server.http_url}/api/v1/aggregates?metric_name=a&metric_name=a&window=60s"

    refused(requests.get(url, timeout=30), "metric_name", "twice", code="duplicate_parameter")


@pytest.mark.parametrize("text", ["%", "%zz", "%FF", "%C3"])
def test_bad_percent_encoding_is_refused_in_queries_and_paths(server: Server, text: str) -> None:
    # requests would repair these.
    for target, parameter in [
        (f"/api/v1/aggregates?metric_name={text}&window=60s", "metric_name"),
        (f"/api/v1/devices/{text}/average?type=a&window=60s", "device_id"),
    ]:
        connection = http.client.HTTPConnection(urlsplit(server.http_url).netloc, timeout=30)
        connection.putrequest("GET", target)
        connection.endheaders()
        response = connection.getresponse()
        body = response.read().decode()
        connection.close()
        assert response.status == 400, body
        assert response.headers["content-type"] == "application/problem+json"
        assert parameter in body


def test_a_zone_whose_plus_was_not_encoded_gets_the_hint(server: Server) -> None:
    url = f"{server.http_url}/api/v1/aggregates?metric_name=a&window=60s&start=2025-06-01T12:00:00+02:00"

    refused(requests.get(url, timeout=30), "start", "%2B")


def test_rfc_3339_is_exact_to_the_microsecond(server: Server) -> None:
    row = ROWS[0]
    start = dt.datetime.fromtimestamp(row.micros // 1_000_000, dt.timezone.utc).replace(microsecond=row.micros % 1_000_000)
    found = answer(server, "/aggregates", metric_name=row.metric, start=start.isoformat(), window="1ms")

    expected = model.aggregates(model.within(ROWS, row.metric, row.micros, row.micros + 1_000))
    assert found["count"] == expected["count"] >= 1
