# Everything a developer or an operator on one machine needs; `make help` lists it.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?= $(shell command -v python3.11 || command -v python3)
PORT ?= 8080
WORKERS ?= 2
# More arguments for pytest: make test ARGS="-k potassium"
ARGS ?=

VENV := .venv
BIN := $(VENV)/bin
# Of the locks (.ci/*.txt), each upon those before it; a stamp says that it is installed.
SERVE := $(VENV)/.serve
REPLAY := $(VENV)/.replay
DEVELOP := $(VENV)/.develop
SPARK := $(VENV)/.spark
FAST := not slow and not soak and not kill and not mutation
# What `make coverage` runs, and `make test-full` not once more.
COUNTED := $(FAST) and not browser and not postgres and not uncounted
# The part of the rotating tests: its number, or all. By default it is the commit's turn.
PART ?=
PYTEST = $(BIN)/python -m pytest -q -n $(WORKERS) --dist worksteal

export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help
help:  ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | while IFS=$$'\t' read -r name text; do printf '%-12s %s\n' "$$name" "$$text"; done

# Nothing is resolved: what a lock holds is installed, each file checked against its hash, and
# nothing else; a package that comes as source is built with what is installed already.
PIP := $(BIN)/python -m pip
INSTALL := $(PIP) install -qq --no-deps --no-build-isolation
CHECK := said=$$($(PIP) check) || { echo "$$said" >&2; exit 1; }

$(SERVE): .ci/serve.txt pyproject.toml
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed (python3)" >&2; exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; $(PYTHON) is older. Say make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@"$(PYTHON)" -c 'import ensurepip' 2>/dev/null || { echo "$(PYTHON) cannot make a virtual environment: install python3-venv" >&2; exit 1; }
	@test -x $(BIN)/python || "$(PYTHON)" -m venv $(VENV)
	@echo "Installing into $(VENV) ..."
	@$(INSTALL) --require-hashes -r .ci/serve.txt
	@$(INSTALL) --editable .
	@$(CHECK)
	@touch $@

$(REPLAY): .ci/replay.txt $(SERVE)
	@echo "Installing what the replay needs ..."
	@$(INSTALL) --require-hashes -r .ci/replay.txt
	@$(CHECK)
	@touch $@

$(DEVELOP): .ci/develop.txt $(REPLAY)
	@echo "Installing what the tests need ..."
	@$(INSTALL) --require-hashes -r .ci/develop.txt
	@$(CHECK)
	@touch $@

# PySpark is large and a cluster brings its own: only the Spark tests want it here.
$(SPARK): .ci/spark.txt $(DEVELOP)
	@echo "Installing PySpark ..."
	@$(INSTALL) --require-hashes -r .ci/spark.txt
	@$(CHECK)
	@touch $@

.PHONY: install
install: $(SERVE)  ## make .venv with what the service needs

.PHONY: replay
replay: $(REPLAY)  ## add what `repletion replay` needs

.PHONY: develop
develop: $(DEVELOP)  ## add what the tests, checks and measurements need

.PHONY: spark
spark: $(SPARK)  ## add PySpark, for the tests of --engine spark

.PHONY: run
run: $(SERVE)  ## serve on 127.0.0.1:8080 (PORT=), fire one request, print its cards
	@exec $(BIN)/python -m service.server.demo --port "$(PORT)"

.PHONY: test
test: $(DEVELOP)  ## every test that needs no outside program, and those whose program is here
	$(PYTEST) -m "$(FAST)" $(ARGS)

.PHONY: test-full
test-full: export REPLETION_TEST_REQUIRE ?= all
test-full: coverage  ## every test, of the rotating ones a part (PART=); a missing program fails it (REPLETION_TEST_REQUIRE=)
	@part=$(or $(PART),$$($(BIN)/python -m tests.parts)); \
	echo "Of the rotating tests part $$part; again: make test-full PART=$$part"; \
	REPLETION_TEST_PART=$$part $(PYTEST) -m "not ($(COUNTED))" $(ARGS)

.PHONY: test-all
test-all:  ## every test, the rotating ones whole: sweep, fuzz, seeded faults, soak
	@$(MAKE) --no-print-directory test-full PART=all

.PHONY: coverage
coverage: $(DEVELOP)  ## most of the fast tests, with 99 % of the branches of cards/ demanded (100 again once the newest rules have all their rows)
	$(PYTEST) -m "$(COUNTED)" --cov=cards --cov-branch --cov-fail-under=99 --cov-report=term-missing:skip-covered $(ARGS)

.PHONY: check
check: $(DEVELOP)  ## ruff, mypy --strict, import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

.PHONY: format
format: $(DEVELOP)  ## let ruff put the code in order
	$(BIN)/ruff check --fix-only --quiet .
	$(BIN)/ruff format .

.PHONY: bench
bench: $(DEVELOP)  ## measure the speed of the service (tests/bench)
	$(BIN)/python -m tests.bench $(ARGS)

.PHONY: sweep
sweep: $(DEVELOP)  ## ten million random patients through every invariant (tests/sweep)
	$(BIN)/python -m tests.sweep $(ARGS)

.PHONY: mutants
mutants: $(DEVELOP)  ## mutation score of cards/
	$(BIN)/mutmut run $(ARGS)

# Hashes of every file of a release, so that a lock serves x86_64 and aarch64 alike.
.PHONY: lock
lock: $(DEVELOP)  ## pin what pyproject.toml asks for; ARGS=--upgrade: the newest of it
	$(BIN)/python .ci/lock.py $(ARGS)

.PHONY: lock-check
lock-check: $(DEVELOP)  ## ask pip whether the locks hold for Python 3.11 to 3.14, x86_64 and aarch64
	$(BIN)/python .ci/reach.py

.PHONY: clean
clean:  ## remove what make and the tools made
	rm -rf $(VENV) .bench mutants build dist htmlcov .coverage .coverage.* .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache .schemathesis
	find cards service tests -name __pycache__ -type d -prune -exec rm -rf {} +
