# Every target sets up what it needs, on a machine with Python 3.11, pip and make.
PYTHON ?= python3
UV := .tools/uv/bin/uv
BIN := .venv/bin
READY := .venv/.ready

.PHONY: help setup run demo refresh serve test check sql bench docs clean
.DEFAULT_GOAL := help

help:  ## list the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-9s %s\n", $$1, $$2}'

$(UV):
	$(PYTHON) -m venv .tools/uv
	$(UV:uv=pip) install --quiet --disable-pip-version-check "uv>=0.8,<1"

$(READY): pyproject.toml uv.lock | $(UV)
	$(UV) sync --locked --compile-bytecode --python $(PYTHON)
	@touch $(READY)

setup: $(READY)  ## install everything into .venv

demo: $(READY)  ## make the built-in company, if the inbox has none
	@test -d "$${CSATLAS_HOME:-var}/inbox" || $(BIN)/csatlas demo

refresh: $(READY)  ## load, build and test, publish
	$(BIN)/csatlas refresh

serve: $(READY)  ## dashboards of the published snapshot
	$(BIN)/csatlas serve

run: demo  ## the built-in company, one refresh, the dashboards
	$(BIN)/csatlas refresh
	$(BIN)/csatlas serve

test: $(READY)  ## all tests, in two processes
	$(BIN)/python -m pytest -n 2

check: $(READY)  ## format, lint, types, import contracts, fast tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -n 2 -m "not slow and not e2e and not real_data" -q

sql: $(READY)  ## lint the dbt models (half a minute)
	$(BIN)/sqlfluff lint dbt_project/models --disable-progress-bar --processes 2

bench: $(READY)  ## measure; prints JSON
	$(BIN)/python -m tests.bench

docs: $(READY)  ## write the generated pages of docs/
	$(BIN)/python -m orchestration.reference

clean:  ## remove the environment and caches (never data)
	rm -rf .venv .tools .pytest_cache .mypy_cache .ruff_cache .import_linter_cache dbt_project/target
