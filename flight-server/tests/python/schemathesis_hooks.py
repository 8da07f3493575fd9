"""What schemathesis does not know by itself: how a generated event becomes a line of NDJSON. Loaded by its command line."""

from __future__ import annotations

import json
from typing import Any

import schemathesis


@schemathesis.serializer("application/x-ndjson", "application/ndjson", "application/jsonl")
def ndjson(_context: schemathesis.SerializationContext, value: Any) -> bytes:
    """One event, one line."""
    return json.dumps(value).encode() + b"\n"
