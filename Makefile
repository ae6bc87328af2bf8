PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# The embedded PostgreSQL warns where the session has no folder for sockets, and does without.
QUIET := $(BIN)/python -W "ignore:XDG_RUNTIME_DIR"
PORT ?= 8000
DEMO_WEEKS ?= 6

.PHONY: help run test check bench install clean

help:  ## Say what can be made.
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

run: $(VENV)/.installed  ## Run Laurel with its demo: make run [PORT=8000] [DEMO_WEEKS=6]
	@PORT=$(PORT) DEMO_WEEKS=$(DEMO_WEEKS) $(QUIET) -m config.local.run

test: $(VENV)/.installed  ## Run the whole suite: make test [ARGS="-k redeem"]
	@$(QUIET) -m config.local.test $(ARGS)

check: $(VENV)/.installed  ## Lint, types, import contracts, migrations, deploy check.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/python -m config.local.check mypy .
	$(BIN)/python -m config.local.check manage.py makemigrations --check --dry-run
	$(BIN)/python -m config.local.check manage.py check --deploy --fail-level WARNING

bench: $(VENV)/.installed  ## Measure against PostgreSQL's own limits: make bench [SCALE=1]
	@$(QUIET) -m bench

install: $(VENV)/.installed  ## Install what everything else needs.

$(VENV)/.installed: requirements.txt requirements-dev.txt
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Laurel needs Python 3.11 or newer, this is %d.%d. Try: make PYTHON=python3.11" % sys.version_info[:2])'
	@test -w . || { echo "Laurel cannot start: $(CURDIR) cannot be written to."; exit 1; }
	@echo "Installing what Laurel needs into $(VENV) ..."
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@

clean:  ## Remove the virtual environment and all local data.
	rm -rf $(VENV) var
