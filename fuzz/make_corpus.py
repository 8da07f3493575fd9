"""Writes the messages and documents that fuzzing begins with: run with pyarrow, from the repository.

Objects of the log and rollups are copies from `testdata/`; statements are written by hand.
"""

import pathlib
import struct

import pyarrow as pa

CORPUS = pathlib.Path(__file__).parent / "corpus"
TIMES = pa.array([0, 1_767_225_600_000_000, None], pa.timestamp("us", "UTC"))


def main() -> None:
    for name, batch in batches().items():
        for codec in (None, "lz4", "zstd"):
            (CORPUS / "ipc_messages" / f"{name}-{codec or 'plain'}").write_bytes(messages(batch, codec))
    for name, text in DOCUMENTS.items():
        (CORPUS / "json_document" / name).write_text(text, encoding="utf-8")


def messages(batch: pa.RecordBatch, codec: str | None) -> bytes:
    """Each message as the length of its header, the length of its body, header and body."""
    sink = pa.BufferOutputStream()
    options = pa.ipc.IpcWriteOptions(compression=codec)
    with pa.ipc.new_stream(sink, batch.schema, options=options) as writer:
        writer.write_batch(batch)
    reader = pa.ipc.MessageReader.open_stream(sink.getvalue())
    parts = b""
    while True:
        try:
            message = reader.read_next_message()
        except StopIteration:
            return parts
        header, body = message.metadata.to_pybytes(), (message.body or pa.py_buffer(b"")).to_pybytes()
        parts += struct.pack("<II", len(header), len(body)) + header + body


def batches() -> dict[str, pa.RecordBatch]:
    texts = pa.array(["temperature", "", None])
    keyed = texts.dictionary_encode()
    location = pa.array([{"latitude": 52.5, "longitude": 13.4}, None, {"latitude": None, "longitude": 1e308}])
    maps = pa.array([[("a", "b")], [], None], pa.map_(pa.string(), pa.string()))
    return {
        "events": pa.record_batch({
            "device_id": texts, "timestamp": TIMES, "type": keyed, "value": [1.5, float("nan"), None],
            "location": location, "metadata": maps,
        }),
        "views": pa.record_batch({"t": texts.cast(pa.string_view()), "b": pa.array([b"x" * 40, b"", None], pa.binary_view())}),
        "lists": pa.record_batch({"l": pa.array([[1, 2], [], None]), "f": pa.array([[1, 2], [3, 4], None], pa.list_(pa.int32(), 2))}),
        "numbers": pa.record_batch({
            "b": [True, None, False], "i": pa.array([1, 2, None], pa.uint8()), "h": pa.array([1, 2, None], pa.float16()),
            "d": pa.array([1, 2, None], pa.decimal128(38, 9)), "t": pa.array([1, 2, None], pa.duration("ns")),
            "n": pa.nulls(3),
        }),
        "union": pa.record_batch({
            "u": pa.UnionArray.from_dense(
                pa.array([0, 1, 0], pa.int8()), pa.array([0, 0, 1], pa.int32()), [pa.array([1, 2]), pa.array(["x"])]
            )
        }),
        "empty": pa.record_batch({"device_id": pa.array([], pa.string())}),
    }


EVENT = (
    '{"device_id":"ada","timestamp":"2026-01-01T00:00:00Z","type":"temperature","value":21.5,'
    '"location":{"latitude":52.5,"longitude":13.4},"metadata":{"unit":"°C","n":1e-7,"deep":{"a":[1,null,true]}}}'
)
DOCUMENTS = {
    "event": EVENT,
    "array": f"[{EVENT}, {EVENT} ]",
    "lines": f"{EVENT}\n\n{EVENT}\r\n",
    "old-form": '{"device_id":"ada","timestamp":1767225600123,"metric_name":"t","metric_value":"1.5"}',
    "cloud-event": '{"specversion":"1.0","id":"1","source":"/a","type":"t","time":"2026-01-01T00:00:00+01:00","subject":"ada","data":{"value":1}}',
    "cloud-data-base64": '{"specversion":"1.0","id":"1","source":"/a","type":"t","data_base64":"eyJ2YWx1ZSI6MX0="}',
    "cloud-batch": '[{"specversion":"1.0","id":"1","source":"/a","type":"t","data":{"value":1}}]',
    "numbers": '[{"value":-0},{"value":1E400},{"value":0.1e-400},{"timestamp":1e18},{"timestamp":-1},{"value":NaN}]',
    "escapes": '{"device_id":"\\u00e4\\ud83d\\ude00\\ud800 \\/\\b","type":"\u2028","value":"1_0"}',
    "deep": '{"metadata":' + "[" * 200 + "]" * 200 + "}",
    "twice": '{"value":1,"value":2,"Value":3,"location":{"lat":1,"lon":2},"latitude":3}',
    "cut-off": EVENT[:60],
}


if __name__ == "__main__":
    main()
