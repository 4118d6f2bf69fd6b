# One command for each thing a person wants. `make` alone says what there is.
.DEFAULT_GOAL := help
SHELL := /bin/sh

# The first Python between 3.11 and 3.13 that really runs (a version manager's shim may not).
FITS := -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' >/dev/null 2>&1
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do $$p $(FITS) && { echo $$p; break; }; done)
BIN := .venv/bin
SOURCES := premia schemas services samples tests benchmarks tools verifier

.PHONY: help venv demo up down test test15 soak check fix bench lock

help: ## Show this list
	@sed -n 's/^\([a-z0-9]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 16

venv:
	@$(or $(PYTHON),false) $(FITS) || { echo "premia: Python 3.11, 3.12 or 3.13 is needed, and" \
		"$(if $(PYTHON),$(PYTHON) is none,none was found: set PYTHON=… for make)" >&2; exit 2; }
	@$(PYTHON) tools/bootstrap.py

demo: venv ## Settle a whole sample programme on this machine
	@$(BIN)/premia demo

up: venv ## Start Kafka, PostgreSQL, the services and a mock bank
	@$(BIN)/premia up

down: ## Stop them
	@$(BIN)/premia down

test: venv check ## Everything that CI runs
	@$(BIN)/python -m pytest

test15: venv ## What speaks to PostgreSQL, on version 15 if it is installed
	@$(BIN)/python -m tests.postgres_15

soak: venv ## The long tests with their full counts
	@PREMIA_SOAK=1 $(BIN)/python -m pytest --timeout=7200

check: venv ## Format, lint, types, import rules, contracts; changes nothing
	@$(BIN)/ruff format --check $(SOURCES)
	@$(BIN)/ruff check $(SOURCES)
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python -m schemas.publish --check

fix: venv ## Format, mend what the linter can, publish contracts
	@$(BIN)/ruff format $(SOURCES)
	@$(BIN)/ruff check --fix $(SOURCES)
	@$(BIN)/python -m schemas.publish

bench: venv ## Measure, each number beside its baseline
	@$(BIN)/python -m benchmarks

lock: ## Write requirements.lock anew (needs uv)
	@uv pip compile -q --universal --generate-hashes --no-emit-index-url --all-extras pyproject.toml -o requirements.lock
