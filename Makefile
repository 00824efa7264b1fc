# Everything a person types. Two words do the rest: `make demo` and `make test`.
SHELL := /bin/sh
PYTHON ?= python3
RUN := .venv/bin
TEST := .venv-test/bin

# uv from the PATH when there is one, else our own pinned copy in .uv/
UV := $(shell command -v uv 2>/dev/null || echo .uv/bin/uv)
export UV_PYTHON_PREFERENCE ?= only-system
# no telemetry of the libraries, whoever calls them
export DAGSTER_DISABLE_TELEMETRY := yes
export RUNTIME__DLTHUB_TELEMETRY := false

.DEFAULT_GOAL := help
.PHONY: help setup demo test check format dev bench lock clean

help:  ## this list
	@grep -E '^[a-z]+:.*##' Makefile | sed -E 's/:.*## /\t/' | expand -t 12

.uv/bin/uv: requirements/uv.txt
	$(PYTHON) -m venv .uv
	.uv/bin/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/uv.txt
	@touch $@

ifeq ($(UV),.uv/bin/uv)
UV_READY := .uv/bin/uv
endif

.venv/ready: requirements/runtime.txt pyproject.toml | $(UV_READY)
	$(UV) venv --quiet --allow-existing --python $(PYTHON) .venv
	$(UV) pip sync --quiet --require-hashes --python .venv requirements/runtime.txt
	$(UV) pip install --quiet --python .venv --no-deps --no-build-isolation -e .
	@touch $@

.venv-test/ready: requirements/dev.txt pyproject.toml | $(UV_READY)
	$(UV) venv --quiet --allow-existing --python $(PYTHON) .venv-test
	$(UV) pip sync --quiet --require-hashes --python .venv-test requirements/dev.txt
	$(UV) pip install --quiet --python .venv-test --no-deps --no-build-isolation -e .
	@touch $@

setup: .venv/ready  ## the runtime environment in .venv
	@echo "daybook is ready: .venv/bin/daybook --help"

demo: .venv/ready  ## replay early 2005 through the whole pipeline, on the embedded sandbox broker
	$(RUN)/daybook demo

test: .venv-test/ready  ## every test
	$(TEST)/python -m pytest -n auto $(ARGS)

check: .venv-test/ready  ## ruff, mypy, import-linter, sqlfluff
	$(TEST)/ruff check .
	$(TEST)/ruff format --check .
	$(TEST)/mypy
	$(TEST)/lint-imports
	$(TEST)/sqlfluff lint --processes 2 assets

format: .venv-test/ready  ## let ruff put the files in order
	$(TEST)/ruff format .
	$(TEST)/ruff check --fix .

dev: .venv/ready  ## Dagster's UI and daemon on loopback
	$(RUN)/daybook dev

lock: | $(UV_READY)  ## write requirements/*.txt again from pyproject.toml
	$(UV) pip compile --universal --generate-hashes --no-header --quiet requirements/uv.in -o requirements/uv.txt
	$(UV) pip compile --universal --generate-hashes --no-header --quiet pyproject.toml --group build -o requirements/runtime.txt
	$(UV) pip compile --universal --generate-hashes --no-header --quiet -c requirements/runtime.txt pyproject.toml --group build --group dev -o requirements/dev.txt

clean:  ## remove environments and caches (never the books)
	rm -rf .venv .venv-* .uv .pytest_cache .mypy_cache .ruff_cache .hypothesis
