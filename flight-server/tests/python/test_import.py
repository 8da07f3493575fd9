"""`hexflight import`, its DoPut and `POST /api/v1/import`: files written by pyarrow, Polars and DuckDB, loaded once, whole or not at all.

What was loaded is read back with pyarrow from the files that the Delta log names, never through the code under test.
"""

from __future__ import annotations

import gzip
import json
import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import deltalake
import duckdb
import openapi_spec_validator
import polars as pl
import pyarrow as pa
import pyarrow.csv
import pyarrow.flight as flight
import pyarrow.parquet as pq
import pytest
import requests
import zstandard

import hexserver
from conftest import ServerFactory
from flight_client import START_MICROS, START_SECONDS, TIMESTAMP, connect, event_count, events, put, query
from hexserver import Server, wait_until

Result = subprocess.CompletedProcess[str]

PARQUET = {"Content-Type": "application/vnd.apache.parquet"}
ORDER = [("device_id", "ascending"), ("value", "ascending"), ("timestamp", "ascending")]
COLUMNS = ["timestamp", "device_id", "type", "value", "latitude", "longitude", "metadata"]


def table(rows: int, device: str = "device-1", **replaced: pa.Array | None) -> pa.Table:
    """Returns a table of good events with some columns replaced; `None` drops a column."""
    return pa.Table.from_batches([events(rows, device, **replaced)])


def write(path: Path, rows: pa.Table | int, device: str = "device-1", **options: Any) -> Path:
    """Writes a Parquet file of `rows` and returns its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table(rows, device) if isinstance(rows, int) else rows, path, **options)
    return path


def load(folder: Path, *arguments: object, **options: Any) -> Result:
    """Runs `hexflight import` into the data directory of `folder`."""
    options.setdefault("cwd", folder)
    texts = [str(argument) for argument in arguments]
    return hexserver.run("import", "--data-dir", str(folder / "data"), *texts, **options)


def check(folder: Path, *arguments: object) -> Result:
    """Runs a dry run."""
    return load(folder, "--dry-run", *arguments)


def loaded(result: Result) -> Result:
    """Returns the result of a command that must have ended well."""
    assert result.returncode == 0, result.stdout + result.stderr
    return result


def refused(result: Result, *named: str) -> str:
    """Returns the last line of a command that must have failed, which contains all of `named`."""
    assert result.returncode == 1, result.stdout + result.stderr
    line = result.stderr.strip().splitlines()[-1]
    assert line.startswith("hexflight: "), result.stderr
    for text in named:
        assert text in line, line
    return line


def table_dir(folder: Path) -> Path:
    """Returns the Delta table of the data directory of `folder`."""
    return folder / "data" / "tables" / "events"


def stored(folder: Path) -> pa.Table:
    """Returns all rows of the table, read from the files that its log names."""
    if not deltalake.DeltaTable.is_deltatable(str(table_dir(folder))):
        return pa.table({name: [] for name in COLUMNS})
    uris = deltalake.DeltaTable(str(table_dir(folder))).file_uris()
    pieces = [pq.read_table(uri.removeprefix("file://")) for uri in uris]
    return pa.concat_tables(pieces) if pieces else pa.table({name: [] for name in COLUMNS})


def rows_of(rows: pa.Table) -> list[dict[str, Any]]:
    """Returns rows in one order, as plain values with times in UTC."""
    rows = rows.select(COLUMNS)
    texts = {"device_id", "type", "metadata"}
    fields = [pa.field(field.name, pa.string()) if field.name in texts else field for field in rows.schema]
    plain = rows.cast(pa.schema(fields)).sort_by(ORDER).to_pylist()
    return [row | {"timestamp": row["timestamp"].astimezone(timezone.utc)} for row in plain]


def assert_stored(folder: Path, expected: pa.Table) -> None:
    """Asserts that the table holds exactly the expected rows."""
    assert rows_of(stored(folder)) == rows_of(expected)


def assert_nothing_stored(folder: Path) -> None:
    """Asserts that the table holds no row and that no data file lies about."""
    assert stored(folder).num_rows == 0
    assert list(table_dir(folder).rglob("*.parquet")) == []


def one_bad(column: str, values: list[Any], kind: pa.DataType) -> pa.Table:
    """Returns four events with one column replaced."""
    return table(4, **{column: pa.array(values, kind)})


# --- formats ------------------------------------------------------------------------------------------------------------------


def test_parquet_rows_equal_what_pyarrow_wrote(tmp_path: Path) -> None:
    source = table(100_000)
    write(tmp_path / "a.parquet", source, row_group_size=7_000)

    result = loaded(load(tmp_path, tmp_path / "a.parquet"))

    assert "loaded    100,000 rows of 1 file in" in result.stdout
    assert_stored(tmp_path, source)


def test_polars_and_duckdb_files_with_other_spellings(tmp_path: Path) -> None:
    start = datetime(2025, 6, 1, 12, tzinfo=timezone.utc)
    pl.DataFrame({
        "time": [start + timedelta(milliseconds=row) for row in range(1_000)],
        "device_id": pl.Series(["polars"] * 1_000, dtype=pl.Categorical),
        "metric_name": ["humidity"] * 1_000,
        "metric_value": pl.Series(range(1_000), dtype=pl.Float32),
        "lat": [52.5] * 1_000,
        "lng": [13.25] * 1_000,
        "site": ["ignored"] * 1_000,
    }).write_parquet(tmp_path / "polars.parquet")  # fmt: skip
    duckdb.sql(
        "SELECT TIMESTAMP '2025-06-01 12:00:00' + to_seconds(i) AS ts, 'duckdb' AS device_id, 'humidity' AS type,"
        " i + 0.5 AS value, {latitude: 52.5, longitude: 13.25} AS location, {floor: 3, room: NULL} AS metadata"
        " FROM range(1000) r(i)"
    ).write_parquet(str(tmp_path / "duckdb.parquet"))

    result = loaded(load(tmp_path, tmp_path / "polars.parquet", tmp_path / "duckdb.parquet"))

    assert "ignored   columns site" in result.stdout
    rows = rows_of(stored(tmp_path))
    assert [row["device_id"] for row in rows] == ["duckdb"] * 1_000 + ["polars"] * 1_000
    assert rows[0]["value"] == 0.5 and rows[0]["latitude"] == 52.5 and rows[0]["metadata"] == '{"floor":3}'
    assert rows[1_001]["timestamp"] == start + timedelta(milliseconds=1)
    assert rows[1_001]["longitude"] == 13.25


@pytest.mark.parametrize(
    "stamps",
    [
        pa.array([START_MICROS * 1_000 + 999] * 4, pa.timestamp("ns")),
        pa.array([START_SECONDS * 1_000] * 4, pa.timestamp("ms", "America/New_York")),
        pa.array([START_SECONDS] * 4, pa.timestamp("s")),
        pa.array([START_SECONDS] * 4, pa.int64()),
        pa.array(["2025-06-01T14:00:00+02:00", "2025-06-01 12:00:00", "1748779200", "2025-06-01T12:00:00Z"]),
    ],
    ids=["ns", "ms with a zone", "s", "Unix seconds", "text"],
)
def test_times_of_every_kind_are_read(tmp_path: Path, stamps: pa.Array) -> None:
    write(tmp_path / "a.parquet", table(4, timestamp=stamps))

    loaded(load(tmp_path, tmp_path / "a.parquet"))

    start = datetime.fromtimestamp(START_SECONDS, timezone.utc)
    assert [row["timestamp"] for row in rows_of(stored(tmp_path))] == [start] * 4


def test_int96_of_a_far_year_does_not_wrap(tmp_path: Path) -> None:
    # As ns the year 2500 wraps to 1915 and 3000 to 1830; both must be refused for what they are.
    far = pa.array([START_MICROS, START_MICROS, 16_725_225_600_000_000, 32_503_680_000_000_000], pa.timestamp("us"))
    write(tmp_path / "a.parquet", table(4, timestamp=far), use_deprecated_int96_timestamps=True)

    refused(load(tmp_path, tmp_path / "a.parquet"), "a.parquet: row 2: column 'timestamp': 2500-01-01T00:00:00Z is more than")
    loaded(load(tmp_path, tmp_path / "a.parquet", "--on-error", "skip"))

    assert stored(tmp_path).num_rows == 2


def test_dictionary_and_large_text_is_read(tmp_path: Path) -> None:
    device = pa.array(["a", "b", "a", "b"]).dictionary_encode()
    kind = pa.array(["x"] * 4, pa.large_string())
    write(tmp_path / "a.parquet", table(4, device_id=device, type=kind))

    loaded(load(tmp_path, tmp_path / "a.parquet"))

    assert [row["device_id"] for row in rows_of(stored(tmp_path))] == ["a", "a", "b", "b"]


@pytest.mark.parametrize("ending", ["csv", "csv.gz", "csv.zst"])
def test_csv_of_polars_is_read(tmp_path: Path, ending: str) -> None:
    source = table(3_000, metadata=pa.array(['{"a": "x, \\"y\\"\\nz"}', None, '{"b":[1,2]}'] * 1_000))
    text = pl.from_arrow(source).write_csv()
    packed = {"csv": bytes, "csv.gz": gzip.compress, "csv.zst": zstandard.compress}[ending](text.encode())
    (tmp_path / f"a.{ending}").write_bytes(packed)

    loaded(load(tmp_path, tmp_path / f"a.{ending}"))

    assert_stored(tmp_path, source)


def test_csv_with_a_semicolon_and_missing_positions(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(
        "\ufefftime;sensor;metric_value;lat;lon\r\n1748779200;s-1;1.5;;\r\n1748779201.25;s-2;2;-33.9;151.2\r\n"
    )
    options = ["--format", "csv", "--delimiter", ";", "--map", "device_id=sensor", "--set", "type=temperature"]

    loaded(load(tmp_path, tmp_path / "a.txt", *options))

    first, second = rows_of(stored(tmp_path))
    assert (first["device_id"], first["type"], first["value"], first["latitude"]) == ("s-1", "temperature", 1.5, None)
    assert second["timestamp"] == datetime.fromtimestamp(1748779201.25, timezone.utc)
    assert (second["latitude"], second["longitude"]) == (-33.9, 151.2)


@pytest.mark.parametrize("ending", ["ndjson", "jsonl.gz", "jsonl.zst"])
def test_both_shapes_of_ndjson_events_are_read(tmp_path: Path, ending: str) -> None:
    nested = {
        "timestamp": "2025-06-01T12:00:00Z", "device_id": "a", "type": "t", "value": 1,
        "location": {"latitude": 52.5, "longitude": 13.25}, "metadata": {"floor": 3},
    }  # fmt: skip
    flat = {"ts": START_SECONDS, "device_id": "b", "metric_name": "t", "metric_value": 2.5, "lat": 1, "lon": 2}
    text = "\n\n".join(json.dumps(event) for event in [nested, flat, {**flat, "device_id": "ü", "location": None}])
    packed = {"ndjson": bytes, "jsonl.gz": gzip.compress, "jsonl.zst": zstandard.compress}[ending](text.encode())
    (tmp_path / f"a.{ending}").write_bytes(packed)

    loaded(load(tmp_path, tmp_path / f"a.{ending}"))

    first, second, third = rows_of(stored(tmp_path))
    assert (first["latitude"], first["longitude"], first["metadata"]) == (52.5, 13.25, '{"floor": 3}')
    assert (second["value"], second["latitude"], second["metadata"]) == (2.5, 1.0, None)
    assert first["timestamp"] == second["timestamp"]
    assert third["device_id"] == "ü"


# --- what is found ------------------------------------------------------------------------------------------------------------


def test_a_folder_is_read_to_its_leaves(tmp_path: Path) -> None:
    files = tmp_path / "düsseldorf 数据"
    write(files / "a.parquet", 10, "a")
    write(files / "deep" / "er" / "b.pq", 10, "b")
    write(files / "_hidden" / "c.parquet", 10, "c")
    write(files / ".d.parquet", 10, "d")
    pl.from_arrow(table(10, "e")).write_csv(files / "e.csv")
    (files / "README.md").write_text("not data")
    (files / "again.parquet").symlink_to(files / "a.parquet")

    result = loaded(load(tmp_path, files))

    assert {row["device_id"] for row in rows_of(stored(tmp_path))} == {"a", "b", "e"}
    assert stored(tmp_path).num_rows == 30
    assert "passed over 1 files" in result.stderr


def test_a_pattern_chooses_files(tmp_path: Path) -> None:
    for name in ["a1", "a2", "b1"]:
        write(tmp_path / "in" / f"{name}.parquet", 10, name)
    write(tmp_path / "in" / "[x].parquet", 10, "brackets")

    loaded(load(tmp_path, "in/a*.parquet", "in/[x].parquet"))

    assert {row["device_id"] for row in rows_of(stored(tmp_path))} == {"a1", "a2", "brackets"}
    refused(load(tmp_path, "in/z*.parquet"), "in/z*.parquet", "matches no file")


@pytest.mark.parametrize(
    ("path", "rule"),
    [("nowhere.parquet", "no such file"), ("empty", "the folder has no"), ("notes.txt", "--format")],
)
def test_a_path_without_data_is_named(tmp_path: Path, path: str, rule: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "notes.txt").write_text("x")

    refused(load(tmp_path, path), path, rule)

    assert not (tmp_path / "data").exists()


def test_a_delta_table_is_refused_and_our_own_folder_passed_over(tmp_path: Path) -> None:
    write(tmp_path / "in" / "a.parquet", 10)
    loaded(load(tmp_path, tmp_path / "in"))

    refused(load(tmp_path, table_dir(tmp_path)), "Delta table")
    result = loaded(load(tmp_path, tmp_path))

    assert "a data directory of hexflight" in result.stderr
    assert stored(tmp_path).num_rows == 10


@pytest.fixture(scope="module")
def bucket() -> Iterator[dict[str, str]]:
    """An S3 server with a bucket of files; the environment that reaches it."""
    import boto3
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    environment = {
        "AWS_ENDPOINT": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": "us-east-1",
        "AWS_ALLOW_HTTP": "true",
    }
    s3 = boto3.client(
        "s3",
        endpoint_url=environment["AWS_ENDPOINT"],
        aws_access_key_id="test",
        aws_secret_access_key="test",
        region_name="us-east-1",
    )
    s3.create_bucket(Bucket="fleet")
    for name in ["2025/a.parquet", "2025/b.parquet", "2025/sub/c.parquet", "2024/d.parquet", "2025/_tmp/e.parquet"]:
        sink = pa.BufferOutputStream()
        pq.write_table(table(1_000, name), sink)
        s3.put_object(Bucket="fleet", Key=name, Body=sink.getvalue().to_pybytes())
    s3.put_object(Bucket="fleet", Key="2025/notes.md", Body=b"x")
    yield environment
    server.stop()


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("s3://fleet/2025", {"2025/a.parquet", "2025/b.parquet", "2025/sub/c.parquet"}),
        ("s3://fleet/2025/*.parquet", {"2025/a.parquet", "2025/b.parquet"}),
        ("s3://fleet/**/[a-d].parquet", {"2025/a.parquet", "2025/b.parquet", "2025/sub/c.parquet", "2024/d.parquet"}),
        ("s3://fleet/2024/d.parquet", {"2024/d.parquet"}),
    ],
)
def test_objects_are_loaded_once(
    tmp_path: Path, bucket: dict[str, str], address: str, expected: set[str]
) -> None:
    loaded(load(tmp_path, address, env=bucket))
    again = loaded(load(tmp_path, address, env=bucket))

    assert {row["device_id"] for row in rows_of(stored(tmp_path))} == expected
    assert stored(tmp_path).num_rows == 1_000 * len(expected)
    assert f"{len(expected)} of {len(expected)} files were loaded before" in again.stdout


def test_an_address_without_objects_is_named(tmp_path: Path, bucket: dict[str, str]) -> None:
    refused(load(tmp_path, "s3://fleet/2030", env=bucket), "s3://fleet/2030", "no such object")
    refused(load(tmp_path, "s3://fleet/2030/*", env=bucket), "s3://fleet/2030/*", "matches no object")
    refused(load(tmp_path, "xyz://fleet/2030"), "xyz://fleet/2030")


# --- files that cannot be loaded ----------------------------------------------------------------------------------------------


def truncated(path: Path) -> None:
    """Cuts the second half of a file off."""
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def corrupt(path: Path) -> None:
    """Overwrites the first pages of a file whose footer stays whole."""
    content = bytearray(path.read_bytes())
    content[4:400] = b"\xee" * 396
    path.write_bytes(content)


def encrypted(path: Path, plaintext_footer: bool = False) -> None:
    """Replaces a file by one with modular encryption."""
    import base64

    import pyarrow.parquet.encryption as pe

    class Keys(pe.KmsClient):  # type: ignore[misc]
        def __init__(self, _: Any) -> None:
            pe.KmsClient.__init__(self)

        def wrap_key(self, key: bytes, _: str) -> bytes:
            return base64.b64encode(key)

        def unwrap_key(self, wrapped: bytes, _: str) -> bytes:
            return base64.b64decode(wrapped)

    factory = pe.CryptoFactory(Keys)
    settings = pe.EncryptionConfiguration(
        footer_key="f", column_keys={"c": ["value"]}, plaintext_footer=plaintext_footer
    )
    properties = factory.file_encryption_properties(pe.KmsConnectionConfig(), settings)
    with pq.ParquetWriter(path, table(100).schema, encryption_properties=properties) as writer:
        writer.write_table(table(100))


BAD_FILES = {
    "empty": (lambda path: path.write_bytes(b""), "it is empty (0 bytes)"),
    "four bytes": (lambda path: path.write_bytes(b"PAR1"), "truncated"),
    "text": (lambda path: path.write_text("timestamp,device_id\n" * 10), 'begins with "time", not with PAR1'),
    "truncated": (truncated, "truncated"),
    "damaged footer": (lambda path: path.write_bytes(b"PAR1" + b"\xff" * 100 + b"PAR1"), "footer cannot be read"),
    "damaged data": (corrupt, "cannot be decoded"),
    "encrypted": (encrypted, "encrypted"),
    "encrypted column": (lambda path: encrypted(path, plaintext_footer=True), "encrypted"),
    "missing column": (lambda path: write(path, table(4, value=None)), "column 'value (or metric_value)' is missing; found: "),
    "list": (
        lambda path: write(path, table(4, value=pa.array([[1.0]] * 4))),
        "column 'value': type List(Float64, field: 'element') is not accepted; send a float, integer or decimal column",
    ),
    "boolean": (lambda path: write(path, table(4, latitude=pa.array([True] * 4))), "column 'latitude': type Boolean"),
    "half a position": (lambda path: write(path, table(4, longitude=None)), "column 'longitude (or lon, lng)' is missing"),
    "two spellings": (lambda path: write(path, table(4, ts=pa.array([1] * 4))), "columns 'timestamp' and 'ts' both fill"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD_FILES)
@pytest.mark.parametrize("on_error", ["abort", "skip"])
def test_a_bad_file_among_good_ones_is_named_and_nothing_is_loaded(tmp_path: Path, name: str, on_error: str) -> None:
    damage, rule = BAD_FILES[name]
    write(tmp_path / "in" / "a-good.parquet", 1_000)
    write(tmp_path / "in" / "z-good.parquet", 1_000, "other")
    damage(write(tmp_path / "in" / "bad.parquet", 1_000, compression="none"))

    refused(load(tmp_path, tmp_path / "in", "--on-error", on_error), "bad.parquet: ", rule)

    assert_nothing_stored(tmp_path)


@pytest.mark.parametrize(
    ("name", "content", "rule"),
    [
        ("a.csv", b"", "it is empty"),
        ("a.csv", b"1,2,3\n4,5,6\n", "column 'timestamp (or ts, time)' is missing; found: 1, 2, 3"),
        ("a.csv", b'ts,device_id,type,value\n1,"a,t,1\n', "row 0: the file ends inside a quoted field"),
        ("a.csv.gz", b"no gzip", "it cannot be read"),
        ("a.csv.gz", gzip.compress(b"ts,device_id,type,value\n" + b"1,a,t,1\n" * 99_999)[:-200], "cannot be read on"),
        ("a.ndjson.zst", b"no zstd", "cannot be read"),
    ],
)
def test_a_bad_text_file_is_named(tmp_path: Path, name: str, content: bytes, rule: str) -> None:
    (tmp_path / name).write_bytes(content)

    refused(load(tmp_path, name, "--on-error", "skip"), f"{name}: ", rule)

    assert_nothing_stored(tmp_path)


def test_empty_files_with_a_schema_load_no_rows(tmp_path: Path) -> None:
    write(tmp_path / "a.parquet", table(0))
    (tmp_path / "b.csv").write_text("ts,device_id,type,value\n")
    (tmp_path / "c.ndjson").write_text("")
    write(tmp_path / "d.parquet", 10)

    result = loaded(load(tmp_path, "a.parquet", "b.csv", "c.ndjson", "d.parquet"))
    alone = loaded(load(tmp_path, "a.parquet"))

    assert "10 rows of 4 files" in result.stdout
    assert "loaded    nothing: there was no row to take" in alone.stdout
    assert stored(tmp_path).num_rows == 10


def test_strict_refuses_columns_that_fill_nothing(tmp_path: Path) -> None:
    write(tmp_path / "a.parquet", table(4, colour=pa.array(["red"] * 4)))

    refused(load(tmp_path, "a.parquet", "--strict"), "a.parquet: column 'colour' fills no column")


# --- rows that break a rule ---------------------------------------------------------------------------------------------------

BAD_ROWS = {
    "a.parquet": {"column": "lat", "row": 2, "value": "91", "rule": "is not in [-90, 90]"},
    "b.csv": {"column": "metric_value", "row": 1, "value": '"warm"', "rule": "is not a number"},
    "c.ndjson": {"column": "ts", "row": 3, "value": '"later"', "rule": "is neither RFC 3339"},
    "d.csv": {"column": None, "row": 0, "value": '"1748779200"', "rule": "begins a record of 3 fields"},
    "e.ndjson": {"column": None, "row": 1, "value": '"{"', "rule": "is not a JSON object"},
}


def write_bad_rows(folder: Path) -> None:
    """Writes the files that BAD_ROWS tells about; every other row is good."""
    folder.mkdir()
    lat = one_bad("latitude", [1.0, 2.0, 91.0, 4.0], pa.float64()).rename_columns(
        ["lat" if name == "latitude" else name for name in table(1).column_names]
    )
    write(folder / "a.parquet", lat, row_group_size=2)
    header = "ts,device_id,type,metric_value\n"
    row = "1748779200,d,t,1\n"
    (folder / "b.csv").write_text(header + row + "1748779200,d,t,warm\n" + row)
    event = {"ts": START_SECONDS, "device_id": "d", "type": "t", "value": 1}
    lines = [event] * 3 + [event | {"ts": "later"}]
    (folder / "c.ndjson").write_text("\n".join(map(json.dumps, lines)))
    (folder / "d.csv").write_text(header + "1748779200,d,t\n" + row)
    (folder / "e.ndjson").write_text(json.dumps(event) + " \n{\n" + json.dumps(event))


@pytest.mark.parametrize("name", BAD_ROWS)
def test_a_bad_row_is_named_and_nothing_is_loaded(tmp_path: Path, name: str) -> None:
    write_bad_rows(tmp_path / "in")
    bad = BAD_ROWS[name]
    column = f"column '{bad['column']}': " if bad["column"] else ""

    refused(load(tmp_path, f"in/{name}"), f"in/{name}: row {bad['row']}: {column}{bad['value']} {bad['rule']}")

    assert_nothing_stored(tmp_path)
    assert not (tmp_path / "rejects.ndjson").exists()


def assert_rejects(path: Path) -> None:
    """Asserts that a file of rejects lists the rows of BAD_ROWS, each once."""
    rejects = sorted(map(json.loads, path.read_text().splitlines()), key=lambda reject: reject["file"])
    assert [Path(reject["file"]).name for reject in rejects] == sorted(BAD_ROWS)
    for reject in rejects:
        expected = BAD_ROWS[Path(reject["file"]).name]
        assert reject["rule"].startswith(expected["rule"])
        assert {key: reject[key] for key in ["column", "row", "value"]} == {
            key: expected[key] for key in ["column", "row", "value"]
        }


def test_skipped_rows_are_listed_and_the_others_loaded(tmp_path: Path) -> None:
    write_bad_rows(tmp_path / "in")

    result = loaded(load(tmp_path, "in", "--on-error", "skip", "--rejects", "bad rows.ndjson"))

    assert "rejected  5 rows, listed in bad rows.ndjson" in result.stdout
    assert stored(tmp_path).num_rows == 3 + 2 + 3 + 1 + 2
    assert_rejects(tmp_path / "bad rows.ndjson")


def test_nothing_but_bad_rows_is_counted(tmp_path: Path) -> None:
    write(tmp_path / "a.parquet", table(70_000, value=pa.array([float("nan")] * 70_000)))

    result = load(tmp_path, "a.parquet", "--on-error", "skip")

    refused(result, "nothing was loaded: all 70000 rows were rejected, listed in rejects.ndjson")
    assert "rejected  70,000 rows, listed in rejects.ndjson" in result.stdout
    rows = sorted(json.loads(line)["row"] for line in (tmp_path / "rejects.ndjson").read_text().splitlines())
    assert rows == list(range(70_000))
    assert stored(tmp_path).num_rows == 0


# --- dry run ------------------------------------------------------------------------------------------------------------------


def test_a_dry_run_tells_mapping_rows_times_and_problems(tmp_path: Path) -> None:
    write_bad_rows(tmp_path / "in")
    write(tmp_path / "good.parquet", table(10, colour=pa.array(["red"] * 10)))

    good = loaded(check(tmp_path, "good.parquet", "--set", "type=t"))
    bad = check(tmp_path, "in")

    assert "timestamp  <- timestamp: Timestamp(µs, \"UTC\")" in good.stdout
    assert "type       = t" in good.stdout and "ignored    type, colour" in good.stdout
    assert "rows       10, 2025-06-01T12:00:00Z to 2025-06-01T12:00:09Z" in good.stdout
    refused(bad, "5 rows in 5 files break a rule")
    assert "latitude   <- lat: Float64" in bad.stdout
    assert "row 2: column 'lat': 91 is not in [-90, 90]" in bad.stdout
    loaded(check(tmp_path, "in", "--on-error", "skip"))
    assert not (tmp_path / "data").exists() and not (tmp_path / "rejects.ndjson").exists()


def test_a_dry_run_looks_at_every_file(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.parquet").write_text("no")
    write(tmp_path / "in" / "b.parquet", table(4, value=None))
    write(tmp_path / "in" / "c.parquet", 4)

    result = check(tmp_path, "in")

    refused(result, "2 of 3 files cannot be imported")
    assert result.stdout.count("cannot be imported: ") == 2
    assert "4 good rows in 3 files; nothing was loaded" in result.stdout


# --- once, whole or not at all ------------------------------------------------------------------------------------------------


def test_the_same_content_is_loaded_once(tmp_path: Path) -> None:
    write(tmp_path / "in" / "a.parquet", 1_000)
    (tmp_path / "in" / "copy.parquet").write_bytes((tmp_path / "in" / "a.parquet").read_bytes())

    first = loaded(load(tmp_path, "in"))
    write(tmp_path / "in" / "new.parquet", 500, "new")
    second = loaded(load(tmp_path, "in"))
    third = loaded(load(tmp_path, "in"))

    assert "1 of 2 files repeat another one" in first.stdout
    assert "500 rows of 1 file" in second.stdout and "1 of 3 files were loaded before" in second.stdout
    assert "loaded    nothing" in third.stdout and "2 of 3 files were loaded before" in third.stdout
    assert stored(tmp_path).num_rows == 1_500


WIDE = "time,sensor,temp,hum,lat,lon\n" + "".join(f"{START_SECONDS + n},s-{n % 3},{n}.5,{n},52.5,13.4\n" for n in range(1_000))


def test_one_wide_csv_gives_two_measures(tmp_path: Path) -> None:
    (tmp_path / "wide.csv").write_text(WIDE)

    for measure in ["temp", "hum"]:
        mapping = ["--map", "device_id=sensor", "--map", f"value={measure}", "--set", f"type={measure}"]
        assert "1,000 rows of 1 file" in loaded(load(tmp_path, "wide.csv", *mapping)).stdout
        spelled = ["--set", f"type={measure}", "--map", f"value={measure.upper()}", "--map", "DEVICE_ID=sensor", "--map", "ts=time"]
        again = loaded(load(tmp_path, "wide.csv", *spelled))
        assert "loaded    nothing" in again.stdout and "1 of 1 files were loaded before; --force" in again.stdout

    rows = rows_of(stored(tmp_path))
    assert len(rows) == 2_000 and all(row["latitude"] == 52.5 for row in rows)
    assert {(row["type"], row["value"]) for row in rows} == {
        (measure, n + half) for n in range(1_000) for measure, half in [("temp", 0.5), ("hum", 0.0)]
    }


def test_a_wrong_mapping_does_not_spoil_the_right_one(tmp_path: Path) -> None:
    (tmp_path / "wide.csv").write_text(WIDE)
    right = ["--map", "device_id=sensor", "--map", "value=temp", "--set", "type=temp"]

    refused(load(tmp_path, "wide.csv", "--map", "value=sensor", *right[:2], *right[4:], "--on-error", "skip"), "all 1000 rows")
    assert "1,000 rows" in loaded(load(tmp_path, "wide.csv", *right)).stdout
    forced = loaded(load(tmp_path, "wide.csv", "--force", *right))

    assert "loaded    1,000 rows" in forced.stdout and "ignored   columns hum" in forced.stdout
    assert stored(tmp_path).num_rows == 2_000


def test_a_load_of_an_earlier_build_still_counts(tmp_path: Path, make_server: ServerFactory) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "wide.csv").write_text(WIDE)
    options = ["--map", "device_id=sensor", "--map", "value=temp", "--set", "type=temp"]
    loaded(load(tmp_path / "other", tmp_path / "wide.csv", *options))
    log = sorted((table_dir(tmp_path / "other") / "_delta_log").glob("*.json"))[-1]
    actions = [json.loads(line) for line in log.read_text().splitlines()]
    [app_id] = [action["txn"]["appId"] for action in actions if "txn" in action]
    kind, content, recipe = app_id.split(":")
    server = make_server().start()
    with connect(server.flight_url) as client:
        writer, reader = import_stream(client, {"table": "events"})
        writer.write_batch(events(10))
        # As it was recorded before there were recipes: the hash of the bytes alone.
        writer.write_metadata(json.dumps({"commit": {"sources": [content]}}).encode())
        finish(writer, reader)

        result = loaded(send(tmp_path, server, "wide.csv", *options))
        forced = loaded(send(tmp_path, server, "wide.csv", "--force", *options))

    assert (kind, len(content), len(recipe)) == ("import", 64, 64)
    assert "1 of 1 files were loaded before" in result.stdout
    assert "loaded    1,000 rows" in forced.stdout


def test_an_ais_file_is_loaded_with_all_positions(tmp_path: Path) -> None:
    header = "MMSI,BaseDateTime,LAT,LON,SOG,COG,Heading,VesselName,IMO,CallSign,VesselType,Status,Length,Width,Draft,Cargo,TransceiverClass"
    row = "36757174{0},2020-01-01T00:0{0}:00,32.78{0}4,-117.25{0}1,0.{0},142.7,511.0,SOMETHING,,WDF{0},37,,,,,,B"
    (tmp_path / "AIS_2020_01_01.csv").write_text("\n".join([header, *(row.format(n) for n in range(10))]) + "\n")
    mapping = ["--map", "device_id=MMSI", "--map", "timestamp=BaseDateTime", "--map", "value=SOG", "--set", "type=speed"]

    result = loaded(load(tmp_path, "AIS_2020_01_01.csv", *mapping))

    assert "loaded    10 rows" in result.stdout
    assert "ignored   columns COG, Heading, VesselName, IMO, CallSign" in result.stdout
    assert [(row["device_id"], row["latitude"], row["longitude"]) for row in rows_of(stored(tmp_path))] == [
        (f"36757174{n}", float(f"32.78{n}4"), float(f"-117.25{n}1")) for n in range(10)
    ]


POSITIONS: dict[str, Any] = {
    "geojson": {"location": {"type": "Point", "coordinates": [13.4, 52.5]}},
    "geojson with altitude": {"geometry": {"type": "Point", "coordinates": [13.4, 52.5, 34]}},
    "feature": {"geo": {"type": "Feature", "geometry": {"type": "Point", "coordinates": [13.4, 52.5]}}},
    "coordinates": {"Coordinates": [13.4, 52.5]},
    "object": {"position": {"Lat": 52.5, "LNG": 13.4}},
    "wkt": {"geom": "point z(13.4 52.5 34)"},
    "pair": {"point": "52.5, 13.4"},
    "columns": {"LAT": 52.5, "Lon": 13.4},
}


def test_ndjson_positions_of_every_form_are_taken(tmp_path: Path) -> None:
    event = {"ts": START_SECONDS, "type": "t", "value": 1}
    lines = [json.dumps(event | {"device_id": form} | position) for form, position in POSITIONS.items()]
    (tmp_path / "a.ndjson").write_text("\n".join(lines))

    loaded(load(tmp_path, "a.ndjson"))

    assert {row["device_id"]: (row["latitude"], row["longitude"]) for row in rows_of(stored(tmp_path))} == {
        form: (52.5, 13.4) for form in POSITIONS
    }


@pytest.mark.parametrize(
    ("name", "text", "rule"),
    [
        ("a.ndjson", '{"ts":1,"device_id":"d","type":"t","value":1,"location":[52.5,13.4]}', "order is not said"),
        ("a.ndjson", '{"ts":1,"device_id":"d","type":"t","value":1,"location":"Berlin"}', '"Berlin" is not a position'),
        ("a.csv", "ts,device_id,type,value,location\n1,d,t,1,POLYGON((1 2))\n", "is not a position"),
        ("a.csv", "ts,device_id,type,value,location,geom\n1,d,t,1,,\n", "may both be the position"),
    ],
)
def test_a_position_that_is_not_understood_is_an_error(tmp_path: Path, name: str, text: str, rule: str) -> None:
    (tmp_path / name).write_text(text)

    refused(load(tmp_path, name), "location", rule)
    ignored = loaded(load(tmp_path, name, "--ignore", "location"))

    assert "ignored   columns location" in ignored.stdout
    assert stored(tmp_path).num_rows == 1


def test_a_bare_array_is_a_position_where_its_order_is_said(tmp_path: Path) -> None:
    (tmp_path / "a.ndjson").write_text('{"ts":1,"device_id":"d","type":"t","value":1,"location":[13.4,52.5]}')

    loaded(load(tmp_path, "a.ndjson", "--map", "coordinates=location"))

    [row] = rows_of(stored(tmp_path))
    assert (row["latitude"], row["longitude"]) == (52.5, 13.4)


def test_a_member_that_no_event_has_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.ndjson").write_text('{"ts":1,"device_id":"d","type":"t","value":1,"breite":52.5,"laenge":13.4}')

    refused(
        load(tmp_path, "a.ndjson", "--map", "latitude=breit", "--map", "longitude=laeng"),
        "a.ndjson: 'breit', mapped to latitude, is in none of its events",
    )
    assert_nothing_stored(tmp_path)


def test_a_file_of_rejects_is_never_overwritten(tmp_path: Path) -> None:
    write_bad_rows(tmp_path / "in")
    (tmp_path / "rejects.ndjson").write_text("of somebody else")

    first = loaded(load(tmp_path, "in/b.csv", "--on-error", "skip"))
    second = loaded(load(tmp_path, "in/b.csv", "--on-error", "skip", "--force"))
    refused(load(tmp_path, "in/b.csv", "--on-error", "skip", "--rejects", "rejects.ndjson", "--force"), "it exists")

    assert "listed in rejects-1.ndjson" in first.stdout and "listed in rejects-2.ndjson" in second.stdout
    assert (tmp_path / "rejects.ndjson").read_text() == "of somebody else"
    assert json.loads((tmp_path / "rejects-1.ndjson").read_text())["value"] == '"warm"'
    assert stored(tmp_path).num_rows == 4


def test_all_files_of_a_call_are_one_commit(tmp_path: Path) -> None:
    for name in "abc":
        write(tmp_path / "in" / f"{name}.parquet", 1_000, name)

    loaded(load(tmp_path, "in"))

    history = deltalake.DeltaTable(str(table_dir(tmp_path))).history()
    assert len(history) == 2, "the creation of the table and one load"


def test_years_of_events_and_one_instant(tmp_path: Path) -> None:
    rows = 60_000
    step = (START_MICROS - 86_400_000_000) // rows
    spread = table(rows, "years", timestamp=pa.array([row * 7_919 % rows * step for row in range(rows)], TIMESTAMP))
    instant = table(rows, "instant", timestamp=pa.array([START_MICROS] * rows, TIMESTAMP))
    write(tmp_path / "years.parquet", spread, row_group_size=10_000)
    write(tmp_path / "instant.parquet", instant)

    loaded(load(tmp_path, "years.parquet", "instant.parquet"))

    assert_stored(tmp_path, pa.concat_tables([spread, instant]))


def spawn(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    """Starts an import into the data directory of `folder`."""
    command = [str(hexserver.binary()), "import", "--data-dir", str(folder / "data"), *arguments]
    return subprocess.Popen(
        command,
        cwd=folder,
        env=hexserver.clean_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_an_import_that_is_cut_off_loads_nothing_and_once_when_repeated(tmp_path: Path, how: signal.Signals) -> None:
    source = table(300_000)
    write(tmp_path / "a.parquet", source, row_group_size=20_000)
    process = spawn(tmp_path, "a.parquet")
    # The engine is open, and loading takes a debug build seconds.
    wait_until(lambda: (tmp_path / "data" / "import-scratch").exists(), 60, "import begun")
    process.send_signal(how)
    _, errors = process.communicate(timeout=60)

    assert process.returncode == (-how if how == signal.SIGKILL else 1), errors
    assert how == signal.SIGKILL or "interrupted" in errors
    if how == signal.SIGINT:
        assert_nothing_stored(tmp_path)
    assert stored(tmp_path).num_rows == 0
    loaded(load(tmp_path, "a.parquet"))
    loaded(load(tmp_path, "a.parquet"))
    assert stored(tmp_path).num_rows == 300_000
    assert list((tmp_path / "data" / "import-scratch").iterdir()) == []


# --- through a server ---------------------------------------------------------------------------------------------------------


def send(folder: Path, server: Server, *arguments: object) -> Result:
    """Runs `hexflight import --target` in `folder`."""
    texts = [str(argument) for argument in arguments]
    return hexserver.run("import", "--target", server.flight_url, *texts, cwd=folder)


def test_a_folder_that_a_server_holds_is_told(tmp_path: Path, make_server: ServerFactory) -> None:
    make_server().start()
    write(tmp_path / "a.parquet", 10)

    refused(load(tmp_path, "a.parquet"), "holds this data directory", "--target")


def test_files_are_loaded_while_the_server_ingests_and_answers(tmp_path: Path, make_server: ServerFactory) -> None:
    server = make_server().start()
    bulk = table(150_000, "bulk")
    write(tmp_path / "a.parquet", bulk, row_group_size=40_000)
    pl.from_arrow(table(5_000, "csv")).write_csv(tmp_path / "b.csv")
    stop, sent = threading.Event(), []

    def produce() -> None:
        with connect(server.flight_url) as client:
            while not stop.is_set():
                put(client, events(100, "live"))
                sent.append(100)
                seen = query(client, "SELECT device_id, count(*) AS n FROM events GROUP BY device_id")
                counts = dict(zip(seen["device_id"].to_pylist(), seen["n"].to_pylist(), strict=True))
                assert counts["live"] == sum(sent)
                assert counts.get("bulk", 0) in (0, 150_000) and (counts.get("csv", 0) > 0) == (counts.get("bulk", 0) > 0)

    producer = threading.Thread(target=produce)
    producer.start()
    first = send(tmp_path, server, "a.parquet", "b.csv")
    second = send(tmp_path, server, "a.parquet", "b.csv")
    stop.set()
    producer.join()

    assert "loaded    155,000 rows of 2 files" in loaded(first).stdout
    assert "2 of 2 files were loaded before" in loaded(second).stdout
    with connect(server.flight_url) as client:
        assert event_count(client) == 155_000 + sum(sent)
    server.stop()
    assert stored(tmp_path).num_rows == 155_000 + sum(sent)
    assert [row for row in rows_of(stored(tmp_path)) if row["device_id"] == "bulk"] == rows_of(bulk)


def test_bad_rows_of_a_server_are_named_by_file_and_row(tmp_path: Path, make_server: ServerFactory) -> None:
    server = make_server().start()
    write_bad_rows(tmp_path / "in")

    refused(send(tmp_path, server, "in/a.parquet"), "in/a.parquet: row 2: column 'lat': 91 is not in [-90, 90]")
    with connect(server.flight_url) as client:
        assert event_count(client) == 0
    loaded(send(tmp_path, server, "in", "--on-error", "skip"))

    assert_rejects(tmp_path / "rejects.ndjson")
    with connect(server.flight_url) as client:
        assert event_count(client) == 11


def import_stream(
    client: flight.FlightClient, command: dict[str, Any]
) -> tuple[flight.FlightStreamWriter, flight.FlightMetadataReader]:
    """Opens a bulk load."""
    descriptor = flight.FlightDescriptor.for_command(json.dumps({"import": command}))
    return client.do_put(descriptor, events(1).schema)


def finish(writer: flight.FlightStreamWriter, reader: flight.FlightMetadataReader) -> dict[str, Any]:
    """Ends a bulk load and returns the only answer; raises what the server refused with."""
    writer.done_writing()
    answer = reader.read()
    writer.close()
    assert answer is not None and reader.read() is None
    return json.loads(answer.to_pybytes())


def test_pyarrow_loads_in_bulk(client: flight.FlightClient) -> None:
    before, source = event_count(client), "ab" * 32
    writer, reader = import_stream(client, {"table": "events"})
    for _ in range(3):
        writer.write_batch(events(1_000, "by pyarrow"))
    assert event_count(client) == before
    writer.write_metadata(json.dumps({"commit": {"sources": [source]}}).encode())

    answer = finish(writer, reader)

    assert answer["rows"] == 3_000 and answer["files"] >= 1 and answer["bytes"] > 0 and answer["version"] >= 1
    assert event_count(client) == before + 3_000
    asked = {"table": "events", "sources": ["cd" * 32, source]}
    [status] = client.do_action(("hexflight.ImportStatus", json.dumps(asked).encode()))
    assert json.loads(status.body.to_pybytes()) == {"loaded": [source]}


def test_a_stream_without_a_commit_loads_nothing(client: flight.FlightClient) -> None:
    before = event_count(client)
    writer, reader = import_stream(client, {"table": "events"})
    writer.write_batch(events(1_000))

    with pytest.raises(pa.ArrowInvalid, match="without a commit"):
        finish(writer, reader)
    assert event_count(client) == before


@pytest.mark.parametrize(
    ("command", "rule"),
    [({"table": "nothing"}, "table 'nothing' does not exist"), ({"tabel": "events"}, "unknown field `tabel`")],
)
def test_a_wrong_command_is_refused(client: flight.FlightClient, command: dict[str, Any], rule: str) -> None:
    writer, reader = import_stream(client, command)

    with pytest.raises((pa.ArrowInvalid, pa.ArrowKeyError, flight.FlightError), match=rule):
        finish(writer, reader)


def test_a_source_that_was_loaded_meanwhile_is_refused(client: flight.FlightClient) -> None:
    commit = json.dumps({"commit": {"sources": ["12" * 32]}}).encode()
    for attempt in range(2):
        writer, reader = import_stream(client, {"table": "events"})
        writer.write_batch(events(10, f"attempt-{attempt}"))
        writer.write_metadata(commit)
        if attempt == 0:
            assert finish(writer, reader)["rows"] == 10
        else:
            with pytest.raises((pa.ArrowException, flight.FlightError), match="12121212"):
                finish(writer, reader)
    assert query(client, "SELECT DISTINCT device_id FROM events WHERE device_id LIKE 'attempt-%'").num_rows == 1


# --- HTTP ---------------------------------------------------------------------------------------------------------------------


def body_of(rows: pa.Table, path: Path) -> bytes:
    """Returns a Parquet file as bytes."""
    return write(path, rows).read_bytes()


def post(server: Server, body: bytes | Iterator[bytes], headers: dict[str, str] = PARQUET, **query: str) -> requests.Response:
    """Posts a body to the import."""
    return requests.post(f"{server.http_url}/api/v1/import", params=query, data=body, headers=headers, timeout=60)


def test_a_posted_file_is_loaded_once(server: Server, client: flight.FlightClient, tmp_path: Path) -> None:
    before = event_count(client)
    body = body_of(table(5_000, "posted"), tmp_path / "a.parquet")

    first = post(server, iter([body[:1_000], body[1_000:]]), table="events")
    second = post(server, body, {"Content-Type": "application/octet-stream"})

    assert first.status_code == 200, first.text
    assert first.json() | {"files": 1, "version": 1} == {
        "rows": 5_000, "rejected": 0, "errors": [], "ignored": [], "files": 1, "version": 1, "already_loaded": False,
    }  # fmt: skip
    assert second.json()["already_loaded"] is True and second.json()["rows"] == 0
    assert event_count(client) == before + 5_000
    again = post(server, body, force="true")
    assert (again.json()["rows"], again.json()["already_loaded"]) == (5_000, False)
    assert event_count(client) == before + 10_000


def test_a_posted_file_without_a_good_row_is_not_remembered(server: Server, tmp_path: Path) -> None:
    body = body_of(table(10, value=pa.array([None] * 10, pa.float64()), size=pa.array([1] * 10)), tmp_path / "a.parquet")

    answers = [post(server, body, on_error="skip").json() for _ in range(2)]

    for answer in answers:
        assert (answer["rows"], answer["rejected"], answer["version"], answer["already_loaded"]) == (0, 10, None, False)
        assert answer["ignored"] == ["size"]


def test_a_column_of_a_posted_file_that_is_no_position_can_be_ignored(server: Server, tmp_path: Path) -> None:
    rows = table(10, "ignored").drop_columns(["latitude", "longitude"]).append_column("position", pa.array([45] * 10))
    body = body_of(rows, tmp_path / "a.parquet")

    refusal = post(server, body)
    answer = post(server, body, ignore="Position, other")

    assert refusal.status_code == 422 and "column 'position' as the position: type Int64" in refusal.json()["detail"]
    assert (answer.json()["rows"], answer.json()["ignored"]) == (10, ["position"])


def test_bad_rows_of_a_posted_file_are_refused_or_listed(
    server: Server, client: flight.FlightClient, tmp_path: Path
) -> None:
    before = event_count(client)
    body = body_of(table(300, value=pa.array([float(row) if row % 2 else None for row in range(300)])), tmp_path / "a.parquet")

    aborted = post(server, body)
    assert event_count(client) == before
    skipped = post(server, body, on_error="skip")

    assert aborted.status_code == 422 and aborted.headers["Content-Type"] == "application/problem+json"
    assert aborted.json()["code"] == "invalid_events"
    assert [aborted.json()[key] for key in ("row", "column", "value", "rule")] == [0, "value", "null", "is not allowed"]
    assert skipped.status_code == 200
    assert (skipped.json()["rows"], skipped.json()["rejected"], len(skipped.json()["errors"])) == (150, 150, 100)
    assert skipped.json()["errors"][1] == {"row": 2, "column": "value", "value": "null", "rule": "is not allowed"}


@pytest.mark.parametrize(
    ("headers", "query", "status", "code"),
    [
        ({"Content-Type": "text/csv"}, {}, 415, "unsupported_media_type"),
        (PARQUET, {"table": "nothing"}, 404, "not_found"),
        (PARQUET, {"on_error": "maybe"}, 400, "invalid_parameter"),
        (PARQUET, {"tabel": "events"}, 400, "invalid_parameter"),
        (PARQUET, {}, 422, "invalid_file"),
    ],
)
def test_a_wrong_post_is_a_problem(
    server: Server, headers: dict[str, str], query: dict[str, str], status: int, code: str
) -> None:
    answer = post(server, b"not a file", headers, **query)

    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"


def test_the_route_is_described(server: Server) -> None:
    document = requests.get(f"{server.http_url}/openapi.json", timeout=10).json()

    openapi_spec_validator.validate(document)
    route = document["paths"]["/api/v1/import"]["post"]
    assert {"200", "413", "415", "422"} <= route["responses"].keys()
    assert {parameter["name"] for parameter in route["parameters"]} == {"table", "on_error", "force", "ignore"}


def test_a_body_over_the_limit_is_refused(make_server: ServerFactory, tmp_path: Path) -> None:
    server = make_server("--max-import-body", "10kB").start()
    body = body_of(table(20_000), tmp_path / "a.parquet")

    declared = post(server, body)
    streamed = post(server, iter([body[:9_000], body[9_000:]]))

    for answer in (declared, streamed):
        assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large"), answer.text
    assert list((server.data_dir / "import-scratch").glob("*")) == []
