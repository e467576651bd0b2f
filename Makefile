# Dhow. `make run` shows it working, `make test` proves it.
SHELL := /bin/bash
.DEFAULT_GOAL := build
.PHONY: setup setup-bench build build-tests run test test-vm fuzz bench install uninstall format lint clean

PREFIX  ?= /usr/local
FUZZ_SECONDS ?= 60
BUILD   := .build
IMAGES  := .build-images
SWIFT   := swift
PROGRAMS := dhow dhowd dhow-runtime dhow-nix dhow-copy
ARCHIVES := stdc++ sqlite3 z
RELEASE := $(BUILD)/release

## setup: install what the build and the tests need (Debian), or say what is missing
setup:
	@scripts/setup build test

## setup-bench: the engines and runtimes that the benchmark compares with
setup-bench:
	@scripts/setup bench

## build: bin/dhow, bin/dhowd, bin/dhow-runtime, bin/dhow-nix and bin/dhow-copy, optimised and stripped
build: $(BUILD)/archives
	$(SWIFT) build -c release
	@mkdir -p bin
	@for program in $(PROGRAMS); do \
	  if [ ! -e bin/$$program ] || [ $(RELEASE)/$$program -nt bin/$$program ]; then \
	    strip -o bin/.$$program.new $(RELEASE)/$$program && mv bin/.$$program.new bin/$$program || exit 1; \
	  fi; \
	done
	@ls -lh $(addprefix bin/,$(PROGRAMS))

# Where the linker finds no shared libraries: see Package.swift.
$(BUILD)/archives:
	@mkdir -p $@
	@for name in $(ARCHIVES); do \
	  file=$$(clang -print-file-name=lib$$name.a) && [ -e "$$file" ] && ln -sf "$$(realpath "$$file")" $@/ || \
	    { echo "lib$$name.a is missing: make setup installs it"; rm -rf $@; exit 1; }; \
	done

## run: set up, build, make a Debian image on the spot, load it and run a container from it
run: setup build
	@scripts/demo

build-tests: build
	$(SWIFT) build -c release --build-tests

## test: unit tests and end-to-end tests (as root, on this kernel)
test: setup build-tests
	@scripts/test '$(TESTS)'

## test-vm: the cgroup tests in a virtual machine with systemd and pure cgroup v2
test-vm: setup build-tests
	@scripts/setup vm
	@scripts/test-vm

## fuzz: the parsers under libFuzzer, each for FUZZ_SECONDS; FUZZ names some of them
fuzz:
	$(SWIFT) build -c release --package-path Fuzz --scratch-path .build-fuzz
	@scripts/fuzz $(FUZZ_SECONDS) $(FUZZ)

## bench: Dhow beside its peers, as ratios of medians
bench: build
	@python3 scripts/bench

install: build
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/lib/systemd/system
	install -m 0755 $(addprefix bin/,$(PROGRAMS)) $(DESTDIR)$(PREFIX)/bin/
	for unit in dhow.service dhow.socket; do \
	  sed 's|@PREFIX@|$(PREFIX)|g' packaging/systemd/$$unit > $(DESTDIR)$(PREFIX)/lib/systemd/system/$$unit || exit 1; \
	done

uninstall:
	rm -f $(addprefix $(DESTDIR)$(PREFIX)/bin/,$(PROGRAMS)) \
	  $(addprefix $(DESTDIR)$(PREFIX)/lib/systemd/system/,dhow.service dhow.socket)

format:
	$(SWIFT) format --in-place --recursive --parallel Package.swift Sources Tests Fuzz/Package.swift Fuzz/Support Fuzz/Targets

lint:
	$(SWIFT) format lint --recursive --parallel Package.swift Sources Tests Fuzz/Package.swift Fuzz/Support Fuzz/Targets

clean:
	rm -rf $(BUILD) .build-fuzz bin
