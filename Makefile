# Huike: every task of the project. `make help` lists them.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules --no-print-directory

PORT ?= 8000
TEST_WORKERS ?= 2
# What goes to pytest as it is, for example: make test PYTEST_ARGS='-k tiers -x'
PYTEST_ARGS ?=

# Where SQL is written or run; the rest says nothing about the server's version.
ON_POSTGRESQL_15 := tests/migrations tests/services tests/routers tests/jobs tests/demo/test_load.py \
    tests/faults tests/core/test_database.py tests/core/test_queue.py tests/test_vocabulary.py

VENV := .venv
PYTHON ?= $(shell command -v python3.11 || command -v python3 || echo python3)
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
NODE_INSTALLED := node_modules/.installed

# Node and npm come with the virtual environment, so that every machine has the same.
NODE := PATH="$(CURDIR)/$(BIN):$$PATH" REDOCLY_TELEMETRY=off REDOCLY_SUPPRESS_UPDATE_NOTICE=true
NPM_BIN := node_modules/.bin

SOURCES := $(wildcard app alembic tests tools bench)
# Mypy refuses a folder without modules, and alembic/ would hide the library of that name.
TYPED := $(patsubst %/,%,$(sort $(dir $(wildcard app/*.py tests/*.py tools/*.py bench/*.py))))

##@ Every day

.PHONY: help
help: ## List the tasks.
	@awk 'BEGIN {FS = ":.*## "} \
	    /^##@/ {printf "\n%s\n", substr($$0, 5)} \
	    /^[a-z][a-z0-9-]*:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@printf '\nVariables: PORT=%s, TEST_WORKERS=%s, PYTEST_ARGS, PYTHON\n' '$(PORT)' '$(TEST_WORKERS)'

.PHONY: install
install: $(INSTALLED) ## Make .venv from requirements-dev.lock (hashes checked) and install huike.

$(INSTALLED): requirements-dev.lock pyproject.toml tools/install.sh tools/need.sh
	@echo "installing into $(VENV) (the first time takes some seconds, with pip alone a minute)"
	@tools/install.sh $(VENV) "$(PYTHON)"
	@touch $@

.PHONY: run
run: $(INSTALLED) ## Start everything on PORT, with its own database and a demo chain.
	@unset PYTHONDONTWRITEBYTECODE; exec $(BIN)/huike run --port $(PORT)

.PHONY: test
test: $(INSTALLED) $(NODE_INSTALLED) ## Run the tests (TEST_WORKERS processes, PYTEST_ARGS for the rest).
	@tools/need.sh chromium=chromium chromedriver=chromium-driver \
	    || echo "going on: the tests that open a browser will fail"
	@$(BIN)/python -m pytest -n $(TEST_WORKERS) $(PYTEST_ARGS)

.PHONY: test-pg15
test-pg15: $(INSTALLED) ## Run the fast tests that touch SQL on a throw-away PostgreSQL 15 of Debian's.
	@tools/with_postgresql15.sh $(BIN)/python -m pytest -n $(TEST_WORKERS) -m "not slow" \
	    $(ON_POSTGRESQL_15) $(PYTEST_ARGS)

.PHONY: format
format: $(INSTALLED) ## Format the code and sort its imports.
	@$(BIN)/ruff check --quiet --select I --fix $(SOURCES)
	@$(BIN)/ruff format $(SOURCES)

.PHONY: bench
bench: $(INSTALLED) ## Measure the hot paths: bench/results*.md.
	@$(BIN)/python -m bench
	@for part in duplicates exports merges night; do $(BIN)/python -m bench.$$part; done

##@ Checks

.PHONY: check
check: check-format check-lint check-types check-imports check-settings check-openapi check-spectral check-redocly \
    check-docker check-compose check-licences check-audit check-migrations ## Run every check below.
	@echo "check: all good"

.PHONY: check-format
check-format: $(INSTALLED) ## Is the code formatted?
	@$(BIN)/ruff format --check --output-format concise $(SOURCES)

.PHONY: check-lint
check-lint: $(INSTALLED) ## Ruff's rules, the ban on clocks among them.
	@$(BIN)/ruff check --output-format concise $(SOURCES)

.PHONY: check-types
check-types: $(INSTALLED) ## Mypy, strict.
	@$(BIN)/mypy $(TYPED)

.PHONY: check-imports
check-imports: $(INSTALLED) ## Do imports point down only?
	@$(BIN)/lint-imports --no-cache --no-logo

.PHONY: check-migrations
check-migrations: $(INSTALLED) ## Up, no drift, down, up on a throw-away server; squawk on the SQL.
	@$(BIN)/python tools/check_migrations.py

.PHONY: check-settings
check-settings: $(INSTALLED) ## Does .env.example show every setting with its default?
	@$(BIN)/python tools/check_env_example.py

.PHONY: check-openapi
check-openapi: $(INSTALLED) ## Is docs/openapi.json what the code says?
	@$(BIN)/python tools/check_openapi.py

.PHONY: check-spectral
check-spectral: $(NODE_INSTALLED) ## Spectral on docs/openapi.json.
	@$(NODE) $(NPM_BIN)/spectral lint --quiet --fail-severity warn --ruleset .spectral.yaml docs/openapi.json

.PHONY: check-redocly
check-redocly: $(NODE_INSTALLED) ## Redocly on docs/openapi.json.
	@$(NODE) $(NPM_BIN)/redocly lint --config redocly.yaml --max-problems 50 docs/openapi.json

.PHONY: check-docker
check-docker: $(INSTALLED) ## Hadolint on the Dockerfile.
	@$(BIN)/hadolint --failure-threshold info Dockerfile && echo "docker: Dockerfile is clean"

.PHONY: check-compose
check-compose: $(NODE_INSTALLED) ## Dclint on compose.yaml.
	@$(NODE) $(NPM_BIN)/dclint --max-warnings 0 compose.yaml && echo "compose: compose.yaml is clean"

.PHONY: check-licences
check-licences: $(INSTALLED) ## Are all packages under licences we may use?
	@$(BIN)/python tools/check_licences.py

.PHONY: check-audit
check-audit: $(INSTALLED) ## Known vulnerabilities of the locked packages, where an advisory source answers.
	@$(BIN)/python tools/check_audit.py

##@ Upkeep

.PHONY: openapi
openapi: $(INSTALLED) ## Write docs/openapi.json anew.
	@$(BIN)/python tools/check_openapi.py --write

.PHONY: lock
lock: $(INSTALLED) ## Resolve the locks anew from pyproject.toml (UPGRADE=1 takes newer versions).
	@tools/lock.sh $(if $(UPGRADE),--upgrade)

.PHONY: node
node: $(NODE_INSTALLED) ## Install the linters that come from npm.

$(NODE_INSTALLED): package-lock.json .npmrc $(INSTALLED)
	@$(NODE) npm ci --no-progress --loglevel=error >/dev/null
	@touch $@

.PHONY: clean
clean: ## Remove what builds and tools left; data in .huike stays.
	@rm -rf $(VENV) node_modules build dist .hypothesis .import_linter_cache .mypy_cache \
	    .pytest_cache .ruff_cache .schemathesis
	@find $(SOURCES) -name __pycache__ -type d -prune -exec rm -rf {} +
