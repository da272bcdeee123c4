# Everything from a fresh machine: Debian or a relative with python3-venv, python3-dev, g++ and make.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
SOURCES := CMakeLists.txt pyproject.toml $(shell find cpp src -name __pycache__ -prune -o -type f ! -name '*.so' -print)

.PHONY: demo test test-long lint bench clean

demo: .venv/firth .venv/with-plot
	$(BIN)/firth demo -o out/demo

test: .venv/firth .venv/with-test
	$(BIN)/python -m pytest

test-long: .venv/firth .venv/with-test
	$(BIN)/python -m pytest -m long

lint: .venv/firth .venv/with-test .venv/with-lint
	$(BIN)/ruff format --check src tests benchmarks
	$(BIN)/ruff check src tests benchmarks
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/clang-format --dry-run -Werror cpp/*.cpp cpp/*.hpp cpp/tests/* benchmarks/*.cpp
	mkdir -p out && $(BIN)/python -m nanobind.stubgen -q -m firth._core -o out/_core.pyi
	diff src/firth/_core.pyi out/_core.pyi

# Tables and JSON in out/bench; benchmarks/README.md tells what may be given besides CORPUS and EVAL.
QUESTIONS := speed instruction_sets ingest scaling limit size deterministic reference
GIVEN = $(CORPUS) $(if $(EVAL),--eval $(EVAL)) $(if $(RUNS),--runs $(RUNS))
GIVEN_speed = $(GIVEN_ingest) $(if $(PWORD2VEC),--pword2vec $(PWORD2VEC))
GIVEN_ingest = $(if $(WORD2VEC_C),--word2vec-c $(WORD2VEC_C))

bench: .venv/with-bench
	-$(MAKE) .venv/with-fasttext
	for each in $(QUESTIONS); do $(MAKE) --no-print-directory bench-$$each || exit 1; done

bench-%: .venv/with-bench
	mkdir -p out/bench
	$(BIN)/python benchmarks/$*.py $(GIVEN) $(GIVEN_$*) > out/bench/$*.md
	cat out/bench/$*.md

clean:
	rm -rf .venv build dist out

.venv/pip:
	$(PYTHON) -m venv .venv
	touch $@

# Built once; the extras only bring what it needs besides.
.venv/firth: $(SOURCES) | .venv/pip
	$(PIP) install .
	touch $@

# PyTorch as PyPI has it brings gigabytes of CUDA on Linux; the CPU's build lies elsewhere, or where pip is told to
# look. With it installed, the extras below ask for nothing more.
TORCH ?= torch==2.13.0
.venv/torch: | .venv/pip
	$(PIP) install '$(TORCH)+cpu' || $(PIP) install '$(TORCH)' --extra-index-url https://download.pytorch.org/whl/cpu
	touch $@

.venv/with-test .venv/with-lint: | .venv/torch

.venv/with-%: pyproject.toml | .venv/firth
	$(PIP) install 'firth[$*]'
	touch $@

# The core without Python: its C++ tests, under sanitizers, and on machines that this one is not.
CMAKE ?= cmake

.PHONY: core-test sanitize emulate always

build/%/core_test: always
	@$(CMAKE) -S . -B build/$* -DFIRTH_TESTS=ON -DFIRTH_SANITIZE=$(SANITIZE) >/dev/null
	@$(CMAKE) --build build/$* --parallel $$(nproc)
build/address/core_test: SANITIZE = address,undefined,float-cast-overflow
build/thread/core_test: SANITIZE = thread

core-test: build/core/core_test
	$<

# The last line proves that ThreadSanitizer looks away from the racing rows alone.
sanitize: build/address/core_test build/thread/core_test
	UBSAN_OPTIONS=print_stacktrace=1 build/address/core_test
	build/thread/core_test
	build/thread/core_test --race 2>&1 | grep "SUMMARY: ThreadSanitizer: data race"

# The instruction sets of older machines: none of AVX, then AVX2 alone. Each must be the one that is chosen there.
emulate: build/core/core_test
	@if [ "$$(uname -m)" != x86_64 ]; then echo "emulate: skipped, this machine is not x86-64"; \
	elif ! command -v qemu-x86_64 >/dev/null; then echo "emulate: skipped, install qemu-user"; \
	else qemu-x86_64 -cpu Nehalem $< --expect plain && qemu-x86_64 -cpu Haswell $< --expect avx2; fi
