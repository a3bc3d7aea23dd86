PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.DEFAULT_GOAL := help
.PHONY: help setup run test check format lock openapi bench clean

help:  ## Show what can be made
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: $(READY)  ## Make the virtual environment from requirements.lock

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Quire needs Python 3.11 or later; $(PYTHON) is older. Try: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' || { echo "$(PYTHON) has no venv module (on Debian: apt install python3-venv)"; exit 1; }
	@echo "Setting up $(VENV) (once, a minute or two) ..."
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

run: $(READY)  ## Run the whole of Quire on this machine, with all it needs
	@$(BIN)/quire up

test: $(READY)  ## Run the tests, on a stack of their own
	@$(BIN)/python -m pytest --numprocesses=3 --dist=loadfile $(ARGS)

check: $(READY)  ## Lint, types, layers, migrations and openapi.json
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m tests.check_migrations
	$(BIN)/python -m app.main --check openapi.json

format: $(READY)  ## Format the code, and mend what can be mended
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

openapi: $(READY)  ## Write openapi.json from the app
	$(BIN)/python -m app.main openapi.json

lock: $(READY)  ## Write requirements.lock, and the image's part of it, anew from pyproject.toml (needs uv)
	uv pip compile --universal --generate-hashes --no-emit-index-url --python-version 3.11 --all-extras --group dev \
		--custom-compile-command "make lock" pyproject.toml -o requirements.lock
	uv pip compile --universal --generate-hashes --no-emit-index-url --python-version 3.11 --extra textract \
		--constraints requirements.lock --custom-compile-command "make lock" pyproject.toml -o requirements.image.lock

bench: $(READY)  ## Run the benchmarks
	$(BIN)/python -m benchmarks $(ARGS)

clean:  ## Remove the virtual environment and caches (never the data in .quire)
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
