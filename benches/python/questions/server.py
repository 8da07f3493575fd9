"""Hexflight's server processes: the ones of the tests, with a cold start added. Each is stopped by its own pid."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(REPOSITORY / "flight-server" / "tests" / "python"))

from hexserver import Server  # noqa: E402

DROP_CACHES = Path("/proc/sys/vm/drop_caches")


def use_binary(binary: Path) -> None:
    """Makes `binary` the one that servers are started from."""
    os.environ["HEXFLIGHT_BIN"] = str(binary)


def serve(data_dir: Path) -> Server:
    """Returns a server of `data_dir` that is not started yet, on free ports."""
    return Server(data_dir, "--log", "warn")


@contextmanager
def scratch_copy(data_dir: Path) -> Iterator[Path]:
    """A copy to write into. Files are linked: nothing that is stored is ever changed in place."""
    copy = data_dir.with_name(f"{data_dir.name}.scratch")
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(data_dir, copy, copy_function=os.link)
    # The lock is the one file that belongs to a process.
    (copy / "LOCK").unlink(missing_ok=True)
    try:
        yield copy
    finally:
        shutil.rmtree(copy)


def drop_page_cache(data_dir: Path, binary: Path) -> str:
    """Empties the page cache of the data, not of the program; returns how."""
    for file in _files(data_dir):
        _forget(file)
    if os.access(DROP_CACHES, os.W_OK):
        os.sync()
        try:
            DROP_CACHES.write_text("3")
        except OSError:
            return "posix_fadvise"
        with binary.open("rb", buffering=0) as program:
            while program.read(1 << 24):
                pass
        return "drop_caches, program read back"
    return "posix_fadvise"


def _forget(file: Path) -> None:
    descriptor = os.open(file, os.O_RDONLY)
    try:
        os.fsync(descriptor)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(descriptor)


def _files(data_dir: Path) -> Iterator[Path]:
    return (path for path in data_dir.rglob("*") if path.is_file())
