# make backtest   a strategy on real market data, with a report to look at
# make test       every check: style, types, layers, tests
# make test-slow  the tests that take long: more random markets, more rows, workers killed
# make docs       the pages of docs/ as a site: build/site/index.html
#
# All build .venv once from constraints.txt. PYTHON=python3.12 chooses another interpreter.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STRATEGY ?= strategies/sma_cross.py
DATA ?= sp500
FEE_BPS ?= 10
REPORT ?= reports/$(basename $(notdir $(STRATEGY))).html

# What pip says, cut down to one line per download. Its errors go to stderr and stay whole.
PROGRESS := sed -nE 's/^ *Downloading ([^ ]+)-[^- ]+-[^- ]+-[^- ]+\.whl.*(\(.*\)).*/  \1 \2/p; \
	s/^Installing collected packages.*/  installing .../p'
INSTALL = $(BIN)/python -m pip install --disable-pip-version-check --constraint constraints.txt

.PHONY: help
help:
	@sed -n '/^# make/s/^# //p' Makefile

.PHONY: backtest
backtest: $(VENV)/.installed-data
	@$(BIN)/alphalab backtest $(STRATEGY) --data $(DATA) --fee-bps $(FEE_BPS) --report $(REPORT)
	@echo "To go on by hand: source $(BIN)/activate"

.PHONY: test
test: $(VENV)/.installed-dev browser
	@$(MAKE) --jobs=2 --output-sync=target checks kernels
	$(BIN)/pytest -n 2 --dist worksteal -m "not slow"
	NUMBA_DISABLE_JIT=1 $(BIN)/pytest -n 2 --dist worksteal -m nojit

.PHONY: checks
checks:
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# Compiled beside the checks: two processes of tests would both compile them.
.PHONY: kernels
kernels:
	$(BIN)/python tests/compile_kernels.py

# Pages are tried in a real browser; where none can be installed, those tests are skipped.
.PHONY: browser
browser:
	@command -v chromium chromium-browser google-chrome google-chrome-stable >/dev/null || \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    echo "Installing chromium for the tests of pages."; \
	    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq \
	        --no-install-recommends chromium; } >/dev/null 2>&1 || \
	    echo "chromium could not be installed: tests of pages in a browser are skipped." >&2; \
	else \
	    echo "No browser here (install chromium): tests of pages in one are skipped." >&2; \
	fi

.PHONY: test-slow
test-slow: $(VENV)/.installed-dev
	$(BIN)/pytest -n 2 -m slow

.PHONY: docs
docs: $(VENV)/.installed-dev
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict
	@echo "Open build/site/index.html"

# A stamp is written only after its installation succeeded, and is renewed when the pins change.
# The extra `dev` holds `data`, so its stamp is good for both.
$(VENV)/.installed-%: pyproject.toml constraints.txt | $(VENV)/.created
	@echo "Installing alphalab[$*] into $(VENV): a few minutes the first time."
	@$(INSTALL) --editable '.[$*]' | $(PROGRESS)
	@touch $@ $(if $(filter dev,$*),$(VENV)/.installed-data)

$(VENV)/.created:
	@command -v $(PYTHON) >/dev/null || { \
	    echo "alphalab needs Python 3.11 or newer: there is no '$(PYTHON)' here." >&2; \
	    echo "  Install it, or name one: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	    echo "alphalab needs Python 3.11 or newer: '$(PYTHON)' is $$($(PYTHON) --version 2>&1)." >&2; \
	    echo "  Name a newer one: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@echo "Creating $(VENV) with $$($(PYTHON) --version)."
	@$(PYTHON) -m venv $(VENV)
	@touch $@
