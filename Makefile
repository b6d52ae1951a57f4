# Everything runs from .venv, which `make setup` makes; nothing else is needed but Python 3.11 and make.
PYTHON ?= python3
BIN := .venv/bin
export PYTHONDONTWRITEBYTECODE ?= 1

.PHONY: help setup run test test-postgres15 test-spark check format bench clean

help: ## list the targets
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-16s %s\n", $$1, $$2}'

setup: .venv/.ready ## make .venv with the reqledger command

.venv/.ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

run: setup ## start the ledger with a simulated year on http://127.0.0.1:8000 (PORT, LEDGER_HOME)
	$(BIN)/reqledger demo

# a file's tests stay together, as they share a server; files are taken by name and not the fullest first, as the slowest
# hold few; there are more workers than cores, as they wait for the server
WORKERS ?= 3
TESTS := $(BIN)/python -m pytest -m "not spark" -n $(WORKERS) --dist loadfile --no-loadscope-reorder
test: setup ## run every test on the embedded PostgreSQL
	$(TESTS)

POSTGRES_BIN ?= /usr/lib/postgresql/15/bin
WITH_POSTGRES15 ?= tests
test-postgres15: setup ## run every test (or those of WITH_POSTGRES15) on a PostgreSQL 15 started from POSTGRES_BIN
	TEST_POSTGRES_BIN=$(POSTGRES_BIN) $(TESTS) $(WITH_POSTGRES15)

test-spark: setup ## add the extra `spark` and run its tests (needs Java 17; minutes)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[spark]'
	$(BIN)/python -m pytest -m spark tests/spark

check: setup ## lint, types and import contracts
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: setup ## format and fix what can be fixed
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: setup ## measure appends, visibility, catching up and rebuilding (minutes)
	$(BIN)/python -m tests.benchmarks

clean: ## remove the virtual environment and caches
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis
