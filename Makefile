# Everything the project needs is installed into its own folder; see `make help`.
SHELL := /bin/bash
PYTHON ?= python3
BIN := .venv/bin
PROGRAM := $(BIN)/spackmon
DEMO := .demo
# Stamps: a second `make run` installs nothing, so that it starts at once.
INSTALLED := .venv/installed
NODE_MODULES := .venv/node-modules-installed
ASSETS := spackmon/web/static/built/manifest.json
ASSET_SOURCES := $(wildcard examples/*.graphql) \
  $(shell find frontend -path frontend/node_modules -prune -o -type f -print)
# Node comes as a wheel: npm and what it starts must find that node first.
NPM := PATH="$(CURDIR)/$(BIN):$$PATH" npm_config_cache="$(CURDIR)/.venv/npm-cache" npm --prefix
# Other people's clients of GraphQL, which only the tests need.
CLIENTS := tests/graphql_clients
CLIENTS_INSTALLED := .venv/graphql-clients-installed
# An OpenID Connect provider, which only the tests need, too.
PROVIDER := tests/auth/provider
PROVIDER_INSTALLED := .venv/openid-provider-installed
# What measures pages as a visitor has them; only `make lighthouse` needs it.
LIGHTHOUSE := tests/web/lighthouse
LIGHTHOUSE_INSTALLED := .venv/lighthouse-installed

# What a release is made of.
DIST := dist
# How many Spack clients report for how long while faults are made: see benchmarks/faults.
CLIENTS_AT_ONCE ?= 100
FAULT_SECONDS ?= 120

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help install run demo test fuzz simulate lint bench torture screenshots dist sign docs reference lighthouse

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: $(INSTALLED) $(ASSETS) ## create .venv and build the front-end assets

run: install ## serve on http://127.0.0.1:8000, with an embedded database in .spackmon/
	@exec $(BIN)/spackmon serve

demo: install $(DEMO)/loaded ## serve example builds, from a database of their own in .demo/
	@SPACKMON_DATA_DIR=$(DEMO) exec $(BIN)/spackmon serve

test: install $(CLIENTS_INSTALLED) $(PROVIDER_INSTALLED) ## run every test, three at a time: some wait
	$(BIN)/python -m pytest --numprocesses 3 --dist worksteal

fuzz: install ## ask 50,000 operations, and all addresses, other ones each time
	HYPOTHESIS_PROFILE=fuzz $(BIN)/python -m pytest tests/query/test_differential.py tests/query/test_visibility.py \
	  tests/http/test_described.py

simulate: install ## 10,000 true runs, reported by random sources in random orders, against what follows
	$(BIN)/python -m tests.simulator --runs 10000 --stored 1000 --seed $${SEED:-1}

lint: install ## formatting, types, the walls between the packages
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	MYPYPATH=spackmon/client/spack-monitor $(BIN)/mypy --explicit-package-bases spackmon/client/spack-monitor/monitor
	$(BIN)/lint-imports
	$(NPM) frontend run check

bench: install ## run the benchmarks
	$(BIN)/python -m benchmarks

screenshots: install $(DEMO)/loaded ## every page in four forms, into .screenshots/
	$(BIN)/python -m tests.web.screenshots $(DEMO)/spackmon.sqlite3 .screenshots

lighthouse: install $(LIGHTHOUSE_INSTALLED) $(DEMO)/loaded ## scores of the demo's pages, each of which must reach 95
	$(BIN)/python -m tests.web.lighthouse $(DEMO)/spackmon.sqlite3

torture: install ## what others notice of hostile bodies, and what reports lose in faults, on both databases
	$(BIN)/python -m benchmarks.torture --database sqlite
	$(BIN)/python -m benchmarks.torture --database postgresql
	$(BIN)/python -m benchmarks.faults --database sqlite --clients $(CLIENTS_AT_ONCE) --seconds $(FAULT_SECONDS)
	$(BIN)/python -m benchmarks.faults --database postgresql --clients $(CLIENTS_AT_ONCE) --seconds $(FAULT_SECONDS)

# The time of what is packed is that of the commit: the same commit has the same bytes, wherever it is packed.
dist: install ## the wheel, its bill of materials and their checksums, in dist/
	@rm -rf $(DIST) && mkdir -p $(DIST)
	@export SOURCE_DATE_EPOCH=$${SOURCE_DATE_EPOCH:-$$(git log -1 --format=%ct)} \
	  && $(BIN)/hatchling build --target wheel --directory $(abspath $(DIST))
	@$(BIN)/spackmon sbom >$(DIST)/spackmon.cdx.json
	@cd $(DIST) && sha256sum spackmon* >SHA256SUMS

docs: install ## the documentation as a site of files, in build/docs/
	@$(BIN)/spackmon docs build/docs

reference: install ## write anew what of docs/ follows from the program: the command line, the tables, the examples
	$(BIN)/python -m tests.reference_pages

sign: ## sign the checksums in dist/ by an SSH key: make sign KEY=~/.ssh/release
	@rm -f $(DIST)/SHA256SUMS.sig
	@ssh-keygen -q -Y sign -n spackmon -f $(or $(KEY),$(error name the key: make sign KEY=~/.ssh/release)) $(DIST)/SHA256SUMS

.venv/bin/python:
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(v < (3, 11) and \
	  f"spackmon needs Python 3.11 or newer, and $(PYTHON) is {v[0]}.{v[1]}: try make PYTHON=python3.11")'
	@echo "Installing into .venv (once, a minute or two) ..."
	@$(PYTHON) -m venv .venv

$(INSTALLED): pyproject.toml | .venv/bin/python
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test]'
	@$(BIN)/python -m compileall -q alembic spackmon
	@touch $@

$(NODE_MODULES): frontend/package-lock.json | $(INSTALLED)
	@$(NPM) frontend ci --ignore-scripts --loglevel=error >/dev/null
	@touch $@

$(CLIENTS_INSTALLED): $(CLIENTS)/package-lock.json | $(INSTALLED)
	@$(NPM) $(CLIENTS) ci --ignore-scripts --loglevel=error >/dev/null
	@touch $@

$(PROVIDER_INSTALLED): $(PROVIDER)/package-lock.json | $(INSTALLED)
	@$(NPM) $(PROVIDER) ci --ignore-scripts --loglevel=error >/dev/null
	@touch $@

$(LIGHTHOUSE_INSTALLED): $(LIGHTHOUSE)/package-lock.json | $(INSTALLED)
	@$(NPM) $(LIGHTHOUSE) ci --ignore-scripts --loglevel=error >/dev/null
	@touch $@

$(ASSETS): $(NODE_MODULES) $(ASSET_SOURCES)
	@echo "Building the front-end assets ..."
	@$(NPM) frontend run --silent build
	@touch $@

$(DEMO)/loaded: | $(INSTALLED)
	@rm -rf $(DEMO)
	@export SPACKMON_DATA_DIR=$(DEMO) && $(PROGRAM) db upgrade \
	  && $(PROGRAM) user add demo && $(PROGRAM) user add ada \
	  && $(PROGRAM) upload --user demo examples/builds \
	  && $(PROGRAM) import --user demo examples/specs.jsonl examples/installs.jsonl \
	  && $(PROGRAM) import --user ada examples/nightly.jsonl examples/hdf5.jsonl examples/splice.jsonl \
    examples/environment.jsonl examples/buildcache.jsonl
	@touch $@
