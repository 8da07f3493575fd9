"""The Python examples of the README, run as they stand against a real server; only the address is replaced.

Every ```python block is an example, except one whose fence says `no-run` after the language.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

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


EXAMPLES = REPOSITORY / "flight-server" / "examples"


def run_example(*command: str, env: dict[str, str] | None = None) -> str:
    """Runs an example to its end and returns what it printed; fails with all of that if the example fails."""
    ended = subprocess.run(
        command, capture_output=True, text=True, timeout=EXAMPLE_SECONDS, env=clean_environment(env)
    )
    assert ended.returncode == 0, f"{command}:\n{ended.stdout}{ended.stderr}"
    return ended.stdout


def test_python_examples_run_one_after_the_other(make_server: ServerFactory) -> None:
    target = make_server().start().flight_url

    produced = run_example(sys.executable, str(EXAMPLES / "produce.py"), "--target", target, "--events", "20000")
    analysed = run_example(sys.executable, str(EXAMPLES / "analyse.py"), "--target", target)
    explored = run_example(sys.executable, str(EXAMPLES / "notebook.py"), env={"HEXFLIGHT_TARGET": target})

    assert "20000 events are durable" in produced
    assert "thermo-" in analysed and "Inside 47.3" in analysed
    assert "humidity" in explored and "1.4.2" in explored


def test_producer_example_waits_for_a_server_that_is_away(make_server: ServerFactory) -> None:
    server = make_server().start()
    target = server.flight_url
    server.stop()
    script = [sys.executable, str(EXAMPLES / "produce.py"), "--target", target, "--events", "20000"]

    with subprocess.Popen(
        script, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=clean_environment()
    ) as producing:
        assert producing.stdout is not None
        assert "sending" in producing.stdout.readline()
        make_server("--flight-bind", target.removeprefix("grpc://"), name="back").start()
        rest = producing.stdout.read()

    assert producing.returncode == 0 and "20000 events are durable" in rest, rest


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl, which the example is about, is not installed")
def test_curl_example_gets_an_answer_to_each_question(make_server: ServerFactory) -> None:
    server = make_server().start()

    lines = run_example("bash", str(EXAMPLES / "http.sh"), server.http_url).split("\n")
    lines = [line for line in lines if line]

    answers = [json.loads(line) for line in lines if line.startswith("{")]
    assert [answer["accepted"] for answer in answers[:2]] == [1, 2]
    assert [answer["count"] for answer in answers[2:4]] == [3, 2]
    assert lines[-3:] == ["device_id,events,highest", "thermo-1,2,21.5", "thermo-2,1,19.0"]
