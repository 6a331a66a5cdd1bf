# The one-word commands of KoshFlow. `make` alone lists them.
#
# Everything is installed into .venv from files that name each package's hash, and only when such a file has changed.
# PORT, HOST, DATABASE_URL, REDIS_URL and KOSHFLOW_DATA_DIR are passed on to `run` and `demo`.

PYTHON ?= python3
ARGS ?=
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --disable-pip-version-check --quiet --require-hashes
# Each is a step of a minute or so that itself says nothing.
INSTALL = echo "Installing the $$(grep -c '^[a-z0-9].*==' $<) packages of $< into .venv, each checked by its hash ..."
COMPILE := UV_CUSTOM_COMPILE_COMMAND="make lock" $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --no-strip-extras --generate-hashes

.DEFAULT_GOAL := help
.PHONY: help run demo test e2e lint lint-types lint-style check bench docs lock clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z0-9]+:.*## / { printf "make %-6s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

run: .venv/.runtime ## serve on http://127.0.0.1:8000; keys, database and first administrator are made if missing
	@exec $(BIN)/python -m koshflow.launch

demo: .venv/.runtime ## the same, filled with a believable company
	@exec $(BIN)/python -m koshflow.launch --demo

test: .venv/.test ## the tests, on SQLite and on PostgreSQL and Redis; ARGS="--leg real -- tests/accounts -k login"
	@$(BIN)/python tests/run.py $(ARGS)

e2e: .venv/.e2e ## the browser tests, in the system's Chromium
	@command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null \
		|| { echo "make e2e needs Chromium: apt-get install chromium" >&2; exit 1; }
	@# A process for half of the modules: each has a story of its own, whose tests stay together.
	@$(BIN)/python tests/run.py --leg embedded -- tests/browser -n 2 --dist loadfile $(ARGS)

lint: lint-types lint-style ## style, types and known-bad calls

# Apart, for `make --jobs 2`: it takes as long as all the others.
lint-types: .venv/.dev
	KOSHFLOW_ENV=test $(BIN)/mypy

lint-style: .venv/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	@# B608 is ruff's S608, whose exceptions stand where they are.
	$(BIN)/bandit --quiet --severity-level medium --skip B608 --recursive koshflow accounts security monitoring

check: .venv/.test ## Django's deployment checks under production's settings; no migration is missing
	@$(BIN)/python -m tests.production_check

bench: .venv/.test ## the measurements behind the numbers in docs
	@$(BIN)/python -m tests.performance.bench $(ARGS)

docs: .venv/.test ## write the documents that follow from the code: errors, settings template, OpenAPI
	@$(BIN)/python -m tests.docs.write

lock: .venv/.dev ## compile requirements/*.in into files with hashes; ARGS=--upgrade takes newer releases
	$(COMPILE) $(ARGS) requirements/runtime.in --output-file requirements.txt
	$(COMPILE) $(ARGS) requirements/test.in --output-file requirements/test.txt
	$(COMPILE) $(ARGS) requirements/sentry.in --output-file requirements/sentry.txt
	$(COMPILE) $(ARGS) requirements/dev.in --output-file requirements/dev.txt
	$(COMPILE) $(ARGS) requirements/e2e.in --output-file requirements/e2e.txt

clean: ## delete .venv and caches; var/ (your data) stays
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis htmlcov .coverage .coverage.*
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# A stamp is touched after its packages are in, so an interrupted installation is taken up again. A python that is made
# anew is newer than each stamp that an earlier one left: of a link its own age counts, not that of the system's python.
MAKEFLAGS += --check-symlink-times
$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
		|| { echo "KoshFlow needs Python 3.11 or newer: apt-get install python3 python3-venv, or make PYTHON=/path/to/python" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null \
		|| { echo "KoshFlow needs Python's venv module: apt-get install python3-venv" >&2; exit 1; }
	@echo "Making a virtual environment in .venv ..."
	@$(PYTHON) -m venv --clear .venv

.venv/.runtime: requirements.txt $(BIN)/python
	@$(INSTALL)
	@$(PIP) -r requirements.txt
	@touch $@

.venv/.test: requirements/test.txt .venv/.runtime
	@$(INSTALL)
	@$(PIP) -r requirements/test.txt
	@touch $@

.venv/.dev: requirements/dev.txt .venv/.test
	@$(INSTALL)
	@$(PIP) -r requirements/dev.txt
	@touch $@

.venv/.e2e: requirements/e2e.txt .venv/.test
	@$(INSTALL)
	@$(PIP) -r requirements/e2e.txt
	@touch $@
