"""`hexflight sql` as its users see it: formats, scripts, files, data directories, and the prompt at a real terminal."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import re
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.flight as flight
import pyarrow.parquet as parquet
import pytest

import flight_client
import hexserver
from hexserver import Server, metric
from sql_shell import CTRL_C, CTRL_D, ENTER, MORE, PROMPT, TAB, UP, WAIT_SECONDS, Terminal, sql

ROWS = 1_000

# Runs for hours, and gives no row before its end.
ENDLESS = (
    "SELECT count(*) FROM events a, events b, events c, events d"
    " WHERE a.value + b.value + c.value + d.value >= 0"
)

# A million rows and 250 MB of text, from a thousand events.
MILLION = "SELECT a.value AS a, repeat(b.device_id, 20) AS b FROM events a, events b"

# What the client may take for it, debug build and flow control windows included.
PEAK_KIB_MAX = 160 << 10


@pytest.fixture(scope="module")
def filled(server: Server) -> Server:
    """The shared server with a thousand events."""
    with flight_client.connect(server.flight_url) as client:
        flight_client.put(client, flight_client.events(ROWS, device="Gerät-❄"))
    return server


@pytest.fixture
def shell(filled: Server, tmp_path: Path) -> Iterator[Terminal]:
    """A prompt that is connected to the shared server."""
    with Terminal("--target", filled.flight_url, home=tmp_path) as terminal:
        terminal.expect(PROMPT)
        yield terminal


def running(server: Server) -> float:
    """Returns how many queries the server runs now."""
    return metric(server, "hexflight_query_running")


# --- formats


# Text with everything that a format has to quote, a missing value, a list and a value of JSON.
ODD = (
    "SELECT 'a,\"b\"' || chr(10) || 'ü❄' AS text, CAST(NULL AS DOUBLE) AS missing, [1, 2] AS list,"
    " metadata->'floor' AS json, h3, timestamp FROM events ORDER BY timestamp LIMIT 1"
)
ODD_TEXT = 'a,"b"\nü❄'


def test_csv_reads_back(filled: Server) -> None:
    answer = sql(ODD, "--format", "csv", server=filled)
    assert (answer.returncode, answer.stderr) == (0, "")
    (row,) = csv.DictReader(io.StringIO(answer.stdout))
    assert (row["text"], row["missing"], json.loads(row["list"]), row["json"]) == (ODD_TEXT, "", [1, 2], "3")
    assert row["timestamp"] == "2025-06-01T12:00:00Z"


def test_json_is_one_array_and_jsonl_one_object_per_line(filled: Server) -> None:
    array = json.loads(sql(ODD, "--format", "json", server=filled).stdout)
    lines = sql(ODD, "--format", "jsonl", server=filled).stdout.splitlines()
    assert array == [json.loads(line) for line in lines]
    (row,) = array
    assert (row["text"], row["missing"], row["list"], row["json"]) == (ODD_TEXT, None, [1, 2], "3")
    assert isinstance(row["h3"], int)


def test_parquet_reads_back_with_other_tools(filled: Server, tmp_path: Path) -> None:
    path = tmp_path / "out.parquet"
    answer = sql(ODD, "--format", "parquet", "-o", str(path), server=filled)
    assert (answer.returncode, answer.stdout) == (0, ""), answer.stderr
    (row,) = parquet.read_table(path).to_pylist()
    assert (row["text"], row["missing"], row["list"], row["json"]) == (ODD_TEXT, None, [1, 2], "3")
    assert duckdb.sql(f"SELECT text FROM '{path}'").fetchall() == [(ODD_TEXT,)]


def test_parquet_can_be_piped(filled: Server, tmp_path: Path) -> None:
    path = tmp_path / "piped.parquet"
    command = [str(hexserver.binary()), "sql", "--target", filled.flight_url, "--format", "parquet", "SELECT 7 AS n"]
    with path.open("wb") as pipe:
        subprocess.run(command, stdout=pipe, check=True, timeout=WAIT_SECONDS, env=hexserver.clean_environment())
    assert parquet.read_table(path).to_pylist() == [{"n": 7}]


def test_parquet_holds_one_result(filled: Server, tmp_path: Path) -> None:
    answer = sql("SELECT 1; SELECT 2", "--format", "parquet", "-o", str(tmp_path / "two"), server=filled)
    assert answer.returncode == 1
    assert "one result" in answer.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("form", "expected"), [("csv", "n,text\n"), ("json", "[]\n"), ("jsonl", ""), ("table", "| n | text |")]
)
def test_an_empty_result_is_a_whole_document(filled: Server, form: str, expected: str) -> None:
    answer = sql("SELECT 1 AS n, 'x' AS text WHERE 1 = 0", "--format", form, server=filled)
    assert answer.returncode == 0
    assert answer.stdout == expected or (form == "table" and expected in answer.stdout)


def test_an_empty_parquet_result_has_its_columns(filled: Server, tmp_path: Path) -> None:
    path = tmp_path / "empty.parquet"
    sql("SELECT device_id, value FROM events WHERE 1 = 0", "--format", "parquet", "-o", str(path), server=filled)
    assert parquet.read_table(path).column_names == ["device_id", "value"]


def test_a_table_in_a_pipe_has_every_row(filled: Server) -> None:
    answer = sql("SELECT a.value AS n FROM events a, events b LIMIT 25000", server=filled)
    assert sum(line.startswith("| ") and not line.startswith("| n") for line in answer.stdout.splitlines()) == 25_000
    assert "25,000 rows in" in answer.stderr


# --- statements from elsewhere


def test_statements_run_in_order(filled: Server) -> None:
    answer = sql("SELECT 'a;b' AS x; -- ; no\nSELECT 2 AS y;", "--format", "csv", server=filled)
    assert answer.stdout == "x\na;b\ny\n2\n"


def test_a_file_stops_at_its_first_error_and_names_the_line(filled: Server, tmp_path: Path) -> None:
    script = tmp_path / "script.sql"
    script.write_text("SELECT 1 AS one;\n\n/* second */\nSELECT nope FROM events;\nSELECT 3 AS three;\n")
    answer = sql("-f", str(script), "--format", "csv", server=filled)
    assert (answer.returncode, answer.stdout) == (1, "one\n1\n")
    assert answer.stderr.startswith(f"hexflight: {script}:4: ")
    assert "nope" in answer.stderr


def test_a_syntax_error_has_a_caret_below_its_place(filled: Server) -> None:
    answer = sql("SELECT 1 +\n  ) FROM events", server=filled)
    error, line, caret = answer.stderr.splitlines()
    assert "INVALID_ARGUMENT" in error
    assert line == "LINE 2:   ) FROM events"
    assert caret.index("^") == line.index(")")


@pytest.mark.parametrize("arguments", [["-f", "-"], []])
def test_stdin_is_a_script(filled: Server, arguments: list[str]) -> None:
    script = "SELECT 1 AS n;\n\\format jsonl\nSELECT 2 AS n"
    answer = sql(*arguments, "--format", "csv", server=filled, input=script)
    assert (answer.returncode, answer.stdout) == (0, 'n\n1\n{"n":2}\n')


def test_a_script_that_is_no_text_is_refused(filled: Server, tmp_path: Path) -> None:
    script = tmp_path / "script.sql"
    script.write_bytes(b"SELECT '\xff'")
    answer = sql("-f", str(script), server=filled)
    assert (answer.returncode, answer.stdout) == (1, "")
    assert "not UTF-8 text at byte 8" in answer.stderr


def test_no_server_is_one_line_that_says_what_to_do() -> None:
    answer = sql("SELECT 1", "--target", "http://127.0.0.1:1")
    assert answer.returncode == 1
    assert answer.stderr.startswith("hexflight: cannot connect to http://127.0.0.1:1")
    assert answer.stderr.count("\n") == 1


# --- output files


def test_an_output_file_holds_all_results_once_all_are_there(filled: Server, tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    answer = sql("SELECT 1 AS a; SELECT 2 AS b", "--format", "csv", "-o", str(path), server=filled)
    assert (answer.returncode, answer.stdout) == (0, "")
    assert path.read_text() == "a\n1\nb\n2\n"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_a_query_that_fails_leaves_no_file(filled: Server, tmp_path: Path, form: str) -> None:
    # Rows come before the one whose value cannot be computed.
    failing = "SELECT 1 / CAST(998 - value AS BIGINT) AS n FROM events"
    path = tmp_path / f"out.{form}"
    answer = sql(failing, "--format", form, "-o", str(path), server=filled)
    assert answer.returncode == 1
    assert "division by zero" in answer.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_query_that_is_interrupted_leaves_the_old_file(filled: Server, tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    path.write_text("old")
    command = [str(hexserver.binary()), "sql", "--target", filled.flight_url, "-o", str(path), ENDLESS]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=hexserver.clean_environment())
    hexserver.wait_until(lambda: running(filled) == 1, WAIT_SECONDS, "the query runs")
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=WAIT_SECONDS)
    assert (process.returncode, error) == (1, "hexflight: cancelled\n")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
    hexserver.wait_until(lambda: running(filled) == 0, WAIT_SECONDS, "the query has ended")


def test_an_output_that_cannot_be_written_is_named(filled: Server, tmp_path: Path) -> None:
    answer = sql("SELECT 1", "-o", str(tmp_path / "missing" / "out"), server=filled)
    assert answer.returncode == 1
    assert "missing/out" in answer.stderr


# --- bounds


def test_a_million_rows_go_through_in_little_memory(filled: Server) -> None:
    command = [str(hexserver.binary()), "sql", "--target", filled.flight_url, "--format", "csv", MILLION]
    lines = peak_kib = 0
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=hexserver.clean_environment()) as process:
        assert process.stdout is not None
        for _ in process.stdout:
            if lines % 10_000 == 0:
                peak_kib = peak_memory_kib(process.pid)
            lines += 1
    assert (process.returncode, lines) == (0, ROWS * ROWS + 1)
    assert 0 < peak_kib < PEAK_KIB_MAX


def peak_memory_kib(pid: int) -> int:
    """Returns the most memory that a process has had so far."""
    status = Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:"))


def test_a_reader_that_leaves_is_no_error_and_stops_the_query(filled: Server) -> None:
    command = [str(hexserver.binary()), "sql", "--target", filled.flight_url, "--format", "csv", MILLION]
    environment = hexserver.clean_environment()
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, env=environment, **pipes) as process:
        assert process.stdout is not None and process.stderr is not None
        assert process.stdout.readline() == b"a,b\n"
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 0
    hexserver.wait_until(lambda: running(filled) == 0, WAIT_SECONDS, "the query has ended")


# --- data directories


def test_a_closed_data_directory_is_asked_and_left_closed(make_server: Callable[..., Server]) -> None:
    server = make_server().start()
    with flight_client.connect(server.flight_url) as client:
        flight_client.put(client, flight_client.events(10))
    server.stop()
    for _ in range(2):
        answer = sql("SELECT count(*) AS n FROM events", "--format", "csv", "--data-dir", str(server.data_dir))
        assert (answer.returncode, answer.stdout) == (0, "n\n10\n"), answer.stderr
    server.start()
    with flight_client.connect(server.flight_url) as client:
        assert flight_client.event_count(client) == 10


def test_a_data_directory_is_left_as_a_killed_server_left_it(make_server: Callable[..., Server]) -> None:
    server = make_server().start()
    with flight_client.connect(server.flight_url) as client:
        flight_client.put(client, flight_client.events(10))
    server.kill()

    def stored() -> dict[Path, bytes]:
        return {path: path.read_bytes() for path in server.data_dir.rglob("*") if path.is_file()}

    before = stored()
    answer = sql("SELECT count(*) AS n FROM events", "--format", "csv", "--data-dir", str(server.data_dir))
    assert (answer.returncode, answer.stdout) == (0, "n\n10\n"), answer.stderr
    assert stored() == before


def test_a_data_directory_wins_over_the_environment(make_server: Callable[..., Server]) -> None:
    server = make_server().start()
    server.stop()
    environment = {"HEXFLIGHT_TARGET": "http://127.0.0.1:1"}
    answer = sql("SELECT 1 AS n", "--format", "csv", "--data-dir", str(server.data_dir), env=environment)
    assert (answer.returncode, answer.stdout) == (0, "n\n1\n"), answer.stderr


def test_a_data_directory_that_a_server_holds_is_refused(filled: Server) -> None:
    answer = sql("SELECT 1", "--data-dir", str(filled.data_dir))
    assert answer.returncode == 1
    assert "a server holds it; ask that server with --target" in answer.stderr
    assert answer.stderr.count("\n") == 1


def test_what_is_no_data_directory_is_not_made_one(tmp_path: Path) -> None:
    missing = tmp_path / "missing"
    answer = sql("SELECT 1", "--data-dir", str(missing))
    assert answer.returncode == 1
    assert str(missing) in answer.stderr and "no such folder" in answer.stderr
    assert not missing.exists()
    answer = sql("SELECT 1", "--data-dir", str(tmp_path))
    assert answer.returncode == 1
    assert "not a data directory" in answer.stderr
    assert list(tmp_path.iterdir()) == []


# --- progress


def ticket_of(client: flight.FlightClient, statement: str) -> flight.Ticket:
    """Returns the ticket of a statement that has not started."""
    info = client.get_flight_info(flight.FlightDescriptor.for_command(statement.encode()))
    return info.endpoints[0].ticket


def progress(client: flight.FlightClient, body: bytes) -> dict[str, object]:
    """Asks how far a query is."""
    (answer,) = client.do_action(flight.Action("hexflight.QueryProgress", body))
    return json.loads(answer.body.to_pybytes())


def test_progress_follows_a_query_to_its_end(filled: Server) -> None:
    with flight_client.connect(filled.flight_url) as client:
        ticket = ticket_of(client, "SELECT value FROM events WHERE type = 'temperature'")
        with pytest.raises(pa.ArrowKeyError, match="no query .* runs or ended lately"):
            progress(client, ticket.ticket)
        assert client.do_get(ticket).read_all().num_rows == ROWS
        done = hexserver.wait_until(
            lambda: (report := progress(client, ticket.ticket))["state"] == "done" and report, WAIT_SECONDS, "done"
        )
    assert done["rows_scanned"] == ROWS
    assert done["memory_batches_total"] + done["files_total"] == 1
    assert done["memory_batches_pruned"] + done["files_pruned"] == 0


def test_progress_counts_what_was_pruned(filled: Server) -> None:
    with flight_client.connect(filled.flight_url) as client:
        ticket = ticket_of(client, "SELECT value FROM events WHERE type = 'no such type'")
        client.do_get(ticket).read_all()
        done = progress(client, ticket.ticket)
    assert done["rows_scanned"] == 0
    assert done["memory_batches_pruned"] + done["files_pruned"] == 1


@pytest.mark.parametrize("body", [b"", b"no query", b"SELECT 1", b"\x0a\x01"])
def test_progress_of_nothing_is_invalid(filled: Server, body: bytes) -> None:
    with flight_client.connect(filled.flight_url) as client, pytest.raises(pa.ArrowInvalid, match="QueryProgress"):
        progress(client, body)


def test_progress_of_an_unknown_id_names_it(filled: Server) -> None:
    with flight_client.connect(filled.flight_url) as client:
        with pytest.raises(pa.ArrowKeyError, match="00000000-0000-0000-0000-000000000000"):
            progress(client, bytes(16))


def test_a_slow_query_shows_progress_and_a_fast_one_does_not(shell: Terminal, filled: Server) -> None:
    assert "scanned" not in shell.run("SELECT count(*) FROM events;")
    shell.type(ENDLESS + ";" + ENTER)
    shell.expect("running: ")
    shell.expect("rows scanned, ")
    shell.expect("pruned, ")
    shell.type(CTRL_C)
    shell.expect("cancelled")
    shell.prompt()


def test_progress_can_be_had_without_a_terminal(filled: Server) -> None:
    command = [str(hexserver.binary()), "sql", "--target", filled.flight_url]
    environment = hexserver.clean_environment()
    with subprocess.Popen([*command, "--progress", ENDLESS], stderr=subprocess.PIPE, env=environment) as process:
        assert process.stderr is not None
        assert b"rows scanned" in process.stderr.readline()
        process.terminate()
        assert process.stderr.read() == b"hexflight: cancelled\n"
    assert process.returncode == 1


# --- the prompt


def test_statements_span_lines_until_their_semicolon(shell: Terminal) -> None:
    shell.type("SELECT 'a;" + ENTER)
    shell.expect(MORE)
    shell.type("b' AS text" + ENTER)
    shell.expect(MORE)
    shell.type(";" + ENTER)
    shell.expect("| text |")
    shell.expect("1 row")
    shell.prompt()


def test_tables_and_their_columns_are_described(shell: Terminal) -> None:
    assert re.search(r"\| events +\| 8 ", shell.run(r"\d"))
    columns = shell.run(r"\d events")
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in columns.splitlines() if line.startswith("|")]
    assert rows[0] == ["column", "type", "nullable"]
    assert ["device_id", "Utf8", "no"] in rows and ["h3", "Int64", "yes"] in rows
    assert "table 'nope' does not exist; tables: events" in shell.run(r"\d nope")


def test_timing_is_switched(shell: Terminal) -> None:
    assert " ms" not in shell.run("SELECT 1;")
    assert "timing is on" in shell.run(r"\timing")
    assert "1 row in " in shell.run("SELECT 1;")
    assert "timing is off" in shell.run(r"\timing off")
    assert " ms" not in shell.run("SELECT 1;")


def test_display_and_format_are_switched(shell: Terminal) -> None:
    shell.run(r"\x")
    assert "-[ row 1 ]-\nn    | 1\nlong | x" in shell.run("SELECT 1 AS n, 'x' AS long;")
    shell.run(r"\x off")
    shell.run(r"\format jsonl")
    assert '{"n":1}' in shell.run("SELECT 1 AS n;")
    assert "must be one of table, csv, json, jsonl, parquet" in shell.run(r"\format xml")
    shell.run(r"\format parquet")
    assert r"give a file with \o FILE" in shell.run("SELECT 1;")


def test_results_go_to_a_file_and_back(shell: Terminal, tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    shell.run(r"\format csv")
    shell.run(rf"\o {path}")
    assert "4711" not in shell.run("SELECT 4700 + 11 AS n;")
    assert path.read_text() == "n\n4711\n"
    shell.run("SELECT 1 / CAST(998 - value AS BIGINT) AS n FROM events;")
    shell.run("SELECT 5 AS n;")
    assert path.read_text() == "n\n4711\nn\n5\n"
    assert str(path) in shell.run(r"\o")
    assert "4711" in shell.run("SELECT 4700 + 11 AS n;")


def test_a_file_is_run_and_may_fail(shell: Terminal, tmp_path: Path) -> None:
    script = tmp_path / "script.sql"
    script.write_text("SELECT 4700 + 11 AS n;\nSELECT nope;\n")
    shown = shell.run(rf"\i {script}")
    assert "4711" in shown and f"error: {script}:2: " in shown
    script.write_text(rf"\i {script}")
    assert "is limited to 16" in shell.run(rf"\i {script}")


def test_an_error_has_a_caret_and_leaves_the_prompt(shell: Terminal) -> None:
    shown = shell.run("SELECT 1 + ) FROM events;")
    assert "error: " in shown and "LINE 1: " in shown and "^" in shown
    assert "unknown command" in shell.run(r"\dance")
    assert "| 1 " in shell.run("SELECT 1;")


def test_a_statement_is_recalled_in_the_next_session(filled: Server, tmp_path: Path) -> None:
    with Terminal("--target", filled.flight_url, home=tmp_path) as first:
        first.expect(PROMPT)
        first.run("SELECT 4700 + 11 AS first_of_all;")
        first.type(CTRL_D)
        assert first.end() == 0
    history = tmp_path / ".local/state/hexflight/history"
    assert history.read_text() == "SELECT 4700 + 11 AS first_of_all;\n"
    assert history.stat().st_mode & 0o777 == 0o600
    with Terminal("--target", filled.flight_url, home=tmp_path) as second:
        second.expect(PROMPT)
        second.type(UP)
        second.expect("first_of_all;")
        second.type(ENTER)
        second.expect("| 4711 ")


def test_history_follows_the_state_folder_and_can_be_missing(filled: Server, tmp_path: Path) -> None:
    state = tmp_path / "state"
    environment = {"XDG_STATE_HOME": str(state)}
    with Terminal("--target", filled.flight_url, home=tmp_path, env=environment) as terminal:
        terminal.expect(PROMPT)
        terminal.run("SELECT 1;")
        assert (state / "hexflight" / "history").read_text() == "SELECT 1;\n"
    state = tmp_path / "file"
    state.write_text("in the way")
    with Terminal("--target", filled.flight_url, home=tmp_path, env={"XDG_STATE_HOME": str(state)}) as terminal:
        terminal.expect(PROMPT)
        assert "| 1 " in terminal.run("SELECT 1;")


def test_tab_completes_tables_columns_keywords_and_commands(shell: Terminal) -> None:
    shell.type("SELECT count(longi" + TAB)
    shell.expect("count(longitude")
    shell.type(") AS n FROM eve" + TAB)
    shell.expect("FROM events")
    shell.type(" WHER" + TAB)
    shell.expect("events WHERE ")
    shell.type("value >= 0;" + ENTER)
    shell.expect("| 1000 ")
    shell.prompt()
    shell.type(r"\tim" + TAB + ENTER)
    shell.expect("timing is on")


def test_ctrl_c_clears_the_line_and_ctrl_d_quits(shell: Terminal) -> None:
    shell.type("SELECT oops" + CTRL_C)
    shell.expect(PROMPT)
    assert "error" not in shell.run("SELECT 1;")
    shell.type(CTRL_D)
    assert shell.end() == 0


@pytest.mark.parametrize("word", [r"\q", "quit", "exit;"])
def test_words_that_quit(shell: Terminal, word: str) -> None:
    shell.type(word + ENTER)
    assert shell.end() == 0


def test_sigterm_ends_the_shell_also_after_a_query(shell: Terminal) -> None:
    shell.run("SELECT 1;")
    shell.signal_terminate()
    assert shell.end() == 0


def test_ctrl_c_cancels_the_query_on_the_server(shell: Terminal, filled: Server) -> None:
    shell.type(ENDLESS + ";" + ENTER)
    hexserver.wait_until(lambda: running(filled) == 1, WAIT_SECONDS, "the query runs")
    shell.type(CTRL_C)
    shell.expect("cancelled")
    shell.prompt()
    hexserver.wait_until(lambda: running(filled) == 0, WAIT_SECONDS, "the query has ended")
    assert "| 1 " in shell.run("SELECT 1;")


def test_a_long_result_ends_early_on_a_terminal(shell: Terminal, filled: Server) -> None:
    shell.type("SELECT a.value FROM events a, events b;" + ENTER)
    shell.expect("more rows: the first 10000 are shown")
    shell.expect("stopped early")
    hexserver.wait_until(lambda: running(filled) == 0, WAIT_SECONDS, "the query has ended")
    shell.prompt()


def test_a_lost_server_is_found_again(make_server: Callable[..., Server], tmp_path: Path) -> None:
    server = make_server().start()
    address = server.flight_url
    with Terminal("--target", address, home=tmp_path) as shell:
        shell.expect(PROMPT)
        shell.run("SELECT 1;")
        server.kill()
        assert "error: " in shell.run("SELECT 2;")
        with serving(tmp_path / "again", address):
            assert "| 3 " in shell.run("SELECT 3;")


@contextlib.contextmanager
def serving(data_dir: Path, flight_url: str) -> Iterator[None]:
    """Runs a server at an address that another one had."""
    binds = ["--flight-bind", flight_url.removeprefix("grpc://"), "--http-bind", "127.0.0.1:0"]
    command = [str(hexserver.binary()), "serve", "--data-dir", str(data_dir), *binds]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=hexserver.clean_environment()) as process:
        assert process.stdout is not None
        assert flight_url.encode() in process.stdout.readline()
        yield
        process.terminate()


def test_a_prompt_without_a_server_says_so_and_ends(tmp_path: Path) -> None:
    with Terminal("--target", "http://127.0.0.1:1", home=tmp_path) as shell:
        shell.expect("cannot connect to http://127.0.0.1:1")
        assert shell.end() == 1


def test_a_prompt_over_a_data_directory(make_server: Callable[..., Server], tmp_path: Path) -> None:
    server = make_server().start()
    server.stop()
    with Terminal("--data-dir", str(server.data_dir), home=tmp_path) as shell:
        shell.expect(PROMPT)
        assert "| 0 " in shell.run("SELECT count(*) FROM events;")
        shell.type(r"\q" + ENTER)
        assert shell.end() == 0
    server.start()
