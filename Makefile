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
