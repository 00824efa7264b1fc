# Everything a person types. Two words do the rest: `make demo` and `make test`.
SHELL := /bin/sh
PYTHON ?= python3
RUN := .venv/bin
TEST := .venv-test/bin

# uv from the PATH when there is one, else our own pinned copy in .uv/
UV := $(shell command -v uv 2>/dev/null || echo .uv/bin/uv)
export UV_PYTHON_PREFERENCE ?= only-system
# the certificates that this machine trusts: a company's proxy may have one of its own
export UV_SYSTEM_CERTS ?= true
# no telemetry of the libraries, whoever calls them
export DAGSTER_DISABLE_TELEMETRY := yes
export RUNTIME__DLTHUB_TELEMETRY := false

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup postgres demo lake-demo test test-lake quick soak mutate canary audit check docs format dev explore bench lock clean

help:  ## this list
	@grep -E '^[a-z-]+:.*##' Makefile | sed -E 's/:.*## /\t/' | expand -t 12

.uv/bin/uv: requirements/uv.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "daybook needs Python 3.11 or newer, and $(PYTHON) is not: name another, as in 'make $(MAKECMDGOALS) PYTHON=python3.12'." >&2; exit 2; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "$(PYTHON) can't make virtual environments. On Debian and Ubuntu: apt-get install python3-venv" >&2; exit 2; }
	$(PYTHON) -m venv --clear .uv
	.uv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/uv.txt
	@touch $@

ifeq ($(UV),.uv/bin/uv)
UV_READY := .uv/bin/uv
endif

# $(call environment,FOLDER,REQUIREMENTS): a virtual environment with exactly the locked packages, compiled: every command
# starts a second faster
environment = $(UV) venv --quiet --allow-existing --python $(PYTHON) $(1) && \
	$(UV) pip sync --quiet --compile-bytecode --require-hashes --python $(1) $(2)
# our own packages, in place
ourselves = $(UV) pip install --quiet --python $(1) --no-deps --no-build-isolation -e .

.venv/ready: requirements/runtime.txt pyproject.toml | $(UV_READY)
	$(call environment,.venv,requirements/runtime.txt)
	$(call ourselves,.venv)
	@touch $@

.venv-test/ready: requirements/dev.txt pyproject.toml | $(UV_READY)
	$(call environment,.venv-test,requirements/dev.txt)
	$(call ourselves,.venv-test)
	@touch $@

.venv-postgres/ready: requirements/postgres.txt pyproject.toml | $(UV_READY)
	$(call environment,.venv-postgres,requirements/postgres.txt)
	$(call ourselves,.venv-postgres)
	@touch $@

# the lake, its workers and Spark, with what tests them; not compiled: two gigabytes of it are never imported
.venv-lake/ready: requirements/lake.txt pyproject.toml | $(UV_READY)
	$(UV) venv --quiet --allow-existing --python $(PYTHON) .venv-lake
	$(UV) pip sync --quiet --require-hashes --python .venv-lake requirements/lake.txt
	$(call ourselves,.venv-lake)
	@touch $@

.venv-explore/ready: requirements/explore.txt pyproject.toml | $(UV_READY)
	$(call environment,.venv-explore,requirements/explore.txt)
	$(call ourselves,.venv-explore)
	@touch $@

# a reader of our files from the next major version, apart from everything else
.venv-duck2/ready: requirements/duckdb2.txt | $(UV_READY)
	$(call environment,.venv-duck2,requirements/duckdb2.txt)
	@touch $@

# what the landing is measured against and performance compared with, apart from everything else and from each other
.venv-peers-%/ready: requirements/peers-%.txt | $(UV_READY)
	$(call environment,.venv-peers-$*,requirements/peers-$*.txt)
	@touch $@

# pip-audit, apart from what it looks at
.venv-audit/ready: requirements/audit.txt | $(UV_READY)
	$(call environment,.venv-audit,requirements/audit.txt)
	@touch $@

# what makes the documentation's site
.venv-docs/ready: requirements/docs.txt | $(UV_READY)
	$(call environment,.venv-docs,requirements/docs.txt)
	@touch $@

setup: .venv/ready  ## the runtime environment in .venv
	@echo "daybook is ready: .venv/bin/daybook --help"

demo: .venv/ready  ## replay early 2005 through the whole pipeline, on the embedded sandbox broker
	$(RUN)/daybook demo

DAYS ?= 3
lake-demo: .venv-lake/ready  ## days of the demo by four workers into a lake, compared with one file; DAYS=28 for all, ARGS=--keep to look at Dagster
	.venv-lake/bin/python -m tests.tools.lake_demo --days $(DAYS) $(ARGS)

# one more than there are cores: some tests wait
WORKERS ?= $(shell expr $$(getconf _NPROCESSORS_ONLN) + 1)
test: .venv-test/ready .venv-duck2/ready  ## every test, and how much of each package they ran; ARGS='-k words' for some
	@$(MAKE) --no-print-directory .venv-peers-performance/ready || \
	  echo "what performance is compared with could not be installed: that test is skipped" >&2
	@rm -rf .coverage && mkdir .coverage
	@export DAYBOOK_DUCKDB2_PYTHON=$(CURDIR)/.venv-duck2/bin/python \
	  DAYBOOK_PERFORMANCE_PYTHON=$(CURDIR)/.venv-peers-performance/bin/python; \
	  $(TEST)/python -m coverage run -m pytest -n $(WORKERS) --dist worksteal $(ARGS); ended=$$?; \
	  $(TEST)/python -m tests.tools.coverage_summary && exit $$ended

QUICK = tests/unit $(addprefix tests/integration/test_,reading_client.py reading_pages.py page_table.py position_held.py)
quick: .venv-test/ready  ## the loop while working, under two minutes: single modules and selects, reading, a book that is built
	$(TEST)/python -m pytest -n auto --dist worksteal -m "not heavy and not kill and not npm" $(QUICK) $(ARGS)

CASES ?= 100000
SEQUENCES ?= 200
PROOFS ?= 100
soak: .venv-test/ready  ## 100,000 hostile answers, 200 sequences of evenings, 100 books of expiries (CASES=5000 SEQUENCES=20 PROOFS=10 for fewer)
	DAYBOOK_FUZZ_CASES=$(CASES) $(TEST)/python -m pytest -n auto --dist worksteal tests/faults/test_answers_fuzz.py $(ARGS)
	DAYBOOK_SEQUENCES=$(SEQUENCES) $(TEST)/python -m pytest --timeout 0 tests/integration/test_incremental_equals_full.py $(ARGS)
	DAYBOOK_PROOFS=$(PROOFS) $(TEST)/python -m pytest --timeout 0 tests/integration/test_exact_is_proven.py $(ARGS)

# -n 2: each worker has a PostgreSQL and an S3 server of its own
test-lake: .venv-lake/ready  ## the lake's tests: PostgreSQL, an S3 server, workers, Spark; ARGS='-k words' for some
	DAYBOOK_LAKE_TESTS=$(if $(CI),required) .venv-lake/bin/python -m pytest -n $(WORKERS) --dist loadfile tests/lake $(ARGS)

mutate: .venv-test/ready  ## break SQL and Python in one place at a time: some test has to notice; ARGS='sql --number 40' for fewer
	$(TEST)/python -m tests.tools.mutate $(ARGS)

canary: | $(UV_READY)  ## every test on the newest dependencies there are; not part of CI
	$(UV) venv --quiet --clear --python $(PYTHON) .venv-canary
	$(UV) pip install --quiet --upgrade --python .venv-canary --override requirements/canary.in --group build --group dev -e .
	.venv-canary/bin/python -m pytest -n auto $(ARGS)

audit: .venv-audit/ready  ## known vulnerabilities of every locked package, where an index can be asked
	.venv-audit/bin/python -P tests/tools/audit.py

check: .venv-test/ready  ## ruff, mypy, import-linter, sqlfluff
	$(TEST)/ruff check .
	$(TEST)/ruff format --check .
	$(TEST)/mypy
	$(TEST)/lint-imports
	$(TEST)/sqlfluff lint --processes 2 --disable-progress-bar assets pipelines docs/sql

format: .venv-test/ready  ## let ruff and sqlfluff put the files in order (layout only, in SQL)
	$(TEST)/ruff format .
	$(TEST)/ruff check --fix .
	$(TEST)/sqlfluff format --processes 2 --disable-progress-bar assets pipelines docs/sql

docs: .venv-docs/ready  ## the documentation as a site with a search that needs no server: open site/index.html
	.venv-docs/bin/python -m tests.tools.docs_site .site
	.venv-docs/bin/zensical build --clean --strict

explore: .venv-explore/ready  ## look through the published books in a browser; HOME_OF=.daybook/demo for the demo's
	$(if $(HOME_OF),DAYBOOK_HOME=$(HOME_OF)) .venv-explore/bin/daybook explore

bench: .venv/ready  ## every measurement, into docs/performance.md; ARGS=--quick for a sample, ARGS='--against REVISION'
	@$(MAKE) --no-print-directory .venv-peers-singer/ready .venv-peers-airbyte/ready || \
	  echo "not every peer of the landing could be installed: the others are measured" >&2
	$(RUN)/python -m bench $(ARGS)

dev: .venv/ready  ## Dagster's UI and daemon on loopback
	$(RUN)/daybook dev

COMPILE = $(UV) pip compile --universal --generate-hashes --no-header --quiet --upgrade
postgres: .venv-postgres/ready  ## the runtime environment in .venv-postgres, for DAYBOOK_DAGSTER_STORAGE
	@echo "daybook is ready: .venv-postgres/bin/daybook --help"

lock: | $(UV_READY)  ## write requirements/*.txt again from pyproject.toml and requirements/*.in
	$(COMPILE) requirements/uv.in -o requirements/uv.txt
	$(COMPILE) requirements/audit.in -o requirements/audit.txt
	$(COMPILE) requirements/docs.in -o requirements/docs.txt
	$(COMPILE) requirements/duckdb2.in -o requirements/duckdb2.txt
	$(COMPILE) requirements/peers-singer.in -o requirements/peers-singer.txt
	$(COMPILE) requirements/peers-airbyte.in -o requirements/peers-airbyte.txt
	$(COMPILE) requirements/peers-performance.in -o requirements/peers-performance.txt
	$(COMPILE) -c requirements/pins.in pyproject.toml --group build -o requirements/runtime.txt
	$(COMPILE) -c requirements/runtime.txt pyproject.toml --group build --extra explore -o requirements/explore.txt
	$(COMPILE) -c requirements/runtime.txt pyproject.toml --group build --extra postgres -o requirements/postgres.txt
	$(COMPILE) -c requirements/runtime.txt pyproject.toml --group build --group dev --extra postgres -o requirements/dev.txt
	$(COMPILE) -c requirements/dev.txt pyproject.toml --group build --group lake --extra workers --extra spark -o requirements/lake.txt

clean:  ## remove environments and caches (never the books)
	rm -rf .venv .venv-* .uv .site .cache site .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache .coverage
