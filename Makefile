# Commands for developers. Everything is installed inside the checkout.
PYTHON ?= python3
PORT ?= 8000
CONTAINERS ?= $(shell command -v docker || command -v podman)
BASE_IMAGE ?=

BIN := .venv/bin
PYTEST := $(BIN)/python -m pytest
NODE_READY := node_modules/.package-lock.json
REQUIREMENTS := constraints.txt $(wildcard requirements*.txt)

.PHONY: help setup demo serve image test test-image fuzz bench bench-smoke lint clean

help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "make %-10s %s\n", $$1, $$2}'

setup: $(BIN)/ready $(NODE_READY) ## Install everything: .venv and node_modules

demo: $(BIN)/ready ## Ask, train, export, publish to a local S3, serve, ask: minutes (PHOTO=… asks about yours)
	@$(BIN)/python demo.py "$(PHOTO)"

serve: $(BIN)/ready ## Serve a model at http://127.0.0.1:8000 (MODEL_URI=RUN MODEL_ENGINE=onnx PORT=…)
	@$(BIN)/python serve.py $(PORT)

image: ## Build the container image as flying-objects (BASE_IMAGE=… CONTAINERS=podman)
	@test -n "$(CONTAINERS)" || { echo "Docker or podman is needed."; exit 2; }
	$(CONTAINERS) build $(if $(BASE_IMAGE),--build-arg BASE_IMAGE=$(BASE_IMAGE)) --tag flying-objects .

test: setup ## Run every test, the end-to-end ones included (ARGS="tests/unit/service" runs a part)
	@$(BIN)/python -m tools.local_aws.install
	@$(BIN)/python -m tests.run $(ARGS)

test-image: $(BIN)/ready ## Build the container image and run it: minutes, Linux, podman (BASE_IMAGE=…)
	@$(BIN)/python -m tools.local_aws.install
	@BASE_IMAGE=$(BASE_IMAGE) $(PYTEST) -m image $(ARGS)

fuzz: $(BIN)/ready ## Try many random inputs on the code that reads untrusted bytes and text: an hour
	@HYPOTHESIS_PROFILE=fuzz $(PYTEST) -m fuzz --timeout 0 $(ARGS)

bench: $(BIN)/ready ## Measure every figure against its baseline: two hours, Linux (ARGS="--data PHOTOS …")
	@$(BIN)/python -m tools.local_aws.install
	@$(BIN)/python -m benchmarks $(ARGS)

bench-smoke: $(BIN)/ready ## Run what bench runs on little data, without measuring
	@$(BIN)/python -m tools.local_aws.install
	@$(BIN)/python -m benchmarks --smoke $(ARGS)

lint: $(BIN)/ready ## ruff and mypy --strict
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy

clean: ## Remove what building and the demo wrote (runs and environments stay)
	rm -rf .build .demo .serverless .mypy_cache .pytest_cache .ruff_cache

$(BIN)/ready: $(REQUIREMENTS)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.11 …")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --disable-pip-version-check --quiet --requirement requirements-dev.txt
	@touch $@

$(NODE_READY): package.json package-lock.json
	@node -e 'const [a, b] = process.versions.node.split("."); if (a * 100 + +b < 2019) { console.error("Node 20.19 or newer is needed."); process.exit(1) }'
	npm ci --no-audit --no-fund
	@touch $@
