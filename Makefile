# What people run. Each command does its own set-up: it needs git, make and Python >= 3.11, and no root.
# `make help` lists them; PYTHON=… names the Python to use.
SHELL := /bin/bash
.DEFAULT_GOAL := help
export PYTHON
RUN := .venv/bin/python

.PHONY: help demo serve test check agents bench soak golden lock setup clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-6s  %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: .venv/server ## a pull request's tab from green to red and the refused run, on a local page (PORT=8000)
	@$(RUN) -m app.demo

serve: .venv/server ## the server, with the settings of the environment (docs/configuration.md)
	@$(RUN) -m app.cli serve

test: .venv/dev ## every test (T="tests/app -k outbox" for some, without coverage)
	@scripts/test $(T)

check: .venv/dev ## lint, types, workflow and schema checks, import direction and purity
	@scripts/check

agents: .venv/dev ## real agents into every limit (downloads 1.4 GB once; AGENTS="claude codex" for some)
	@scripts/agents

bench: .venv/dev ## measurements as JSON lines (ONLY=gate for those whose name starts so)
	@$(RUN) -m bench

soak: .venv/dev ## kill -9 of the server under load, 20 times, on both databases
	@$(RUN) -m bench.soak

golden: .venv/dev ## rewrites the golden files from what the code says now; read the diff
	@UPDATE_GOLDEN=1 scripts/test tests -n 2 --dist loadfile

lock: .venv/dev ## re-locks requirements/ and the emulators (UPGRADE=1 moves to newest versions)
	@scripts/lock

setup: .venv/dev ## everything a developer needs in .venv and .cache
	@scripts/emulators

clean: ## removes what the commands above made, .venv too
	rm -rf .venv .cache .demo .hypothesis .mypy_cache .pytest_cache .ruff_cache dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Never files: scripts/setup decides by the lock's checksum, and notices a broken or moved .venv.
.PHONY: .venv/server .venv/dev
.venv/server .venv/dev:
	@scripts/setup $(@F)
