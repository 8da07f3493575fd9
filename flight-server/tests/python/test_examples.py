"""The Python examples of the README, run as they stand against a real server; only the address is replaced.

Every ```python block is an example, except one whose fence says `no-run` after the language.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from conftest import ServerFactory
from hexserver import REPOSITORY, clean_environment

README = REPOSITORY / "README.md"
DEFAULT_ADDRESS = re.compile(r"(?:127\.0\.0\.1|localhost):8815")
_BLOCK = re.compile(r"^```python(?P<marks>[^\n]*)\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL)
EXAMPLE_SECONDS = 120.0


def examples() -> list[str]:
    """Returns the runnable blocks of the README in their order."""
    return [found["code"] for found in _BLOCK.finditer(README.read_text()) if "no-run" not in found["marks"]]


def test_readme_has_examples() -> None:
    assert examples(), f"{README} has no python block"


def test_examples_run_as_they_stand(make_server: ServerFactory, tmp_path: Path) -> None:
    address = make_server().start().flight_url.removeprefix("grpc://")
    for index, code in enumerate(examples()):
        assert DEFAULT_ADDRESS.search(code), f"example {index} does not say which server it asks:\n{code}"
        script = tmp_path / f"example_{index}.py"
        script.write_text(DEFAULT_ADDRESS.sub(address, code))

        ended = subprocess.run(
            [sys.executable, str(script)],
            capture_output=True, text=True, timeout=EXAMPLE_SECONDS, cwd=tmp_path, env=clean_environment(),
        )  # fmt: skip

        assert ended.returncode == 0, f"example {index}:\n{code}\n{ended.stdout}{ended.stderr}"
