"""The ledger of one producer: an append-only file that says what was sent and what was acknowledged, fsynced line by line.

Written by the producers of the kill test before each send and after each ack; read by its checker. A line that was not
finished when somebody reads is not yet said.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any


@dataclass(frozen=True)
class Intent:
    """A batch that is about to be sent."""

    device: str
    rows: int
    value_sum: float
    nonce: str


@dataclass
class Ledger:
    """What the ledgers of all producers say together."""

    intents: dict[str, Intent]
    acked: set[str]


class LedgerWriter:
    """Appends to one ledger file."""

    def __init__(self, path: Path) -> None:
        self._file: IO[str] = path.open("a", encoding="ascii")

    def intend(self, intents: list[Intent]) -> None:
        """Writes down batches before they are sent."""
        self._append([{"intent": vars(intent)} for intent in intents])

    def acknowledge(self, device: str) -> None:
        """Writes down that the batch of `device` was acknowledged."""
        self._append([{"ack": device}])

    def _append(self, entries: list[dict[str, object]]) -> None:
        self._file.write("".join(json.dumps(entry) + "\n" for entry in entries))
        self._file.flush()
        os.fsync(self._file.fileno())


def read_ledgers(paths: list[Path]) -> Ledger:
    """Reads all ledgers as far as they are written."""
    ledger = Ledger({}, set())
    for path in paths:
        text = path.read_text(encoding="ascii") if path.exists() else ""
        for line in text[: text.rfind("\n") + 1].splitlines():
            _read_line(ledger, json.loads(line))
    return ledger


def _read_line(ledger: Ledger, entry: dict[str, Any]) -> None:
    if "ack" in entry:
        ledger.acked.add(entry["ack"])
    else:
        intent = Intent(**entry["intent"])
        ledger.intents[intent.device] = intent
