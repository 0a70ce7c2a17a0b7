# The commands of this project; `make help` lists them. The build itself is CMake's.
#
#   BUILD_TYPE=Debug   another kind of build (default RelWithDebInfo)
#   JOBS=4             processes at once (default: one per processor)

BUILD_TYPE ?= RelWithDebInfo
JOBS ?= $(shell nproc)
BUILD ?= build
PREFIX ?= /usr/local
DESTDIR ?=
SECONDS_EACH ?= 60
export BUILD_TYPE JOBS BUILD

.DEFAULT_GOAL := build
.PHONY: help setup build demo test recorded layer serve languages bench lint sanitize coverage fuzz soak vm docs install clean

help: ## lists these commands
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## installs the Debian packages that are missing (as root; otherwise names them)
	@scripts/setup

build: setup ## builds everything; programs in build/bin (this is the default)
	@scripts/build $(BUILD)

demo: build ## starts the service, deploys three functions, compares their response times
	@scripts/demo --bin $(BUILD)/bin

test: ## installs what is missing, builds, runs every test
	@scripts/test

recorded: build ## holds the service against answers recorded from AWS (OGNI_RECORDED names their folder)
	@scripts/recorded --bin $(BUILD)/bin

layer: build ## makes build/ogni-runtime-layer.zip: functions in any language, in Ogni and on AWS
	@scripts/layer $(BUILD)/bin/bootstrap $(BUILD)/ogni-runtime-layer.zip

serve: build ## runs the service on http://127.0.0.1:4566
	@exec $(BUILD)/bin/ogni serve

languages: build ## installs every language of examples/, runs all of them, writes the table of docs/languages.md
	@scripts/setup languages
	@scripts/languages --bin $(BUILD)/bin --table docs/languages.md

bench: build ## measures latency, throughput, cold starts and memory beside the floor of this machine
	@benchmarks/run.py --bin $(BUILD)/bin
	@$(BUILD)/bin/benchmarks/bootstrap_load --bin $(BUILD)/bin

lint: build ## checks layout and static analysis (clang-format, clang-tidy; results are cached)
	@scripts/lint --build $(BUILD) --jobs $(JOBS)

sanitize: setup ## the whole suite under AddressSanitizer and UBSan, the threaded parts under ThreadSanitizer
	@scripts/sanitize full

coverage: setup ## the suite with counters: which branches no test takes (FILES="service sandbox", slow)
	@scripts/coverage $(if $(FILES),--files $(FILES))

fuzz: setup ## runs every fuzz target for SECONDS_EACH=60 seconds
	@scripts/fuzz $(SECONDS_EACH)

soak: build ## long tests: 1,000 cold starts, 10,000 environments, 200 restarts and more
	@OGNI_SOAK=1 tests/run --bin $(BUILD)/bin --only soak --only sandbox_tmp_disk --only launcher_steps --only restart --timeout 1800

vm: build ## runs the sandbox's tests on Debian 12's kernel with cgroup version 2, in QEMU (slow without KVM)
	@scripts/setup vm
	@scripts/vm --bin $(BUILD)/bin

docs: ## writes the reference of the library for functions (build/reference/html); needs doxygen
	@scripts/reference $(BUILD)/reference

install: build ## installs programs, library, headers and manual page below PREFIX=/usr/local
	@DESTDIR="$(DESTDIR)" cmake --install $(BUILD) --prefix "$(PREFIX)"

clean: ## removes what was built
	rm -rf $(BUILD) build-asan build-tsan build-coverage build-fuzz .cache
