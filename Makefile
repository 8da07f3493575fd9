# The commands of the repository. `make demo` shows the engine at work, `make test` runs every test, `.ci/run` is what CI runs.
# Needed beforehand: a Rust toolchain and Python 3.10 or newer. Everything else is fetched below target/.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

CARGO ?= cargo
PYTHON ?= python3
# Three workers: servers under test wait more than they compute. Tests of a file share its server and stay together.
PYTEST_ARGS ?= -n 3 --dist loadfile

PYTHON_TESTS := flight-server/tests/python
REQUIREMENTS := $(PYTHON_TESTS)/requirements.txt
VENV := target/venv
VENV_PYTHON := $(VENV)/bin/python
# They ask as many random statements as there is time for, so they run alone.
RANDOM_TESTS := $(PYTHON_TESTS)/test_random_queries.py $(PYTHON_TESTS)/test_random_logic.py
# A copy of the requirements that the environment was made for: pip runs only when they differ.
VENV_STAMP := $(VENV)/requirements.installed

DEBUG_BINARY := $(CURDIR)/target/debug/hexflight
RELEASE_BINARY := $(CURDIR)/target/release/hexflight

pytest = HEXFLIGHT_BIN=$(DEBUG_BINARY) PYTHONDONTWRITEBYTECODE=1 $(VENV_PYTHON) -m pytest
section = @printf '\n=== %s ===\n' "$(1)"

.PHONY: help demo test test-rust test-python venv build release fmt clippy check bench kill handover backup clean

help: ## Lists the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{ printf "  make %-12s %s\n", $$1, $$2 }'

demo: ## Builds and runs the main job: devices stream in, four questions are answered and checked
	$(CARGO) run --release --bin hexflight -- demo

test: test-rust test-python ## Runs every test, Rust and Python
	$(call section,all tests passed)

test-rust: ## Runs the Rust tests
	$(call section,Rust tests)
	$(CARGO) test --workspace

test-python: venv build ## Runs the tests with real clients against a real server
	$(call section,Python tests: real clients against a real server)
	$(pytest) $(PYTHON_TESTS) $(RANDOM_TESTS:%=--ignore=%) $(PYTEST_ARGS)
	$(pytest) $(RANDOM_TESTS)

venv: ## Makes the Python environment of the tests below target/
	$(call section,Python environment)
	PYTHON='$(PYTHON)' $(PYTHON_TESTS)/make-venv.sh $(VENV) $(REQUIREMENTS) $(VENV_STAMP)

build: ## Builds the debug binary
	$(call section,debug build)
	$(CARGO) build --bin hexflight

release: ## Builds the release binary
	$(call section,release build)
	$(CARGO) build --release --bin hexflight

fmt: ## Formats the code
	$(CARGO) fmt --all

clippy: ## Checks the code with clippy, warnings are errors
	$(call section,clippy)
	$(CARGO) clippy --workspace --all-targets -- -D warnings

check: ## Checks format and lints without changing anything
	$(call section,format)
	$(CARGO) fmt --all --check
	@$(MAKE) --no-print-directory clippy

bench: venv ## Runs the measurements; wants a quiet machine
	$(call section,release build)
	$(CARGO) build --release -p hexflight -p hexflight-benches
	for what in commit encodings disk ack ingest memory restart; do target/release/hexflight-bench $$what; done
	$(VENV_PYTHON) benches/python/roundtrip.py
	$(VENV_PYTHON) benches/python/http_questions.py

kill: venv release ## Runs the long kill test: 200 kills
	$(call section,kill test)
	HEXFLIGHT_BIN=$(RELEASE_BINARY) $(VENV_PYTHON) $(PYTHON_TESTS)/killtest.py --kills 200

handover: venv release ## Runs the long handover test: 100,000 queries
	$(call section,handover test)
	HEXFLIGHT_BIN=$(RELEASE_BINARY) $(VENV_PYTHON) $(PYTHON_TESTS)/handover.py --queries 100000

backup: venv release ## Runs the long backup test: 20 backups under 250,000 events per second
	$(call section,backup test)
	HEXFLIGHT_BIN=$(RELEASE_BINARY) $(VENV_PYTHON) $(PYTHON_TESTS)/backuptest.py --backups 20 --rate 250000

clean: ## Removes everything that was built
	$(CARGO) clean
