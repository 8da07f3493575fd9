"""Flight SQL without a Flight SQL library: commands and actions whose bytes are put together by hand.

Replays the calls of clients that cannot be installed here, message by message, and sends what no client would send.
"""

from __future__ import annotations

import base64
import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import grpc
import pyarrow as pa

from raw_flight import bytes_field, ipc_messages, varint

_SERVICE = "/arrow.flight.protocol.FlightService"
_TYPE_URL = "type.googleapis.com/arrow.flight.protocol.sql."
_COMMAND_DESCRIPTOR = 2

Fields = dict[int, list[bytes | int]]


def text(number: int, value: str) -> bytes:
    """Returns a protobuf field of text."""
    return bytes_field(number, value.encode())


def whole(number: int, value: int) -> bytes:
    """Returns a protobuf field of a number or flag."""
    return varint(number << 3) + varint(value)


def packed(number: int, values: Iterable[int]) -> bytes:
    """Returns a repeated protobuf field of numbers."""
    return bytes_field(number, b"".join(varint(value) for value in values))


def any_of(name: str, *fields: bytes) -> bytes:
    """Returns a Flight SQL message in its `Any`."""
    return text(1, _TYPE_URL + name) + bytes_field(2, b"".join(fields))


def fields_of(message: bytes) -> Fields:
    """Returns the fields of a protobuf message by number."""
    found: Fields = {}
    at = 0
    while at < len(message):
        key, at = _read_varint(message, at)
        number, kind = key >> 3, key & 7
        if kind == 2:
            length, at = _read_varint(message, at)
            value: bytes | int = message[at : at + length]
            at += length
        elif kind == 0:
            value, at = _read_varint(message, at)
        else:
            width = {1: 8, 5: 4}[kind]
            value = message[at : at + width]
            at += width
        found.setdefault(number, []).append(value)
    return found


def unpacked(message: bytes) -> Fields:
    """Returns the fields of the message in an `Any`."""
    return fields_of(fields_of(message)[2][0])


@dataclass(frozen=True)
class Info:
    """What a client takes from a `FlightInfo`."""

    message: bytes
    schema: pa.Schema | None
    tickets: Sequence[bytes]

    @staticmethod
    def of(message: bytes) -> Info:
        """Reads a `FlightInfo`."""
        found = fields_of(message)
        schema = found.get(1, [b""])[0]
        endpoints = [fields_of(endpoint) for endpoint in found.get(3, [])]
        return Info(
            message,
            pa.ipc.read_schema(pa.py_buffer(schema)) if schema else None,
            [fields_of(endpoint[1][0])[1][0] for endpoint in endpoints],
        )


@dataclass
class RawClient:
    """A connection, the headers that every call sends, and the headers of the last answer."""

    channel: grpc.Channel
    headers: list[tuple[str, str]] = field(default_factory=list)
    answered: dict[str, str] = field(default_factory=dict)

    def handshake(self, user: str, password: str) -> bytes:
        """Logs in as `AuthenticateBasicToken` does and keeps the token; returns the payload of the answer."""
        pair = base64.b64encode(f"{user}:{password}".encode()).decode()
        call = self._stream("Handshake", [b""], [*self.headers, ("authorization", f"Basic {pair}")])
        answers = list(call)
        self._keep(call)
        self.headers.append(("authorization", self.answered["authorization"]))
        return fields_of(answers[0])[2][0]

    def info(self, command: bytes) -> Info:
        """GetFlightInfo of a command."""
        return Info.of(self._unary("GetFlightInfo", _descriptor(command)))

    def poll(self, command: bytes) -> Fields:
        """PollFlightInfo of a command."""
        return fields_of(self._unary("PollFlightInfo", _descriptor(command)))

    def schema(self, command: bytes) -> pa.Schema | None:
        """GetSchema of a command."""
        found = fields_of(self._unary("GetSchema", _descriptor(command))).get(1, [b""])[0]
        return pa.ipc.read_schema(pa.py_buffer(found)) if found else None

    def get(self, ticket: bytes) -> pa.Table:
        """DoGet of a ticket."""
        return table_of(self.start(ticket))

    def start(self, ticket: bytes) -> Iterator[bytes]:
        """DoGet of a ticket, message by message."""
        method = self.channel.unary_stream(f"{_SERVICE}/DoGet")
        return method(bytes_field(1, ticket), metadata=self.headers, timeout=60)

    def ask(self, command: bytes) -> pa.Table:
        """GetFlightInfo and DoGet; the announced schema must be the one that comes."""
        info = self.info(command)
        (ticket,) = info.tickets
        table = self.get(ticket)
        assert info.schema is None or info.schema.equals(table.schema, check_metadata=True)
        return table

    def act(self, name: str, body: bytes = b"") -> list[bytes]:
        """DoAction; returns the bodies of its results."""
        method = self.channel.unary_stream(f"{_SERVICE}/DoAction")
        call = method(text(1, name) + bytes_field(2, body), metadata=self.headers, timeout=60)
        bodies = [fields_of(result).get(1, [b""])[0] for result in call]
        self._keep(call)
        return bodies

    def actions(self) -> list[str]:
        """ListActions."""
        method = self.channel.unary_stream(f"{_SERVICE}/ListActions")
        return [fields_of(kind)[1][0].decode() for kind in method(b"", metadata=self.headers, timeout=60)]

    def put(self, command: bytes, *batches: pa.RecordBatch) -> list[bytes]:
        """DoPut of batches with a command; returns the app_metadata of the answers."""
        schema = batches[0].schema if batches else pa.schema([])
        first, *rest = ipc_messages(schema, *batches)
        messages = [bytes_field(1, _descriptor(command)) + first.encode(), *(one.encode() for one in rest)]
        call = self._stream("DoPut", messages, self.headers)
        return [fields_of(answer).get(1, [b""])[0] for answer in call]

    def put_nothing(self, command: bytes) -> list[bytes]:
        """DoPut of a descriptor alone, as the Go and Rust clients send an update."""
        call = self._stream("DoPut", [bytes_field(1, _descriptor(command))], self.headers)
        return [fields_of(answer).get(1, [b""])[0] for answer in call]

    def prepare(self, sql: str) -> Fields:
        """Prepares a statement; 1 is its handle, 2 the schema of the result, 3 that of the parameters."""
        (body,) = self.act("CreatePreparedStatement", any_of("ActionCreatePreparedStatementRequest", text(1, sql)))
        return unpacked(body)

    def close_prepared(self, handle: bytes) -> None:
        """Closes a prepared statement."""
        body = any_of("ActionClosePreparedStatementRequest", bytes_field(1, handle))
        assert self.act("ClosePreparedStatement", body) == []

    def _unary(self, method: str, request: bytes) -> bytes:
        return self.channel.unary_unary(f"{_SERVICE}/{method}")(request, metadata=self.headers, timeout=60)

    def _stream(self, method: str, requests: Iterable[bytes], headers: list[tuple[str, str]]) -> grpc.Call:
        return self.channel.stream_stream(f"{_SERVICE}/{method}")(iter(requests), metadata=headers, timeout=60)

    def _keep(self, call: grpc.Call) -> None:
        self.answered = {name: str(value) for name, value in call.initial_metadata() or ()}


def table_of(messages: Iterable[bytes]) -> pa.Table:
    """Puts the `FlightData` messages of a DoGet together as an IPC stream and reads it."""
    stream = b""
    for message in messages:
        found = fields_of(message)
        header, body = found.get(2, [b""])[0], found.get(1000, [b""])[0]
        header += b"\0" * (-len(header) % 8)
        stream += struct.pack("<Ii", 0xFFFFFFFF, len(header)) + header + body
    with pa.ipc.open_stream(stream) as reader:
        return reader.read_all()


def _descriptor(command: bytes) -> bytes:
    return whole(1, _COMMAND_DESCRIPTOR) + bytes_field(2, command)


def _read_varint(message: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7


