"""The SQL functions on cells and positions, against h3-py and arithmetic of our own, over random and awkward places."""

from __future__ import annotations

import math
import os
import random

import h3
import h3.api.basic_int as h3_int
import pyarrow as pa
import pyarrow.flight as flight
import pytest

import flight_client

PLACES = 20_000
# Positions, and as many cells, of the bulk comparison: 1000000 takes about a minute.
BULK_POINTS = int(os.environ.get("HEXFLIGHT_H3_POINTS", "5000"))
EARTH_M = 6_371_007.180918475


@pytest.fixture(scope="module")
def places(server) -> list[tuple[float, float]]:
    """Random places, evenly spread over the globe, and awkward ones; each is an event on the server."""
    rng = random.Random(7)
    spread = [(math.degrees(math.asin(rng.uniform(-1, 1))), rng.uniform(-180, 180)) for _ in range(PLACES)]
    awkward = [(90.0, 0.0), (-90.0, 12.0), (0.0, 180.0), (0.0, -180.0), (0.0, 0.0), (-0.0, -0.0), (64.7, 10.536)]
    pentagons = [h3.cell_to_latlng(cell) for r in range(4) for cell in h3.get_pentagons(r)]
    found = spread + awkward + pentagons
    batch = flight_client.events(len(found), latitude=pa.array([p[0] for p in found]),
                                 longitude=pa.array([p[1] for p in found]))  # fmt: skip
    with flight_client.connect(server.flight_url) as client:
        flight_client.put(client, batch)
    return found


def ask(client: flight.FlightClient, sql: str) -> pa.Table:
    info = client.get_flight_info(flight.FlightDescriptor.for_command(sql.encode()))
    return client.do_get(info.endpoints[0].ticket).read_all()


def value(client: flight.FlightClient, expression: str) -> object:
    return ask(client, f"SELECT {expression} AS v")["v"][0].as_py()


def cell(text: str) -> int:
    return h3.str_to_int(text)


@pytest.mark.parametrize("resolution", [0, 1, 5, 9, 12, 15])
def test_cells_of_places_are_h3s(client, places, resolution) -> None:
    answer = ask(client, f"SELECT latitude, longitude, h3_latlng_to_cell(latitude, longitude, {resolution}) AS c FROM events")
    assert answer.num_rows == len(places)
    for row in answer.to_pylist():
        assert row["c"] == cell(h3.latlng_to_cell(row["latitude"], row["longitude"], resolution)), row


def test_random_points_and_cells_in_bulk_are_h3s(make_server) -> None:
    """Each position at a resolution of its own, kept in `value`; then all that is asked of the cell that it gives."""
    rng = random.Random(17)
    server = make_server().start()
    with flight_client.connect(server.flight_url) as client:
        for start in range(0, BULK_POINTS, 50_000):
            rows = min(50_000, BULK_POINTS - start)
            latitudes = [math.degrees(math.asin(rng.uniform(-1, 1))) for _ in range(rows)]
            longitudes = [rng.uniform(-180, 180) for _ in range(rows)]
            resolutions = [float(rng.randrange(16)) for _ in range(rows)]
            flight_client.put(client, flight_client.events(
                rows, device=f"part-{start}", latitude=pa.array(latitudes), longitude=pa.array(longitudes),
                value=pa.array(resolutions)))  # fmt: skip
            answer = ask(client, f"""
                SELECT latitude, longitude, h3, r, c, h3_cell_to_parent(c, r / 2) AS parent, h3_cell_to_latlng(c) AS centre,
                       h3_get_resolution(c) AS own, h3_is_valid_cell(c + 1) AS next, h3_cell_to_string(c) AS text,
                       h3_cell_area(c, 'm^2') AS m2, h3_grid_disk(c, 1) AS disk, h3_cell_to_children(c, least(r + 1, 15)) AS below
                FROM (SELECT *, h3_latlng_to_cell(latitude, longitude, r) AS c
                      FROM (SELECT *, CAST(value AS BIGINT) AS r FROM events WHERE device_id = 'part-{start}'))""")
            assert answer.num_rows == rows
            for row in answer.to_pylist():
                check_bulk_row(row)


def check_bulk_row(row: dict) -> None:
    own, resolution = row["c"], row["r"]
    assert own == h3_int.latlng_to_cell(row["latitude"], row["longitude"], resolution), row
    assert row["h3"] == h3_int.latlng_to_cell(row["latitude"], row["longitude"], 9), row
    assert row["parent"] == h3_int.cell_to_parent(own, resolution // 2), row
    latitude, longitude = h3_int.cell_to_latlng(own)
    assert abs(row["centre"][0] - latitude) < 1e-9 and abs(row["centre"][1] - longitude) < 1e-9, row
    assert (row["own"], row["text"], row["next"]) == (resolution, h3_int.int_to_str(own), h3_int.is_valid_cell(own + 1)), row
    # H3 4.4 and h3o sum the same triangles in another order.
    assert math.isclose(row["m2"], h3_int.cell_area(own, "m^2"), rel_tol=1e-6), row
    assert set(row["disk"]) == set(h3_int.grid_disk(own, 1)), row
    assert set(row["below"]) == set(h3_int.cell_to_children(own, min(resolution + 1, 15))), row


def test_parents_centres_and_areas_are_h3s(client, places) -> None:
    answer = ask(client, """
        SELECT h3, h3_cell_to_parent(h3, 5) AS parent, h3_cell_to_latlng(h3) AS centre, h3_cell_to_lat(h3) AS lat,
               h3_cell_to_lng(h3) AS lng, h3_cell_area(h3) AS km2, h3_cell_area(h3, 'm^2') AS m2,
               h3_get_resolution(h3) AS r, h3_is_valid_cell(h3) AS ok, h3_cell_to_string(h3) AS text,
               h3_string_to_cell(h3_cell_to_string(h3)) AS back
        FROM events LIMIT 3000""")
    for row in answer.to_pylist():
        text = h3.int_to_str(row["h3"])
        assert row["parent"] == cell(h3.cell_to_parent(text, 5))
        assert row["centre"] == pytest.approx(h3.cell_to_latlng(text), abs=1e-9)
        assert [row["lat"], row["lng"]] == row["centre"]
        # H3 4.4 and h3o sum the same triangles in another order, which tells where their corners are at a pole or at 180°.
        at_end = abs(row["lat"]) > 88 or abs(row["lng"]) > 179
        assert row["km2"] == pytest.approx(h3.cell_area(text), rel=1e-6 if at_end else 1e-9)
        assert row["m2"] == pytest.approx(row["km2"] * 1e6, rel=1e-9)
        assert (row["r"], row["ok"], row["text"], row["back"]) == (9, True, text, row["h3"])


def test_neighbours_children_and_distances_are_h3s(client) -> None:
    rng = random.Random(3)
    for _ in range(60):
        resolution = rng.randrange(2, 12)
        text = h3.latlng_to_cell(rng.uniform(-85, 85), rng.uniform(-180, 180), resolution)
        near = rng.choice(h3.grid_disk(text, 3))
        number = cell(text)
        assert set(value(client, f"h3_grid_disk({number}, 3)")) == {cell(c) for c in h3.grid_disk(text, 3)}
        assert set(value(client, f"h3_cell_to_children({number}, {resolution + 2})")) == {
            cell(c) for c in h3.cell_to_children(text, resolution + 2)
        }
        assert value(client, f"h3_grid_distance({number}, {cell(near)})") == h3.grid_distance(text, near)


def test_a_boundary_is_a_closed_polygon_in_longitude_latitude_order(client) -> None:
    text = "891f1d48943ffff"
    wkt = value(client, f"h3_cell_to_boundary_wkt({cell(text)})")
    assert wkt.startswith("POLYGON ((") and wkt.endswith("))")
    corners = [tuple(map(float, corner.split())) for corner in wkt[10:-2].split(", ")]
    assert corners[0] == corners[-1]
    for (longitude, latitude), expected in zip(corners, h3.cell_to_boundary(text)):
        assert (latitude, longitude) == pytest.approx(expected, abs=1e-9)


def haversine_m(a: tuple[float, float], b: tuple[float, float]) -> float:
    (lat1, lng1), (lat2, lng2) = (tuple(map(math.radians, place)) for place in (a, b))
    h = math.sin((lat2 - lat1) / 2) ** 2 + math.cos(lat1) * math.cos(lat2) * math.sin((lng2 - lng1) / 2) ** 2
    return 2 * EARTH_M * math.asin(math.sqrt(h))


def test_boxes_and_circles_hold_what_brute_force_finds(client, places) -> None:
    rng = random.Random(5)
    for _ in range(40):
        south, north = sorted(rng.uniform(-90, 90) for _ in range(2))
        west, east = rng.uniform(-180, 180), rng.uniform(-180, 180)
        inside = [
            (lat, lng) for lat, lng in places
            if south <= lat <= north and (west <= lng <= east if west <= east else lng >= west or lng <= east)
        ]  # fmt: skip
        box = f"geo_bbox(latitude, longitude, {south}, {north}, {west}, {east})"
        assert ask(client, f"SELECT count(*) AS v FROM events WHERE {box}")["v"][0].as_py() == len(inside)
        centre, radius = rng.choice(places), rng.choice([0.0, 50_000.0, 2e6, 2.5e7])
        distances = [haversine_m(centre, place) for place in places]
        # Within a micrometre of the border the two ways to compute a distance may differ.
        if all(abs(distance - radius) > 1e-6 or distance == 0 for distance in distances):
            circle = f"geo_within_radius(latitude, longitude, {centre[0]}, {centre[1]}, {radius})"
            found = ask(client, f"SELECT count(*) AS v FROM events WHERE {circle}")["v"][0].as_py()
            assert found == sum(distance <= radius for distance in distances)


def test_a_box_of_constants_prunes_like_comparisons(client, places) -> None:
    plan = ask(client, "EXPLAIN SELECT count(*) FROM events WHERE geo_bbox(latitude, longitude, 1, 2, 3, 4)")
    assert "latitude >= " in str(plan.to_pylist()) and "geo_bbox" not in str(plan.to_pylist())


def test_null_in_gives_null_out(client) -> None:
    for call in ["h3_latlng_to_cell(NULL, 1, 9)", "h3_cell_to_parent(NULL, 3)", "h3_grid_disk(NULL, 1)",
                 "geo_bbox(NULL, 1, 0, 2, 0, 2)", "geo_distance_m(1, 2, 3, NULL)", "h3_string_to_cell(NULL)"]:  # fmt: skip
        assert value(client, call) is None, call


@pytest.mark.parametrize(
    ("call", "words"),
    [
        ("h3_latlng_to_cell(91, 0, 9)", ["latitude 91", "[-90, 90]"]),
        ("h3_latlng_to_cell(0, 181, 9)", ["longitude 181"]),
        ("h3_latlng_to_cell('NaN'::double, 0, 9)", ["latitude NaN"]),
        ("h3_latlng_to_cell(0, 0, 16)", ["resolution 16", "[0, 15]"]),
        ("h3_cell_to_parent(617700169958293503, -1)", ["resolution -1"]),
        ("h3_cell_to_parent(617700169958293503, 12)", ["finer"]),
        ("h3_cell_to_children(617700169958293503, 2)", ["coarser"]),
        ("h3_cell_to_children(h3_latlng_to_cell(0, 0, 0), 15)", ["cells are more than"]),
        ("h3_grid_disk(617700169958293503, -1)", ["k = -1"]),
        ("h3_grid_disk(617700169958293503, 1000000000)", ["cells are more than"]),
        ("h3_get_resolution(42)", ["42 is not an H3 cell"]),
        ("h3_string_to_cell('nonsense')", ["'nonsense' is not an H3 cell"]),
        ("h3_cell_area(617700169958293503, 'acres')", ["acres", "km^2"]),
        ("geo_within_radius(1, 2, 3, 4, -1)", ["radius -1"]),
        ("geo_within_radius(1, 2, 3, 4, 'NaN'::double)", ["radius NaN"]),
        ("geo_bbox(1, 2, 5, 3, 0, 1)", ["min_latitude 5 is greater than max_latitude 3"]),
        ("geo_bbox(1, 2, 'NaN'::double, 3, 0, 1)", ["min_latitude NaN"]),
        ("h3_latlng_to_cell(0, 'Infinity'::double, 9)", ["longitude inf"]),
        ("h3_latlng_to_cell(0, 0, -1)", ["resolution -1", "[0, 15]"]),
        ("h3_cell_to_children(h3_latlng_to_cell(0, 0, 0), 16)", ["resolution 16"]),
        ("h3_grid_disk(617700169958293503, 9223372036854775807)", ["cells are more than"]),
        ("h3_cell_to_lat(-1)", ["-1 is not an H3 cell"]),
        ("h3_cell_to_boundary_wkt(9223372036854775807)", ["is not an H3 cell"]),
        ("geo_within_radius(1, 2, 91, 4, 5)", ["centre_latitude 91"]),
        ("geo_within_radius(1, 2, 3, 'NaN'::double, 5)", ["centre_longitude NaN"]),
        ("geo_within_radius(1, 2, 3, 4, 'Infinity'::double)", ["radius inf"]),
        ("geo_bbox(1, 2, -91, 3, 0, 1)", ["min_latitude -91"]),
        ("geo_bbox(1, 2, 1, 3, 0, 'Infinity'::double)", ["max_longitude inf"]),
        ("geo_distance_m(1, 2, 3, 400)", ["longitude 400"]),
    ],
)
def test_bad_arguments_are_refused_by_name(client, call: str, words: list[str]) -> None:
    with pytest.raises(pa.ArrowException) as refused:
        value(client, call)
    text = str(refused.value)
    assert call.split("(")[0] in text and all(word in text for word in words), text


def test_bad_arguments_are_refused_in_a_filter_too(client, places) -> None:
    for call in ["geo_within_radius(latitude, longitude, 91, 0, 5)", "geo_within_radius(latitude, longitude, 0, 0, -1)",
                 "geo_bbox(latitude, longitude, 5, 3, 0, 1)"]:  # fmt: skip
        with pytest.raises(pa.ArrowException, match=call.split("(")[0]):
            ask(client, f"SELECT count(*) FROM events WHERE {call}")


def test_a_number_that_is_no_cell_is_only_invalid_when_asked(client) -> None:
    assert value(client, "h3_is_valid_cell(42)") is False
    assert value(client, "h3_grid_distance(617700169958293503, h3_latlng_to_cell(0, 0, 5))") is None
