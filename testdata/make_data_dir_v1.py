"""Makes `data-dir-v1/`: a data directory as version 0.1 leaves it when it is killed.

    target/venv/bin/python testdata/make_data_dir_v1.py target/debug/hexflight

Two batches are flushed (the server is stopped with SIGTERM), a third is only in the write-ahead log (SIGKILL). Row n of
batch b has device `device-b`, value n, and lies n seconds after 2026-01-01T00:00:00Z.
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
DATA_DIR = HERE / "data-dir-v1"
START_SECONDS = 1_767_225_600
ROWS = 100


def batch(number: int) -> pa.RecordBatch:
    rows = range(ROWS)
    return pa.record_batch({
        "timestamp": pa.array([START_SECONDS + row for row in rows], pa.int64()),
        "device_id": [f"device-{number}"] * ROWS,
        "type": [["temperature", "humidity"][row % 2] for row in rows],
        "value": [float(row) for row in rows],
        "latitude": [52.52 if row % 5 else None for row in rows],
        "longitude": [13.405 if row % 5 else None for row in rows],
        "metadata": ['{"firmware": "1.4.2"}' if row % 10 == 0 else None for row in rows],
    })


def serve_and_send(binary: str, numbers: list[int], end: signal.Signals) -> None:
    command = [binary, "serve", "--data-dir", str(DATA_DIR), "--flight-bind", "127.0.0.1:0", "--http-bind", "127.0.0.1:0"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    url = server.stdout.readline().split()[-1]
    client = flight.connect(url)
    writer, acks = client.do_put(flight.FlightDescriptor.for_path("events"), batch(0).schema)
    for number in numbers:
        writer.write_batch(batch(number))
        print(json.loads(acks.read().to_pybytes()))
    writer.close()
    server.send_signal(end)
    server.wait()


if __name__ == "__main__":
    shutil.rmtree(DATA_DIR, ignore_errors=True)
    serve_and_send(sys.argv[1], [0, 1], signal.SIGTERM)
    serve_and_send(sys.argv[1], [2], signal.SIGKILL)
