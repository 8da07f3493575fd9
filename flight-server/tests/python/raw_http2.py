"""HTTP/2 without a library: frames put together by hand, to send what no client would send.

Headers are written without Huffman coding; what comes back is only waited for, never read.
"""

from __future__ import annotations

import socket
import struct

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
HANDSHAKE = "/arrow.flight.protocol.FlightService/Handshake"

DATA, HEADERS, RST_STREAM, SETTINGS, WINDOW_UPDATE, CONTINUATION = 0, 1, 3, 4, 8, 9
END_STREAM, END_HEADERS = 1, 4

_CANCEL = 8


def connect(url: str, seconds: float = 10.0) -> socket.socket:
    """Returns a connection that has sent its preface and empty SETTINGS."""
    host, port = url.split("://")[1].rsplit(":", 1)
    connection = socket.create_connection((host, int(port)), timeout=seconds)
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
