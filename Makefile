# Each target says what it does: `make help`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
HEAVY := .venv-heavy
OLDER := .venv-older
INPUTS := pyproject.toml packaging/runtime/pyproject.toml
# uv reads no pip configuration: an index that pip is set to use is passed on.
INDEX = $$($(PIP) config get global.index-url 2>/dev/null)
PINNED := --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links \
	--no-annotate --no-header --quiet
COMPILE = UV_DEFAULT_INDEX=$(INDEX) $(BIN)/uv pip compile pyproject.toml requirements/build.in $(PINNED) \
	--no-emit-package roadworthy-runtime

.DEFAULT_GOAL := help
.PHONY: help quickstart install test test-heavy test-older generated clients check lint types layers doctest surface documented bench faults screenshots reference pins wheels clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {sub(/:.*/, "", $$1); printf "make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

quickstart: $(VENV)/.run ## Install, deploy the flight example, ask it once, print the page's address
	@$(BIN)/python tools/quickstart.py

install: $(VENV)/.dev ## Make .venv with everything that developing needs

test: $(VENV)/.dev $(VENV)/.azurite ## Run the tests; ARGS="-k name" passes on to pytest
	$(BIN)/python -m pytest $(ARGS)

test-heavy: $(VENV)/.dev $(HEAVY)/.heavy ## Test capture of boosted trees, PyTorch and Keras in their own environment
	HEAVY_PYTHON=$(CURDIR)/$(HEAVY)/bin/python $(BIN)/python -m pytest tests/heavy $(ARGS)

test-older: $(VENV)/.dev $(OLDER)/.older ## Test capture under pandas 2, NumPy 1 and scikit-learn 1.5
	OLDER_PYTHON=$(CURDIR)/$(OLDER)/bin/python $(BIN)/python -m pytest tests/older $(ARGS)

generated: $(VENV)/.dev ## Capture generated programs against their oracles; ARGS="--count 3000 --jobs 2"
	$(BIN)/python -m tests.capture.generating.many $(ARGS)

clients: $(VENV)-clients/.made ## Ask a gateway with other people's clients: tritonclient, MLflow, schemathesis
	$(BIN)/python -m pytest tests/clients $(ARGS)

check: lint types layers doctest surface documented ## Lint, types, layers, docstring examples, public names, reference

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.dev
	$(BIN)/mypy

layers: $(VENV)/.dev
	$(BIN)/lint-imports --no-cache

doctest: $(VENV)/.dev
	$(BIN)/python -m pytest --quiet --doctest-modules src --ignore-glob='*/migrations/*'

surface: $(VENV)/.dev
	$(BIN)/python -m pytest --quiet tests/unit/test_public_surface.py

documented: $(VENV)/.dev
	$(BIN)/python tools/reference.py --check

faults: $(VENV)/.dev ## Make faults by the hundred and count violated promises; ARGS="--rounds 50 --rows 8"
	$(BIN)/python tools/faults.py $(ARGS)

bench: $(VENV)/.dev ## Measure side by side with the alternatives, and print ratios
	@failed=0; for bench in benches/*/bench.py; do \
		echo "== $$bench"; $(BIN)/python $$bench || failed=1; done; exit $$failed

screenshots: $(VENV)/.dev ## Take the tutorial's pictures anew, from a real run in Chromium
	$(BIN)/python tools/screenshots.py $(ARGS)

reference: $(VENV)/.dev ## Write docs/reference anew from docstrings and the command line
	$(BIN)/python tools/reference.py

pins: $(VENV)/.dev ## Write requirements/*.txt anew: newest versions allowed, exact, with hashes
	$(COMPILE) --upgrade --extra postgres --extra examples --output-file requirements/run.txt
	$(COMPILE) --upgrade --extra dev --output-file requirements/dev.txt --constraint requirements/run.txt
	$(subst pyproject.toml requirements/build.in,requirements/clients.in,$(COMPILE)) --upgrade --output-file requirements/clients.txt
	$(subst pyproject.toml requirements/build.in,requirements/heavy.in,$(COMPILE)) --upgrade --output-file requirements/heavy.txt \
		--constraint requirements/dev.txt
	$(subst pyproject.toml requirements/build.in,requirements/older.in,$(COMPILE)) --upgrade --output-file requirements/older.txt

wheels: $(VENV)/.dev ## Build the wheels of both distributions into dist/
	$(PIP) wheel --quiet --no-deps --no-build-isolation --wheel-dir dist packaging/runtime .

clean: ## Remove the virtual environment, caches and builds; what was deployed stays
	rm -rf $(VENV) $(VENV)-clients $(HEAVY) $(OLDER) dist build plots .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -not -path './.git/*' -prune -exec rm -rf {} +

$(VENV)-clients/.made: requirements/clients.txt | $(VENV)/.dev
	@echo "Installing other people's clients into $(VENV)-clients"
	@$(BIN)/python -m venv $(VENV)-clients
	@$(VENV)-clients/bin/python -m pip --disable-pip-version-check install --quiet --require-hashes -r requirements/clients.txt
	@touch $@

$(OLDER)/.older: requirements/older.txt | $(BIN)/python
	@echo "Installing pandas 2, NumPy 1 and scikit-learn 1.5 into $(OLDER)"
	@$(PYTHON) -m venv $(OLDER)
	@$(OLDER)/bin/python -m pip --disable-pip-version-check install --quiet --require-hashes -r requirements/older.txt
	@touch $@

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit("Roadworthy needs Python 3.11 or newer, and $(PYTHON) is " \
		+ sys.version.split()[0] + ": make PYTHON=python3.11 …") if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.run: requirements/run.txt $(INPUTS) | $(BIN)/python
	@echo "Installing what Roadworthy and its examples need into $(VENV) (about a minute)"
	@$(PIP) install --quiet --require-hashes -r requirements/run.txt
	@$(PIP) install --quiet --no-deps --no-build-isolation -e packaging/runtime -e .
	@touch $@

$(VENV)/.azurite: | $(BIN)/python
	@echo "Installing the Azure emulator that the contract tests use"
	@npm install --silent --no-fund --no-audit --prefix $(VENV)/azurite azurite@3.35.0
	@touch $@

$(VENV)/.dev: requirements/dev.txt $(VENV)/.run
	@echo "Installing what developing needs into $(VENV)"
	@$(PIP) install --quiet --require-hashes -r requirements/dev.txt
	@touch $@

# PyTorch is named by version alone: of its builds only the one without accelerators is wanted, and
# that is another file on each machine. What it needs stands in heavy.txt.
$(HEAVY)/.heavy: requirements/heavy.txt | $(BIN)/python
	@echo "Installing boosted trees, PyTorch and Keras into $(HEAVY) (about two minutes)"
	@$(PYTHON) -m venv $(HEAVY)
	@$(HEAVY)/bin/python -m pip --disable-pip-version-check install --quiet --require-hashes -r requirements/heavy.txt
	@$(HEAVY)/bin/python -m pip --disable-pip-version-check install --quiet --no-deps torch==2.13.0
	@touch $@
