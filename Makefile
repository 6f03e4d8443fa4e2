# Everything starts here: `make demo` on a fresh clone needs only Python 3.11 to 3.13, a C compiler
# and make. What else is needed comes from package registries and goes into .venv/ and var/.

SHELL := /bin/sh
MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help

PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null && echo $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin
VAR := $(or $(DIALPLANE_VAR),var)
INSTALLED := $(VENV)/.installed
# A process of tests for each processor, each with a Postgres and a Redis of its own; one that is
# done takes over some of what another has left.
SIDE_BY_SIDE := -n logical --maxprocesses 4 --dist worksteal
# The same with a whole stack for each: calls take time and little else.
TWO_STACKS := -n logical --maxprocesses 2 --dist worksteal
# What only tests need, and is not here: clients of the API.
CLIENTS := $(strip \
	$(if $(shell command -v chromium chromium-browser google-chrome 2>/dev/null),,chromium) \
	$(if $(shell command -v node 2>/dev/null),,nodejs) \
	$(if $(shell command -v curl 2>/dev/null),,curl) \
	$(if $(shell command -v jq 2>/dev/null),,jq))

.PHONY: help
help: ## Show this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: demo
demo: servers ## Place a real call to an agent, show what was said, and stop again
	@$(BIN)/python -m stack demo

.PHONY: up
up: servers ## Keep the same stack running until Ctrl-C
	@$(BIN)/python -m stack up

# In two parts: calls are judged by ear, which a machine that is fully used would spoil.
.PHONY: test
test: servers clients check ## Run all checks and all tests
	@$(BIN)/pytest $(SIDE_BY_SIDE) --ignore tests/e2e
	@$(BIN)/pytest $(TWO_STACKS) tests/e2e

.PHONY: unit
unit: $(INSTALLED) ## Run the tests that take milliseconds
	@$(BIN)/pytest tests/unit tests/architecture

.PHONY: e2e
e2e: servers clients ## Run the tests that place real calls
	@$(BIN)/pytest $(TWO_STACKS) tests/e2e

.PHONY: fuzz
fuzz: $(INSTALLED) ## Ask every operation of the API with made-up data, 50 examples each
	@DIALPLANE_FUZZ_EXAMPLES=$(or $(EXAMPLES),50) $(BIN)/pytest tests/fuzz

.PHONY: check
check: $(INSTALLED) ## Format, lint, types and import rules, without changing anything
	@$(MAKE) -j2 check-types check-style

.PHONY: check-types
check-types:
	@$(BIN)/mypy

.PHONY: check-style
check-style:
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/lint-imports

.PHONY: fmt
fmt: $(INSTALLED) ## Format and fix what can be fixed
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

.PHONY: bench
bench: servers ## Compare with a minimal livekit-agents worker, side by side
	@$(BIN)/python -u -m bench

.PHONY: migrate
migrate: $(INSTALLED) ## Bring the database of DATABASE_URL to the newest schema
	@$(BIN)/python -m dispatch migrate

.PHONY: lock
lock: $(INSTALLED) ## Resolve the dependencies again and write the lock files
	@$(BIN)/python -m pip install --quiet uv
	@$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header \
		--python-version 3.11 pyproject.toml --group dev -o requirements.lock
	@$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header \
		--python-version 3.11 -c requirements.lock pyproject.toml -o requirements-runtime.lock
	@$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header \
		--no-annotate --python-version 3.11 stack/toolchain.in -o stack/toolchain.lock

.PHONY: clean
clean: ## Remove the environment, the data and everything built
	@rm -rf $(VENV) $(VAR) .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache .coverage*

# The two slow halves of a first start, side by side: pip mostly waits for the network while the
# Go compiler uses the processors.
.PHONY: servers
servers: $(BIN)/python
	@$(MAKE) -j2 $(INSTALLED) livekit-servers

.PHONY: livekit-servers
livekit-servers: $(BIN)/python
	@$(BIN)/python -m stack.build $(VAR)

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "Dialplane needs Python 3.11, 3.12 or 3.13; none was found on PATH."; \
		echo "Install one, or name it: make PYTHON=/path/to/python3.12 $(MAKECMDGOALS)"; exit 1; }
	@echo "making a Python environment in $(VENV)"
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
		echo "$(PYTHON) -m venv failed; on Debian and Ubuntu: apt-get install python3-venv"; exit 1; }

$(INSTALLED): requirements.lock pyproject.toml | $(BIN)/python
	@echo "installing the Python packages of requirements.lock"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	@echo "the Python packages are installed"
	@touch $@

# Tests are clients of the API as others write them: pages in Chromium, programs in Node, commands
# with curl and jq. Without one of them, and without the right to install it, its tests are skipped
# and say so; where CI is set, they fail.
.PHONY: clients
clients: $(INSTALLED)
ifneq ($(CLIENTS),)
	@$(BIN)/python -m stack.debian $(CLIENTS)
endif
