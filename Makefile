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
STAMP := $(VENV)/.installed
FAST := not slow and not soak and not kill and not mutation

export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help
help:  ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | while IFS=$$'\t' read -r name text; do printf '%-12s %s\n' "$$name" "$$text"; done

# The pinned set first, each file checked against its hash; then the project itself.
$(STAMP): .ci/constraints.txt pyproject.toml
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed (python3)" >&2; exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; $(PYTHON) is older. Say make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@"$(PYTHON)" -c 'import ensurepip' 2>/dev/null || { echo "$(PYTHON) cannot make a virtual environment: install python3-venv" >&2; exit 1; }
	@test -x $(BIN)/python || "$(PYTHON)" -m venv $(VENV)
	@echo "Installing into $(VENV) ..."
	@$(BIN)/python -m pip install -qq --require-hashes -r .ci/constraints.txt
	@$(BIN)/python -m pip install -qq --no-deps --no-build-isolation --editable .
	@touch $@

.PHONY: install
install: $(STAMP)  ## make .venv with the pinned packages

# PySpark is large and a cluster brings its own: only the Spark tests want it here.
.PHONY: spark
spark: $(STAMP)  ## add PySpark to .venv, for the tests of --engine spark
	@$(BIN)/python -m pip install -qq --require-hashes --no-build-isolation -r .ci/spark.txt

.PHONY: run
run: $(STAMP)  ## serve on 127.0.0.1:8080 (PORT=), fire one request, print its cards
	@exec $(BIN)/python -m service.server.demo --port "$(PORT)"

.PHONY: test
test: $(STAMP)  ## every test that needs no outside program, and those whose program is here
	$(BIN)/python -m pytest -q -n $(WORKERS) --dist worksteal -m "$(FAST)" $(ARGS)

.PHONY: test-full
test-full: export REPLETION_TEST_REQUIRE ?= all
test-full: $(STAMP)  ## every test; a missing program fails it (REPLETION_TEST_REQUIRE=)
	$(BIN)/python -m pytest -q -n $(WORKERS) --dist worksteal $(ARGS)

.PHONY: coverage
coverage: $(STAMP)  ## the fast tests, with 100 % of the branches of cards/ demanded
	$(BIN)/python -m pytest -q -n $(WORKERS) --dist worksteal -m "$(FAST) and not browser and not postgres" --ignore=tests/test_sweep.py --ignore=tests/test_bench.py --cov=cards --cov-branch --cov-fail-under=100 --cov-report=term-missing:skip-covered $(ARGS)

.PHONY: check
check: $(STAMP)  ## ruff, mypy --strict, import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

.PHONY: format
format: $(STAMP)  ## let ruff put the code in order
	$(BIN)/ruff check --fix-only --quiet .
	$(BIN)/ruff format .

.PHONY: bench
bench: $(STAMP)  ## measure the speed of the service (tests/bench)
	$(BIN)/python -m tests.bench $(ARGS)

.PHONY: sweep
sweep: $(STAMP)  ## ten million random patients through every invariant (tests/sweep)
	$(BIN)/python -m tests.sweep $(ARGS)

.PHONY: mutants
mutants: $(STAMP)  ## mutation score of cards/
	$(BIN)/mutmut run $(ARGS)

# The first lock holds every extra but spark (the second), and hashes of every file of a release, so
# that it serves x86_64 and aarch64 alike. No option that names a registry is kept.
.PHONY: lock
lock: $(STAMP)  ## choose the newest allowed packages again (.ci/constraints.txt)
	CUSTOM_COMPILE_COMMAND="make lock" $(BIN)/pip-compile --quiet --upgrade --generate-hashes \
		--allow-unsafe --strip-extras --no-emit-index-url --no-emit-find-links --no-emit-trusted-host \
		--extra=postgres --extra=replay --extra=dev --output-file=.ci/constraints.txt pyproject.toml
	CUSTOM_COMPILE_COMMAND="make lock" $(BIN)/pip-compile --quiet --upgrade --generate-hashes \
		--strip-extras --no-emit-index-url --no-emit-find-links --no-emit-trusted-host \
		--output-file=.ci/spark.txt .ci/spark.in

.PHONY: clean
clean:  ## remove what make and the tools made
	rm -rf $(VENV) .bench mutants build dist htmlcov .coverage .coverage.* .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache .schemathesis
	find cards service tests -name __pycache__ -type d -prune -exec rm -rf {} +
