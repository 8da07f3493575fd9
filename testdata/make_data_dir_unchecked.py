"""Makes `data-dir-unchecked/`: a data directory with rollups of version 2 and without checksums of Parquet files.

    target/venv/bin/python testdata/make_data_dir_unchecked.py HEXFLIGHT_BEFORE_CHECKSUMS

Two files: 3,000 rows with a rollup, 300 rows of the next hour without one. Row n has device `device-{n % 20}`, value n / 7 and lies
n seconds after 2026-01-01T00:00:00Z, in the second file an hour later.
"""

import json
import pathlib
import shutil
import signal
import subprocess
import sys

import pyarrow as pa
import pyarrow.flight as flight

HERE = pathlib.Path(__file__).parent
DATA_DIR = HERE / "data-dir-unchecked"
START_SECONDS = 1_767_225_600


def batch(rows: range, later: int) -> pa.RecordBatch:
    return pa.record_batch({
        "timestamp": pa.array([START_SECONDS + later + row for row in rows], pa.int64()),
        "device_id": [f"device-{row % 20}" for row in rows],
        "type": [["temperature", "humidity"][row % 2] for row in rows],
        "value": [row / 7 for row in rows],
        "latitude": [52.0 + row % 20 / 7 if row % 5 else None for row in rows],
        "longitude": [13.0 + row % 20 / 7 if row % 5 else None for row in rows],
        "metadata": ['{"firmware": "1.4.2"}' if row % 10 == 0 else None for row in rows],
    })


def serve_and_send(binary: str, data: pa.RecordBatch) -> None:
    command = [binary, "serve", "--data-dir", str(DATA_DIR), "--flight-bind", "127.0.0.1:0", "--http-bind", "127.0.0.1:0"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    url = server.stdout.readline().split()[-1]
    client = flight.connect(url)
    writer, acks = client.do_put(flight.FlightDescriptor.for_path("events"), data.schema)
    writer.write_batch(data)
    print(json.loads(acks.read().to_pybytes()))
    writer.close()
    server.send_signal(signal.SIGTERM)
    server.wait()


if __name__ == "__main__":
    shutil.rmtree(DATA_DIR, ignore_errors=True)
    serve_and_send(sys.argv[1], batch(range(3_000), 0))
    serve_and_send(sys.argv[1], batch(range(300), 3_600))
