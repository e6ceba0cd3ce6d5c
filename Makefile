# The project's own commands; `make` lists them. Everything Python lives in .venv.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= python3
BIN := .venv/bin
# Hosts need an engine: one that answers, or one that only root can start.
AS_ROOT = $(shell [ "$$(id -u)" = 0 ] || docker info >/dev/null 2>&1 || echo sudo -E)
PROFILE ?= production
# The longest first: several run at a time.
SCENARIOS ?= vm_selinux vm_apparmor sabotage faults safety firewall default patching secrets access live signed
# Too long for every push: image trust with registries and signers, whole benchmarks, every destination of logs, every state of
# sabotage, on engine 28 too, every fault on both systems, virtual machines state by state.
LONG_SCENARIOS ?= trust whole access sabotage engine28 faults firewall vm_selinux vm_apparmor vm_apparmor13 vm_engine28 \
    vm_selinux_steps vm_audit vm_audit13 vm_kernel vm_kernel13 vm_patching vm_cut_off
FUZZ_SECONDS ?= 60
# No index and no other place of this machine gets into a lock file.
COMPILE := $(BIN)/pip-compile --quiet --upgrade --generate-hashes --allow-unsafe --strip-extras \
    --no-header --no-emit-index-url --no-emit-trusted-host --no-emit-find-links --annotation-style line

.PHONY: help
help: ## List the commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

.PHONY: try
try: tools ## Watch a disposable host being checked, hardened, proved and put back
	@$(AS_ROOT) $(BIN)/python -m tests.hosts.demonstration

.PHONY: test
test: lint unit scenarios ## All checks: lint, unit, contract and project tests, scenarios

.PHONY: test-all
test-all: test long-scenarios safety-loops patching-cases try ## `test`, the long scenarios, loops and cases, and `try` as a new user would

.PHONY: long-scenarios
long-scenarios: tools ## The scenarios that `test` leaves out
	@$(AS_ROOT) env HARDHOST_LOOPS=all $(BIN)/python -m tests.hosts.scenarios $(LONG_SCENARIOS)

.PHONY: safety-loops
safety-loops: tools ## Killed at every point, every recorded input, every fault: about an hour
	@$(AS_ROOT) env HARDHOST_LOOPS=all $(BIN)/python -m tests.hosts.scenarios safety

.PHONY: patching-cases
patching-cases: tools ## Every fault of repositories, every state of sabotage, both systems: about half an hour
	@$(AS_ROOT) env HARDHOST_LOOPS=all $(BIN)/python -m tests.hosts.scenarios patching

.PHONY: lint
lint: tools ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check --quiet .
	$(BIN)/mypy

.PHONY: unit
unit: tools ## Unit, contract and project tests: no host needed
	$(BIN)/pytest -q --numprocesses auto

.PHONY: scenarios
scenarios: tools ## molecule on disposable hosts; SCENARIOS="trust safety" chooses
	@$(AS_ROOT) $(BIN)/python -m tests.hosts.scenarios $(SCENARIOS)

.PHONY: render
render: tools ## Render PROFILE (default: production) to build/PROFILE
	$(BIN)/hardhost render $(PROFILE) -o build/$(PROFILE)

.PHONY: docs
docs: tools ## Write the tables of docs/coverage.md anew
	$(BIN)/python -m generator.coverage docs/coverage.md

.PHONY: tools
tools: packages $(BIN)/.installed

.PHONY: packages
packages:
	@tests/hosts/install.sh

$(BIN)/.installed: pyproject.toml requirements-dev.lock
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --require-hashes --requirement requirements-dev.lock
	$(BIN)/pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

.PHONY: fuzz
fuzz: tools $(BIN)/.fuzzing ## Feed hostile files to the generator for FUZZ_SECONDS (default: 60) per target
	$(BIN)/python -m fuzz --seconds $(FUZZ_SECONDS)

$(BIN)/.fuzzing: fuzz/requirements.lock | $(BIN)/.installed
	$(BIN)/pip install --quiet --require-hashes --requirement $<
	@touch $@

.PHONY: lock
lock: tools ## Resolve all dependencies anew into the lock files
	$(COMPILE) --output-file requirements.lock pyproject.toml
	$(COMPILE) --extra dev --output-file requirements-dev.lock pyproject.toml
	$(COMPILE) --output-file fuzz/requirements.lock fuzz/requirements.in

.PHONY: dist
dist: tools ## Wheel and sdist in dist/, the same bytes from the same commit
	SOURCE_DATE_EPOCH=$$(git log -1 --format=%ct) $(BIN)/python -m build --no-isolation

.PHONY: sbom
sbom: tools ## What the wheel depends on, as CycloneDX JSON: dist/hardhost.cdx.json
	mkdir -p dist
	$(BIN)/cyclonedx-py requirements --pyproject pyproject.toml --mc-type application \
	    --output-reproducible --output-file dist/hardhost.cdx.json requirements.lock

.PHONY: hosts-down
hosts-down: ## Remove this checkout's disposable hosts, and the dockerd it started
	@$(AS_ROOT) $(BIN)/python -m tests.hosts prune
	@$(AS_ROOT) $(BIN)/python -m tests.hosts engine-stop

.PHONY: clean
clean: ## Remove what was built here; base images stay cached
	rm -rf build dist .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
