"""How large the tests of memory are: small in `make test`, in full in `make soak-bounded-input`."""

from __future__ import annotations

import os

# How many times as much is sent; 12 makes the full forms.
SCALE = int(os.environ.get("HEXFLIGHT_BOUNDED_SCALE", "1"))


def limit_mib(usual: int) -> int:
    """Returns the memory limit of a server, in MiB."""
    return int(os.environ.get("HEXFLIGHT_BOUNDED_MIB", usual))
