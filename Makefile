# Two commands from a fresh clone: `make quickstart` and `make test`.
# Each builds its own environment; the package index is the only thing they need.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
LOWEST := .venv-lowest

.PHONY: help setup quickstart gallery test lint types unit test-lowest format clean

help:
	@echo "make quickstart   the main job on generated data: a table and a picture"
	@echo "make gallery      run the numbered examples, write docs/gallery.md"
	@echo "make test         lint, types, tests"
	@echo "make test-lowest  tests with the lowest versions that pyproject.toml allows"
	@echo "make format       let ruff rewrite what it can"
	@echo "make clean        remove the environment and all caches"

setup: $(STAMP)

$(STAMP): pyproject.toml constraints/development.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints/development.txt -e '.[test]'
	touch $@

quickstart: setup
	$(BIN)/python examples/quickstart.py

gallery: setup
	OMP_NUM_THREADS=1 $(BIN)/python examples/gallery/build.py

test: lint types unit

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: setup
	$(BIN)/mypy

# A process a core with one thread each: on small tensors more threads only wait.
unit: setup
	OMP_NUM_THREADS=1 SCIPY_ARRAY_API=1 MPLBACKEND=Agg $(BIN)/python -m pytest -n auto

test-lowest: $(LOWEST)/.installed
	OMP_NUM_THREADS=1 SCIPY_ARRAY_API=1 MPLBACKEND=Agg $(LOWEST)/bin/python -m pytest -n auto

$(LOWEST)/.installed: pyproject.toml constraints/lowest.txt
	$(PYTHON) -m venv $(LOWEST)
	$(LOWEST)/bin/pip install --quiet --disable-pip-version-check -c constraints/lowest.txt -e '.[test]'
	touch $@

format: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) $(LOWEST) .pytest_cache .mypy_cache .ruff_cache .hypothesis build dist *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
