# Fairlead on Debian 12. Needed before: git, make, and root or sudo. `make help` lists the targets.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

PRESET ?= release
PREFIX ?= /usr/local
BUILD := out/build/$(PRESET)
PROGRAMS := fairlead fairlead-controller fairlead-agent
JOBS ?= $(shell nproc)
SECONDS ?= 60
SEEDS ?= 10000
FIRST ?= 1
FAULTS ?= 3
SEED ?= 1
ROUNDS ?= 200
CONTROLLERS ?= 1

.PHONY: help packages configure build test check sanitize format docs demo demo-stop bench fuzz model chaos install clean

help: ## This list.
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | \
	  awk -F '\t' '{ printf "  make %-10s %s\n", $$1, $$2 }'

packages: ## Install what is missing by apt.
	@tools/install_packages

configure: packages
	@[ -f $(BUILD)/build.ninja ] || cmake --preset $(PRESET)

build: configure ## Build fairlead, fairlead-controller and fairlead-agent into out/bin/.
	@cmake --build $(BUILD) -j $(JOBS) --target $(PROGRAMS)
	@mkdir -p out/bin
	@for program in $(PROGRAMS); do cp -f $(BUILD)/bin/$$program out/bin/$$program; done
	@ls -l out/bin

test: configure check ## Build everything and run every test: unit, component, integration (real Docker).
	@cmake --build $(BUILD) -j $(JOBS)
	@tools/run_tests $(BUILD)

install: build ## Install programs, systemd units, users and completion below PREFIX=/usr/local of DESTDIR.
	@DESTDIR="$(DESTDIR)" cmake --install $(BUILD) --prefix "$(PREFIX)"

check: packages ## Include layers, banned calls, format, shell scripts, systemd units. No build.
	@tools/check_layers.py
	@tools/format --check
	@tools/check_scripts
	@tools/check_units

sanitize: packages ## Build with clang-tidy, and run unit and component tests under asan and tsan.
	@JOBS="$(JOBS)" tools/check_presets

format: packages ## Format all C++ files in place.
	@tools/format

docs: configure ## Write docs/resources.md anew from the protos and the examples.
	@cmake --build $(BUILD) -j $(JOBS) --target resource_docs
	@$(BUILD)/bin/resource_docs testdata/manifests/valid > $(BUILD)/resources.md
	@mv $(BUILD)/resources.md docs/resources.md

demo: build ## Show the main job on a private Docker engine. ONCE=1 cleans up by itself.
	@DEMO_DOCKER_HOST="$(DEMO_DOCKER_HOST)" ONCE="$(ONCE)" tools/demo run

demo-stop: ## Stop what `make demo` left running and delete out/demo.
	@tools/demo stop

fuzz: packages ## Run each fuzz target for SECONDS=60. clang, with sanitizers.
	@[ -f out/build/fuzz/build.ninja ] || cmake --preset fuzz
	@cmake --build out/build/fuzz -j $(JOBS) --target fuzzers
	@tools/fuzz out/build/fuzz $(SECONDS)

model: packages ## Check the model of the action protocol with spin, in full; takes two minutes.
	@tools/run_model $(FAULTS)

simulate: configure ## Run SEEDS=10000 simulated fleets from FIRST=1 on; writes out/simulation.json.
	@cmake --build $(BUILD) -j $(JOBS) --target simulate
	@$(BUILD)/bin/simulate --first $(FIRST) --seeds $(SEEDS) --jobs $(JOBS) --report out/simulation.json

chaos: configure ## Run a real fleet through ROUNDS=200 rounds of faults of SEED=1, with CONTROLLERS=1; writes out/chaos.json. As root.
	@cmake --build $(BUILD) -j $(JOBS) --target chaos chaos_controller fairlead fairlead-agent
	@$(BUILD)/bin/chaos --seed $(SEED) --rounds $(ROUNDS) --controllers $(CONTROLLERS) --report out/chaos.json

bench: build ## Measure against the floor of the same machine; writes out/bench.json.
	@cmake --build $(BUILD) -j $(JOBS) --target stub_fleet read_bench store_bench access_bench handshake_bench
	@tools/bench

clean: ## Stop the demo and delete out/.
	@tools/demo stop
	@rm -rf out
