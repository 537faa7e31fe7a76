# The commands for one machine. `make` lists them.
PYTHON ?= $(firstword $(shell command -v python3.11 python3) python3)
BIN := .venv/bin
READY := .venv/.ready

# Keep compiled Python files: the many short processes start in half the time.
unexport PYTHONDONTWRITEBYTECODE
MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help
.PHONY: run test check proto bench soak debian13 format lock clean help
TARGET ?= test

run: $(READY) ## start everything and publish demo events; ONCE=1 ends after the table
	@$(BIN)/python -m deploy.local $(if $(ONCE),--once)

test: $(READY) ## run all tests, on private servers; ARGS="-k name" selects
	@$(BIN)/python -m deploy.local.install
	@$(BIN)/python -m deploy.local.external_programs
	@$(BIN)/python -m pytest -n 3 --dist loadfile $(ARGS)

check: $(READY) ## run ruff, mypy, import-linter and buf
	@$(BIN)/python -m ruff check .
	@$(BIN)/python -m ruff format --check .
	@$(BIN)/python -m mypy
	@$(BIN)/lint-imports
	@$(BIN)/buf lint gateway/grpc/proto
	@$(BIN)/buf breaking gateway/grpc/proto --against gateway/grpc/proto/bus.v1.binpb

proto: $(READY) ## generate the code of the .proto files; ARGS=--image releases the interface
	@$(BIN)/python -m deploy.local.protobuf $(ARGS)

bench: $(READY) ## run the benchmarks; PARTS="single batch" selects
	@$(BIN)/python -m deploy.local.install
	@$(BIN)/python -m bench $(PARTS)

soak: $(READY) ## run the fault harness for longer; ARGS="--minutes 60"
	@$(BIN)/python -m deploy.local.install
	@$(BIN)/python -m tests.faults $(ARGS)

debian13: ## run a command on Debian 13, as root; TARGET=run ONCE=1, or TARGET=test ARGS="..."
	@deploy/local/debian13.sh $(MAKE) $(TARGET)

format: $(READY) ## fix and format the sources with ruff
	@$(BIN)/python -m ruff check --fix .
	@$(BIN)/python -m ruff format .

lock: $(READY) ## update requirements.lock; ARGS=--upgrade takes the newest versions
	@.venv/.uv/bin/uv pip compile pyproject.toml --extra local --extra dev --generate-hashes \
	  --no-emit-index-url --python-version 3.11 --universal --quiet $(ARGS) -o requirements.lock

clean: ## delete the environment, caches and the data of the private servers
	@if [ -x $(BIN)/python ]; then $(BIN)/python -m deploy.local.clean; fi
	@rm -rf .venv .run .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

help: ## list the commands
	@awk -F ':.*## ' '/^[a-z0-9]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' Makefile

$(READY): requirements.lock deploy/local/requirements-uv.lock deploy/local/environment.sh
	@deploy/local/environment.sh "$(PYTHON)"
	@touch $(READY)
