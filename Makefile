# Everything that is done with Nusabus on one machine. `make` alone lists it.
PYTHON ?= $(firstword $(shell command -v python3.11 python3) python3)
BIN := .venv/bin
READY := .venv/.ready

# The gateway's programs start often here; compiled once they start in half the time.
unexport PYTHONDONTWRITEBYTECODE
MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help
.PHONY: run test check bench soak format lock clean help

run: $(READY) ## start everything and publish the demo events; ONCE=1 ends after the table
	@$(BIN)/python -m deploy.local $(if $(ONCE),--once)

test: $(READY) ## tests, on private servers of their own; ARGS="-k name" chooses
	@$(BIN)/python -m deploy.local.install
	@$(BIN)/python -m deploy.local.external_programs
	@$(BIN)/python -m pytest -n 2 --dist loadfile -m "not faults" $(ARGS) || [ $$? -eq 5 ]
	@$(BIN)/python -m pytest -m faults $(ARGS) || [ $$? -eq 5 ]

check: $(READY) ## ruff, mypy, import-linter
	@$(BIN)/python -m ruff check .
	@$(BIN)/python -m ruff format --check .
	@$(BIN)/python -m mypy
	@$(BIN)/lint-imports

bench: $(READY) ## measure; PARTS="single batch" chooses
	@$(BIN)/python -m deploy.local.install
	@$(BIN)/python -m bench $(PARTS)

soak: $(READY) ## the fault harness for long; ARGS="--minutes 60"
	@$(BIN)/python -m deploy.local.install
	@$(BIN)/python -m tests.faults $(ARGS)

format: $(READY) ## let ruff correct and format the sources
	@$(BIN)/python -m ruff check --fix .
	@$(BIN)/python -m ruff format .

lock: $(READY) ## renew requirements.lock; ARGS=--upgrade for the newest versions
	@.venv/.uv/bin/uv pip compile pyproject.toml --extra local --extra dev --generate-hashes \
	  --no-emit-index-url --python-version 3.11 --quiet $(ARGS) -o requirements.lock

clean: ## delete the environment, the caches and all data of the private servers
	@if [ -x $(BIN)/python ]; then $(BIN)/python -m deploy.local.clean; fi
	@rm -rf .venv .run .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' Makefile

$(READY): requirements.lock deploy/local/requirements-uv.lock deploy/local/environment.sh
	@deploy/local/environment.sh "$(PYTHON)"
	@touch $(READY)
