# Everything from a fresh machine: Debian or a relative with python3-venv, python3-dev, g++ and make.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
SOURCES := CMakeLists.txt pyproject.toml README.md LICENSE $(shell find cpp src -name __pycache__ -prune -o -type f ! -name '*.so' -print)

.PHONY: demo test lint clean

demo: .venv/firth .venv/with-plot  ## trains on the standard library's docstrings, answers, draws a map
	$(BIN)/firth demo -o out/demo

test: .venv/firth .venv/with-test
	$(BIN)/python -m pytest

lint: .venv/firth .venv/with-test .venv/with-lint
	$(BIN)/ruff format --check src tests benchmarks
	$(BIN)/ruff check src tests benchmarks
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/clang-format --dry-run -Werror cpp/*.cpp cpp/*.hpp
	mkdir -p out && $(BIN)/python -m nanobind.stubgen -q -m firth._core -o out/_core.pyi
	diff src/firth/_core.pyi out/_core.pyi

clean:
	rm -rf .venv build dist out

.venv/pip:
	$(PYTHON) -m venv .venv
	touch $@

# Built once; the extras only bring what it needs besides.
.venv/firth: $(SOURCES) | .venv/pip
	$(PIP) install .
	touch $@

.venv/with-%: pyproject.toml | .venv/firth
	$(PIP) install 'firth[$*]'
	touch $@
