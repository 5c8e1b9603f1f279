# The two commands are `make run` and `make test`; each sets up first what it needs and is missing. `make help` names all.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DESTDIR ?=
PREFIX ?= /usr
# Modules are compiled once and kept, whatever the environment says: the tests start hundreds of processes.
export PYTHONDONTWRITEBYTECODE =
.PHONY: help run guest test quick quick-debian13 coverage check diagrams manual docs demo bench bench-compare conformance setup setup-tests lock install uninstall deb clean

help: ## Name the commands
	@sed -n 's/^\([a-z0-9-]*\):.* ## \(.*\)/  make \1\t\2/p' Makefile | expand -t 24

setup: ## Install what running needs: packages, the libraries of requirements/run.txt, libvirt's daemons
	@tools/setup.sh run

setup-tests: ## Install what tests, measures and checks need besides
	@tools/setup.sh test

lock: ## Write the lock files anew, from what setup.cfg allows
	@tools/lock.sh

run: setup ## Serve this checkout at http://127.0.0.1:8080/cimi/
	@tools/run.sh

guest: setup ## Build the small guest that the catalogue of images lists as demo
	@mkdir -p var/images
	@$(BIN)/python -m demo.guest_image var/images/demo.qcow2

# Five at a time, since those with guests mostly wait. What stops libvirt comes last, beside what needs none of it.
test: setup-tests ## Run every test, those with real guests included, and the quick ones with Debian 13's libraries, too
	$(BIN)/pytest -n 5 --dist loadfile --no-loadscope-reorder -m 'not exclusive' --ignore=tests/unit
	@tools/beside.sh "$(BIN)/pytest -n 2 tests/unit && $(MAKE) quick-debian13" "$(BIN)/pytest -m exclusive"

# Needs no libvirt. What is left out is named at its end; `make test` leaves out nothing.
QUICK := tests/unit tests/api tests/client
LEFT_OUT = @echo "left out: tests with libvirt (tests/contract, system, fault, hosts, host), tests/conformance, and the slow:" && \
	grep -rl 'pytest.mark.slow' $(QUICK) | sort | sed 's/^/  /'

quick: $(VENV)/ready ## Run the unit and API tests that need no libvirt, but the slow ones
	$(BIN)/pytest -n 2 -m 'not slow' $(QUICK)
	$(LEFT_OUT)

DEBIAN13 ?= .venv-debian13
quick-debian13: ## Run the quick tests with the libraries of Debian 13
	@tools/debian13.sh $(DEBIAN13)
	$(DEBIAN13)/bin/python -m pytest -n 2 -m 'not slow' $(QUICK)
	$(LEFT_OUT)

coverage: $(VENV)/ready ## Run the quick tests, and tell the branches that they cover; fails below the floor
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest -n 2 -m 'not slow' $(QUICK)
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report
	$(LEFT_OUT)

TREES := gateway drivers conformance client contrib tests demo bench tools
check: $(VENV)/ready ## Run ruff, mypy, import-linter and the checks of English, sizes, ways and diagrams
	$(BIN)/ruff check $(TREES)
	$(BIN)/ruff format --check $(TREES)
	$(BIN)/mypy
	PYTHONPATH=client $(BIN)/lint-imports
	$(BIN)/python -m tools.check_english
	$(BIN)/python -m tools.create_trace
	$(BIN)/python -m tools.diagrams --check

diagrams: $(VENV)/ready ## Draw the states in docs/design anew, from the tables of the program
	$(BIN)/python -m tools.diagrams

manual: $(VENV)/ready ## Write the manual pages and completions in man anew, from the commands' own help
	PYTHONPATH=client $(BIN)/python -m tools.manual

docs: $(VENV)/ready ## Build the site of the documentation into build/site; a dead link fails
	@tools/docs.sh

demo: setup ## Boot a real guest through a private gateway, and take all away
	@$(BIN)/python -m demo.demo

bench: setup-tests ## Measure, print ratios, and keep them in bench/results as those of VERSION
	@VERSION="$(VERSION)" $(BIN)/python -m bench

bench-compare: $(VENV)/ready ## Compare the results of OLD and NEW, or of the last two runs
	@$(BIN)/python -m bench.compare $(OLD) $(NEW)

# Judges a private gateway with real guests, and rewrites the table of docs/conformance.md.
conformance: setup-tests ## Judge a private gateway, and write docs/conformance.md
	@$(BIN)/python -m tests.conformance.real

$(VENV)/ready: setup.cfg pyproject.toml requirements/dev.txt
	@tools/setup.sh test

install: ## Install as a service; DESTDIR and PREFIX as usual
uninstall: ## Remove what install put there; configuration and state stay
install uninstall:
	@PYTHON="$(PYTHON)" DESTDIR="$(DESTDIR)" PREFIX="$(PREFIX)" tools/install.sh $@

deb: ## Build the Debian packages for this release of Debian, into dist/
	@tools/deb.sh

clean: ## Remove what builds and checks leave
	rm -rf build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache
