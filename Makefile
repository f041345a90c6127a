# `make help` is the index. Every target is documented with ##; a hidden target is a defect.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
ROOMS := contracts jobs model-server operator local airgap airgap/agents cluster
# Optional: without a C compiler it installs empty, and the server says at its start what runs the graph.
NATIVE := model-server/native
include versions.env

help: ## show this index
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 15

$(VENV)/.ready: requirements.lock versions.env pyproject.toml $(addsuffix /pyproject.toml,$(ROOMS)) $(NATIVE)/pyproject.toml $(NATIVE)/serinus_forest.c
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet uv==$(UV)
	$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation $(addprefix -e ,$(ROOMS)) \
	  --refresh-package serinus-forest --reinstall-package serinus-forest ./$(NATIVE)
	@touch $@

setup: $(VENV)/.ready ## create .venv from the hash-pinned lock (Python 3.11)

lock: ## resolve requirements.lock again (all rooms and tools together)
	@test -x $(BIN)/uv || { $(PYTHON) -m venv $(VENV) && $(BIN)/python -m pip install --quiet uv==$(UV); }
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --no-annotate --no-header --all-extras $(addprefix --no-emit-package serinus-,contracts jobs server operator airgap agents) \
	  pyproject.toml $(addsuffix /pyproject.toml,$(ROOMS)) -o requirements.lock

lint: setup ## formatting, style, strict types, walls between rooms
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: setup ## let ruff format and mend what it can
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

test: setup ## every test but the demo's and the cluster's, with coverage (needs redis-server; CI fails without it)
	$(BIN)/python -m pytest -m "not demo and not cluster and not full" --cov --cov-report=term

test-demo: setup ## the demo's own tests: the whole loop again, and Ctrl-C in the middle (minutes)
	$(BIN)/python -m pytest -m demo

up: setup ## a kind cluster with the whole platform and a first model that answers; again to mend
	$(BIN)/serinus-cluster up

down: setup ## delete the cluster, its registry and its network
	$(BIN)/serinus-cluster down

doctor: setup ## what `make up` needs and misses on this machine, and how to get it
	$(BIN)/serinus-cluster doctor

test-cluster: setup ## the stories on the cluster of `make up` that CI runs (a quarter of an hour)
	$(BIN)/python -m pytest -m "cluster and not full"

e2e-full: setup ## every story on the cluster of `make up`; losses, latency and limits printed as figures (more than an hour)
	$(BIN)/python -m pytest -m "cluster or full" -s

demo: setup ## the whole loop on this machine, ends with an HTML report
	$(BIN)/serinus-local demo

simulate: setup ## the judge's false-rollback rates and delays beside other tools' rules
	$(BIN)/python -m bench.judge_simulation

bench: setup ## request path and joins against peers, side by side in one run; prints ratios
	$(BIN)/python -m bench

clean: ## remove what running left behind (.serinus), keep .venv
	rm -rf .serinus build $(NATIVE)/build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache .coverage*

.PHONY: help setup lock lint format test test-demo test-cluster e2e-full up down doctor demo simulate bench clean
