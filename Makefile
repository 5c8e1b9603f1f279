# The two commands are `make run` and `make test`; both set up what is missing first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DESTDIR ?=
PREFIX ?= /usr
.PHONY: run test check demo bench conformance setup install uninstall clean

setup:
	@tools/setup.sh

run: setup
	@tools/run.sh

# Four at a time, files in their order: guests that boot leave room for what computes, and small files come last.
test: setup
	$(BIN)/pytest -n 4 --dist loadfile --no-loadscope-reorder -m 'not exclusive'
	$(BIN)/pytest -m exclusive

check: $(VENV)/ready
	$(BIN)/ruff check gateway drivers conformance tests demo bench
	$(BIN)/mypy
	$(BIN)/lint-imports

demo: setup
	@$(BIN)/python -m demo.demo

bench: setup
	@$(BIN)/python -m bench

# Judges a private gateway with real guests, and rewrites the table of docs/conformance.md.
conformance: setup
	@$(BIN)/python -m tests.conformance.real

$(VENV)/ready: setup.cfg pyproject.toml
	@tools/setup.sh

install uninstall:
	@PYTHON="$(PYTHON)" DESTDIR="$(DESTDIR)" PREFIX="$(PREFIX)" tools/install.sh $@

clean:
	rm -rf build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache
