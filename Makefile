# `make demo` shows a report of the bundled sample, `make test` runs the tests, `make bench` measures what loading costs.
# They set up .venv on a machine that has only Python 3.11 or newer; with uv the set-up is faster.

.PHONY: install demo picture test bench check newcomer dev clean
.DEFAULT_GOAL := demo

VENV := .venv
PYTHON := $(VENV)/bin/python
PYTHONS := python3 python3.14 python3.13 python3.12 python3.11 python

define install
	@if command -v uv >/dev/null 2>&1; then uv pip install --quiet --python $(PYTHON) --editable '$(1)'; \
	else $(PYTHON) -m pip install --quiet --disable-pip-version-check --editable '$(1)'; fi
	@touch $@
endef

install: $(VENV)/.installed

demo: $(VENV)/.installed
	@$(VENV)/bin/agentops run --demo

# docs/report.svg, which the README shows.
picture: demo
	@$(PYTHON) -m agentops_pipelines.picture

dev: $(VENV)/.installed
	@$(VENV)/bin/agentops dev

test: $(VENV)/.installed-dev
	$(PYTHON) -m pytest

# What loading and all tables cost, beside a bare scan of the same data in the same run, and what alerts find on
# simulated months; some minutes.
bench: $(VENV)/.installed-dev
	$(PYTHON) -m agentops_pipelines_tests.benchmarks.openclaw_load
	$(PYTHON) -m agentops_pipelines_tests.benchmarks.openclaw_load --sqlite
	$(PYTHON) -m agentops_pipelines_tests.benchmarks.litellm_load
	$(PYTHON) -m agentops_pipelines_tests.benchmarks.matching_scale
	$(PYTHON) -m agentops_pipelines_tests.benchmarks.alerts_backtest

check: $(VENV)/.installed-dev
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ruff check .
	$(VENV)/bin/pyright
	DAGSTER_DISABLE_TELEMETRY=1 $(PYTHON) -W ignore -m dagster definitions validate -w workspace.yaml
	$(PYTHON) -m pytest

# The README's commands in a fresh clone and an empty HOME, installation included; some minutes.
newcomer: $(VENV)/.installed
	$(PYTHON) -m agentops_pipelines_tests.newcomer

clean:
	rm -rf $(VENV)

$(VENV)/.installed: $(PYTHON) pyproject.toml
	@echo "Installing agentops into $(VENV) (a few minutes the first time) ..."
	$(call install,.)

$(VENV)/.installed-dev: $(VENV)/.installed pyproject.toml
	@echo "Installing what the tests need into $(VENV) ..."
	$(call install,.[dev])

$(PYTHON):
	@rm -rf $(VENV); \
	if command -v uv >/dev/null 2>&1; then exec uv venv --quiet --python '>=3.11' $(VENV); fi; \
	for python in $(PYTHONS); do \
	  if $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
	    $$python -m venv $(VENV) && exit 0; \
	    rm -rf $(VENV); \
	    echo "$$python cannot make a virtual environment; on Debian or Ubuntu: apt install python3-venv" >&2; exit 1; \
	  fi; \
	done; \
	echo "agentops needs Python 3.11 or newer, and none of these is one: $(PYTHONS)." >&2; \
	echo "Install one (apt install python3, brew install python, or https://docs.astral.sh/uv/), then call make again." >&2; \
	exit 1
