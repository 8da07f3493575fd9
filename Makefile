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

.PHONY: help demo test test-rust test-python venv build release fmt clippy doc spell check fuzz audit dist bench clean \
	soak-random soak-logic soak-doubles soak-damage soak-damage-engine soak-simulation soak-kill soak-kill-damaged soak-handover soak-backup \
	soak-bounded soak-bounded-short soak-bounded-input soak-overload

help: ## Lists the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{ printf "  make %-18s %s\n", $$1, $$2 }'

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

doc: ## Builds the Rust documentation, warnings are errors
	$(call section,rustdoc)
	RUSTDOCFLAGS='-D warnings' $(CARGO) doc --workspace --no-deps --document-private-items

spell: venv ## Looks for misspelt words
	$(call section,spelling)
	$(VENV)/bin/typos

check: ## Checks format, lints, documentation and spelling without changing anything
	$(call section,format)
	$(CARGO) fmt --all --check
	@$(MAKE) --no-print-directory clippy doc spell

# Each builds all that it stands on once more, with instruments; the last three stand on DataFusion.
FUZZ_TARGETS ?= wal_object rollup_object ipc_messages json_document sql_text
FUZZ_SECONDS ?= 60

fuzz: ## Fuzzes each target for FUZZ_SECONDS; needs a nightly toolchain
	for target in $(FUZZ_TARGETS); do fuzz/run.sh $$target $(FUZZ_SECONDS) || exit 1; done

audit: ## Looks for advisories about dependencies; needs cargo-deny and the network
	$(call section,advisories)
	$(CARGO) deny check

dist: ## Makes a tarball of the binary, and one of its debug information
	$(call section,tarballs)
	HEXFLIGHT_SYMBOLS=1 $(CARGO) build --release --bin hexflight
	mkdir -p target/dist
	objcopy --only-keep-debug $(RELEASE_BINARY) target/dist/hexflight.debug
	objcopy --strip-all --add-gnu-debuglink=target/dist/hexflight.debug $(RELEASE_BINARY) target/dist/hexflight
	cp README.md LICENSE CHANGELOG.md target/dist/
	version=$$(target/dist/hexflight --version | cut -d' ' -f2)-$$(uname -m); \
	tar -C target/dist -czf target/hexflight-$$version.tar.gz hexflight README.md LICENSE CHANGELOG.md; \
	tar -C target/dist -czf target/hexflight-$$version-debug.tar.gz hexflight.debug
	ls -l target/hexflight-*.tar.gz

bench: venv ## Runs the measurements; wants a quiet machine
	$(call section,release build)
	$(CARGO) build --release -p hexflight -p hexflight-benches
	for what in commit encodings disk ack ingest memory restart; do target/release/hexflight-bench $$what; done
	$(VENV_PYTHON) benches/python/roundtrip.py
	$(VENV_PYTHON) benches/python/http_questions.py

# Long forms: release builds, ROUNDS rounds with seeds from SEED on, at most 100 minutes a run; results add up below target/soak/.
SEED ?= 1
ROUNDS ?= 10
soak = HEXFLIGHT_BIN=$(RELEASE_BINARY) $(VENV_PYTHON) $(PYTHON_TESTS)/soak.py --seed $(SEED) --rounds $(ROUNDS)

soak-random: venv release ## Soaks: random aggregates against DuckDB, 5,000 a round
	$(soak) --size 5000 --size-variable HEXFLIGHT_RANDOM_QUERIES random -- $(VENV_PYTHON) -m pytest -q $(PYTHON_TESTS)/test_random_queries.py

soak-logic: venv release ## Soaks: random three-valued logic against DuckDB, 5,000 a round
	$(soak) --size 5000 --size-variable HEXFLIGHT_RANDOM_QUERIES logic -- $(VENV_PYTHON) -m pytest -q $(PYTHON_TESTS)/test_random_logic.py

soak-doubles: venv release ## Soaks: doubles through every door with real clients, 100,000 a round
	$(soak) --size 100000 --size-variable HEXFLIGHT_DOUBLES doubles -- $(VENV_PYTHON) -m pytest -q $(PYTHON_TESTS)/test_numbers.py

soak-damage: venv release ## Soaks: every kind of stored object damaged, whole processes, 200 times each a round
	$(soak) --size 200 damage -- $(VENV_PYTHON) $(PYTHON_TESTS)/damagetest.py --rounds {size} --seed {seed}

soak-damage-engine: venv ## Soaks: the same within one process, 200 times each a round
	$(soak) --size 200 --size-variable HEXFLIGHT_DAMAGE_ROUNDS damage-engine -- $(CARGO) test --release --workspace --test it damage

soak-simulation: venv ## Soaks: two engines on one thread, each world twice, 20 worlds a round
	$(soak) --size 20 --size-variable HEXFLIGHT_SIMULATIONS simulation -- $(CARGO) test --release -p hexflight-engine --test it simulation

soak-kill: venv release ## Soaks: kills at every moment, 200 a round
	$(soak) --size 200 kill -- $(VENV_PYTHON) $(PYTHON_TESTS)/killtest.py --kills {size} --seed {seed}

soak-kill-damaged: venv release ## Soaks: the same with an object damaged behind each kill
	$(soak) --size 200 kill-damaged -- $(VENV_PYTHON) $(PYTHON_TESTS)/killtest.py --damage --kills {size} --seed {seed}

soak-handover: venv release ## Soaks: counts while rows move to files, 100,000 queries a round
	$(soak) --size 100000 handover -- $(VENV_PYTHON) $(PYTHON_TESTS)/handover.py --queries {size}

soak-backup: venv release ## Soaks: backups under 250,000 events per second, 20 a round
	$(soak) --size 20 backup -- $(VENV_PYTHON) $(PYTHON_TESTS)/backuptest.py --backups {size} --rate 250000

soak-bounded: venv release ## Soaks: half an hour of devices, dashboards, analysts, readers that do not read and an attacker, on 512 MiB
	$(soak) --size 1800 bounded -- $(VENV_PYTHON) $(PYTHON_TESTS)/boundedtest.py --seconds {size}

soak-bounded-short: venv release ## Soaks: the same for 3 minutes
	$(soak) --size 180 bounded-short -- $(VENV_PYTHON) $(PYTHON_TESTS)/boundedtest.py --seconds {size}

# Memory limit of the soaks below, in MiB: 512 or 1024.
MIB ?= 512

soak-bounded-input: venv release ## Soaks: all that strangers, writers and statements can send to take memory, twelve times as much, on MIB=512
	HEXFLIGHT_BOUNDED_MIB=$(MIB) $(soak) --size 12 --size-variable HEXFLIGHT_BOUNDED_SCALE bounded-input -- $(VENV_PYTHON) -m pytest -q -s \
		$(addprefix $(PYTHON_TESTS)/,test_strangers.py test_bounded.py test_bounded_input.py test_unread_results.py)

soak-overload: venv release ## Soaks: 500 heavy statements at once beside appends and dashboards, on 1 GiB
	$(soak) --size 500 overload -- $(VENV_PYTHON) $(PYTHON_TESTS)/overloadtest.py --statements {size}

clean: ## Removes everything that was built
	$(CARGO) clean
