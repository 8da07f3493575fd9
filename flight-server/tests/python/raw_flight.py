"""Flight without a Flight library: gRPC calls whose bytes are put together by hand, to send what no client would send.

Protobuf fields and IPC framing are written out here; the real clients would refuse to make such messages.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import islice

import grpc
import pyarrow as pa

_PUT = "/arrow.flight.protocol.FlightService/DoPut"
_PATH_DESCRIPTOR = 1

# `FlightData`: flight_descriptor = 1, data_header = 2, app_metadata = 3, data_body = 1000 (Flight.proto).
_FIELD_DESCRIPTOR, _FIELD_HEADER, _FIELD_BODY = 1, 2, 1000


@dataclass(frozen=True)
class Message:
    """One `FlightData`: the flatbuffer header of an IPC message and its body."""

    header: bytes
    body: bytes = b""
    path: str | None = None

    def encode(self) -> bytes:
        """Returns the protobuf bytes."""
        descriptor = (
            b"" if self.path is None else bytes_field(_FIELD_DESCRIPTOR, _path_descriptor(self.path))
        )
        return descriptor + bytes_field(_FIELD_HEADER, self.header) + bytes_field(_FIELD_BODY, self.body)

    def with_length(self, old: int, new: int) -> Message:
        """Returns the message with the i64 `old` in its header, for example a buffer's length, replaced by `new`."""
        stored = struct.pack("<q", old)
        assert stored in self.header, f"no {old} in the header"
        return replace(self, header=self.header.replace(stored, struct.pack("<q", new)))


def schema_message(schema: pa.Schema, table: str = "events") -> Message:
    """Returns the first message of a DoPut into `table`."""
    return replace(ipc_messages(schema)[0], path=table)


def batch_message(batch: pa.RecordBatch, compression: str | None = None) -> Message:
    """Returns the message of one record batch."""
    return ipc_messages(batch.schema, batch, compression=compression)[1]


def put(
    address: str, messages: Iterable[Message | bytes], seconds: float = 30.0
) -> tuple[int, grpc.StatusCode, str]:
    """Sends `messages` as one DoPut; returns the number of acks, the status code and its text."""
    acks = 0
    with grpc.insecure_channel(address, _UNLIMITED) as channel:
        call = channel.stream_stream(_PUT)((_encoded(message) for message in messages), timeout=seconds)
        try:
            for _ in call:
                acks += 1
        except grpc.RpcError:
            pass
        return acks, call.code(), call.details() or ""


@contextmanager
def begun_put(address: str, messages: Iterable[Message]) -> Iterator[grpc.Call]:
    """Sends `messages` behind the caller's back; leaving the block is leaving the server, without a word."""
    with grpc.insecure_channel(address, _UNLIMITED) as channel:
        call = channel.stream_stream(_PUT)(message.encode() for message in messages)
        try:
            yield call
        finally:
            call.cancel()


_UNLIMITED = [("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1)]


def _encoded(message: Message | bytes) -> bytes:
    return message if isinstance(message, bytes) else message.encode()


def ipc_messages(schema: pa.Schema, *batches: pa.RecordBatch, compression: str | None = None) -> list[Message]:
    """Returns the IPC messages of a stream: the schema, then the batches."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, schema, options=pa.ipc.IpcWriteOptions(compression=compression)) as writer:
        for batch in batches:
            writer.write_batch(batch)
    read = pa.ipc.MessageReader.open_stream(sink.getvalue())
    return [
        Message(message.metadata.to_pybytes(), _body(message)) for message in islice(read, 1 + len(batches))
    ]


def _body(message: pa.ipc.Message) -> bytes:
    return b"" if message.body is None else message.body.to_pybytes()


def _path_descriptor(table: str) -> bytes:
    return varint(1 << 3) + varint(_PATH_DESCRIPTOR) + bytes_field(3, table.encode())


def bytes_field(number: int, value: bytes) -> bytes:
    """Returns a protobuf field of bytes, text or a message."""
    return varint(number << 3 | 2) + varint(len(value)) + value


def varint(value: int) -> bytes:
    """Returns a protobuf varint."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
