"""HTTP/2 without a library: frames put together by hand, to send what no client would send.

Headers are written without Huffman coding; of what comes back only windows and ends are read.
"""

from __future__ import annotations

import select
import socket
import struct
import time

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
HANDSHAKE = "/arrow.flight.protocol.FlightService/Handshake"

DATA, HEADERS, RST_STREAM, SETTINGS, WINDOW_UPDATE, CONTINUATION = 0, 1, 3, 4, 8, 9
END_STREAM, END_HEADERS = 1, 4

_CANCEL = 8


# Another machine than the one that the tests' own clients call from, to a server that counts connections by address.
ELSEWHERE = "127.0.0.2"


def connect(url: str, seconds: float = 10.0, source: str = "127.0.0.1") -> socket.socket:
    """Returns a connection from an address that has sent its preface and empty SETTINGS."""
    host, port = url.split("://")[1].rsplit(":", 1)
    connection = socket.create_connection((host, int(port)), timeout=seconds, source_address=(source, 0))
    connection.sendall(PREFACE + frame(SETTINGS, 0, 0))
    return connection


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    """Returns one frame."""
    return struct.pack(">I", len(payload))[1:] + bytes((kind, flags)) + struct.pack(">I", stream) + payload


def call(stream: int, path: str = HANDSHAKE, *more: tuple[str, str]) -> bytes:
    """Returns the HEADERS of a gRPC call whose messages are to come."""
    names = [(":method", "POST"), (":scheme", "http"), (":path", path), (":authority", "test"),
             ("content-type", "application/grpc"), ("te", "trailers"), *more]  # fmt: skip
    return frame(HEADERS, END_HEADERS, stream, b"".join(literal(*pair) for pair in names))


def data(stream: int, payload: bytes) -> bytes:
    """Returns DATA frames of at most 16 KiB."""
    pieces = (payload[at : at + (16 << 10)] for at in range(0, len(payload), 16 << 10))
    return b"".join(frame(DATA, 0, stream, piece) for piece in pieces)


def message(declared: int, sent: int) -> bytes:
    """Returns the beginning of a gRPC message: `sent` of its `declared` bytes."""
    return b"\0" + struct.pack(">I", declared) + bytes(sent)


def reset(stream: int) -> bytes:
    """Returns the end of a stream that its client no longer wants."""
    return frame(RST_STREAM, 0, stream, struct.pack(">I", _CANCEL))


def literal(name: str, value: str) -> bytes:
    """Returns a header as a literal that nobody remembers (RFC 7541, 6.2.2)."""
    return b"\0" + _text(name) + _text(value)


def _text(value: str) -> bytes:
    encoded = value.encode()
    return _whole(len(encoded)) + encoded


def _whole(value: int) -> bytes:
    if value < 127:
        return bytes((value,))
    out, value = bytearray((127,)), value - 127
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def remembered(name: str, value: str) -> bytes:
    """Returns a header as a literal that the dynamic table remembers at index 62 (RFC 7541, 6.2.1)."""
    return b"\x40" + _text(name) + _text(value)


NEWEST_REMEMBERED = b"\xbe"


class Call:
    """One call on a connection of its own, which sends as much as the server's windows allow and never ends it."""

    def __init__(self, url: str, path: str) -> None:
        self.connection = connect(url)
        self.is_refused = False
        self._room, self._room_of_all, self._initial = _WINDOW_BYTES, _WINDOW_BYTES, _WINDOW_BYTES
        self._unread = b""
        self.connection.sendall(call(1, path))

    def __enter__(self) -> Call:
        return self

    def __exit__(self, *_: object) -> None:
        self.connection.close()

    def send(self, payload: bytes, seconds: float) -> int:
        """Sends `payload` for at most so long; returns how much of it the server took."""
        sent, deadline = 0, time.monotonic() + seconds
        while sent < len(payload) and not self.is_refused and time.monotonic() < deadline:
            room = min(self._room, self._room_of_all, _FRAME_BYTES_MAX)
            self.read(0.0 if room > 0 else 0.1)
            if room <= 0:
                continue
            piece = payload[sent : sent + room]
            try:
                self.connection.settimeout(max(0.1, deadline - time.monotonic()))
                self.connection.sendall(frame(DATA, 0, 1, piece))
            except OSError:
                return sent
            sent, self._room, self._room_of_all = (
                sent + len(piece),
                self._room - len(piece),
                self._room_of_all - len(piece),
            )
        return sent

    def read(self, seconds: float) -> None:
        """Reads what the server says, and waits for so long if that is nothing."""
        if not select.select([self.connection], [], [], seconds)[0]:
            return
        try:
            self._unread += self.connection.recv(1 << 16)
        except OSError:
            self.is_refused = True
        while len(self._unread) >= 9 + self._length():
            length = self._length()
            kind, flags = self._unread[3], self._unread[4]
            stream = struct.unpack(">I", self._unread[5:9])[0]
            self._take(kind, flags, stream, self._unread[9 : 9 + length])
            self._unread = self._unread[9 + length :]

    def _length(self) -> int:
        return int.from_bytes(self._unread[:3], "big") if len(self._unread) >= 9 else 1 << 30

    def _take(self, kind: int, flags: int, stream: int, payload: bytes) -> None:
        if kind == WINDOW_UPDATE:
            more = struct.unpack(">I", payload)[0]
            if stream == 0:
                self._room_of_all += more
            else:
                self._room += more
        elif kind == SETTINGS and flags == 0:
            for at in range(0, len(payload), 6):
                name, value = struct.unpack(">HI", payload[at : at + 6])
                if name == _INITIAL_WINDOW_SIZE:
                    self._room, self._initial = self._room + value - self._initial, value
            self.connection.sendall(frame(SETTINGS, 1, 0))
        elif kind in (RST_STREAM, _GOAWAY) or (kind == HEADERS and flags & END_STREAM):
            self.is_refused = True


_GOAWAY, _INITIAL_WINDOW_SIZE = 7, 4
_WINDOW_BYTES, _FRAME_BYTES_MAX = 65_535, 16 << 10
