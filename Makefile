# The chores of this project; CI runs the same ones. `make help` lists them.
# A fresh machine needs Python 3.11 or newer and make. Everything is installed into .venv from
# requirements/*.txt, every file of it checked against its pinned hash. The weights come through npm;
# where there is none, the requirements bring one.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
# The lock lists every package with its hashes, so pip has nothing to resolve: --no-deps.
# Byte code is left to COMPILE, which uses all cores.
PIP_LOCKED := $(PIP) install --quiet --progress-bar on --no-deps --no-compile --require-hashes
# Some packages carry files for other Pythons, which do not compile; what is needed shows when it is imported.
COMPILE := $(BIN)/python -m compileall -qq -j 0 $(VENV)/lib src || true
PORT ?= 8080
DATA ?= opal-data
TESTS ?= tests
TEST_WORKERS ?= 2
FAULT_WORKERS ?= 3
SOAK_ITEMS ?= 20000
LIFE ?= laptop
MUTANTS ?= 10000
SAMPLES_ARGS ?=
GALLERY_ARGS ?=
SCREENSHOTS_ARGS ?=

.PHONY: help demo up test faults faults-quick soak check format docs gallery screenshots bench audit scaling samples clean

help: ## This list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sort | sed -E 's/:.*## /\t/' | expand -t 14

demo: $(VENV)/.runtime ## The sample photos through the real services; results in opal-demo/
	@$(BIN)/opal demo

up: $(VENV)/.runtime ## All services on this machine (PORT=8080 DATA=opal-data)
	@$(BIN)/opal up --port $(PORT) --data $(DATA)

test: $(VENV)/.dev $(VENV)/.browser ## Every test (TESTS=tests/unit for a part of them)
	@$(BIN)/opal models pull
	@$(BIN)/pytest -n $(TEST_WORKERS) --dist loadgroup $(TESTS)

faults: $(VENV)/.dev ## The whole battery: processes killed, servers stopped, on both lives, 10 000 hostile files; forty minutes
	@$(BIN)/opal models pull
	@OPAL_TEST_LIVES=laptop,azure OPAL_TEST_MUTANTS=$(MUTANTS) $(BIN)/pytest -m '' -n $(FAULT_WORKERS) --dist loadgroup \
	  tests/faults tests/unit/test_untrusted_pictures.py tests/services/test_untrusted_pictures.py \
	  --ignore tests/faults/test_soak.py

faults-quick: $(VENV)/.dev ## The part of it that make test runs as well, with its figures (LIFE=azure: on Azure's)
	@$(BIN)/opal models pull
	@OPAL_TEST_LIVES=$(LIFE) $(BIN)/pytest -n $(FAULT_WORKERS) --dist loadgroup tests/faults

soak: $(VENV)/.dev ## 20 000 photos through all services: memory and open files (SOAK_ITEMS=20000)
	@OPAL_SOAK_ITEMS=$(SOAK_ITEMS) $(BIN)/pytest -m '' -n 0 tests/faults/test_soak.py

check: $(VENV)/.dev ## Linters, format, types, import order, names
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/hadolint Dockerfile
	@$(BIN)/zizmor --offline --quiet --config .github/zizmor.yml .github/workflows
	@$(BIN)/mypy & types=$$!; $(BIN)/pytest tests/project && project=0 || project=1; wait $$types && exit $$project

format: $(VENV)/.dev ## Format the code and mend what the linter can mend
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

docs: $(VENV)/.dev ## Renew the generated parts of docs/*.md
	@$(BIN)/python -m docs.generate

screenshots: $(VENV)/.dev $(VENV)/.browser ## Renew docs/screenshots: the console as people see it
	@$(BIN)/opal models pull
	@$(BIN)/python -m docs.generate.screenshots $(SCREENSHOTS_ARGS)

gallery: $(VENV)/.runtime ## Renew docs/gallery: every cut-out, every scene with every shadow (first: make samples)
	@$(BIN)/opal models pull
	@PYTHONPATH=samples $(BIN)/python -m docs.generate.gallery $(GALLERY_ARGS)

bench: $(VENV)/.bench $(VENV)-rembg/.ready ## Every benchmark; figures in benchmarks/results/
	@$(BIN)/opal models pull
	@for file in benchmarks/[a-z]*.py; do echo "== $$file"; $(BIN)/python "$$file"; done

audit: $(VENV)-audit/.ready ## Weaknesses in the infrastructure (fails), known vulnerabilities of what is installed (a report)
	@$(VENV)-audit/bin/checkov -d infra --config-file infra/.checkov.yaml
	@for lock in runtime azureml; do echo "== requirements/$$lock.txt"; \
	  $(VENV)-audit/bin/pip-audit --requirement requirements/$$lock.txt --disable-pip --progress-spinner off || true; done

scaling: $(VENV)/.bench ## Simulate again how Azure's environments scale: figures and charts of docs/scaling.md
	@$(BIN)/python -m infra.scaling
	@$(BIN)/python -m docs.generate

samples: $(VENV)-samples/.ready ## Render the samples that are not shipped into the user's cache (SAMPLES_ARGS=--help)
	@$(VENV)-samples/bin/python samples/render.py --missing $(SAMPLES_ARGS)

clean: ## Remove what these commands made (keeps the weights and opal-data/)
	rm -rf $(VENV) $(VENV)-samples $(VENV)-rembg $(VENV)-audit opal-demo benchmarks/results .mypy_cache .ruff_cache .pytest_cache .hypothesis .schemathesis
	find src tests samples benchmarks docs -name __pycache__ -type d -prune -exec rm -rf {} +

# --- the environment; each stamp is renewed when what it was made from changes ---

$(BIN)/python:
	@python=""; for each in python3.11 python3.12 python3.13 python3; do \
	  if $$each -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then python=$$each; break; fi; \
	done; \
	if [ -z "$$python" ]; then echo "Opal needs Python 3.11 or newer on the PATH." >&2; exit 1; fi; \
	echo "Making $(VENV) with $$($$python --version)"; \
	$$python -m venv $(VENV)

$(VENV)/.runtime: requirements/runtime.txt requirements/build.txt requirements/node.txt pyproject.toml | $(BIN)/python
	@echo "Installing Opal's locked requirements"
	@$(PIP_LOCKED) -r requirements/build.txt -r requirements/runtime.txt
	@command -v npm >/dev/null || $(PIP_LOCKED) -r requirements/node.txt
	@$(PIP) install --quiet --no-deps --no-build-isolation --editable .
	@# Five processes start at once, and the first picture is waited for: neither should have to compile first.
	@$(COMPILE)
	@$(BIN)/python -m opal.export_worker.warm_up
	@touch $@

$(VENV)/.dev: requirements/dev.txt $(VENV)/.runtime
	@echo "Installing the locked requirements of tests and linters"
	@$(PIP_LOCKED) --no-build-isolation -r requirements/dev.txt  # removebg comes as source
	@$(COMPILE)
	@touch $@

$(VENV)/.browser: | $(BIN)/python
	@# The console is tested in the machine's own browser. Who may not install one is told so by those tests.
	@if ! command -v chromium >/dev/null && command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ]; then \
	  echo "Installing Chromium"; \
	  apt-get update -qq; \
	  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium >/dev/null; \
	fi
	@touch $@

$(VENV)-samples/.ready: requirements/samples.txt | $(BIN)/python
	@echo "Installing the renderer into $(VENV)-samples"
	@$(BIN)/python -m venv $(VENV)-samples
	@$(VENV)-samples/bin/python -m pip --disable-pip-version-check install --quiet --no-deps --require-hashes -r $<
	@touch $@

$(VENV)/.bench: requirements/bench.txt $(VENV)/.dev
	@echo "Installing the locked requirements of the benchmarks"
	@$(PIP_LOCKED) --no-build-isolation -r requirements/bench.txt
	@$(COMPILE)
	@touch $@

$(VENV)-rembg/.ready: requirements/rembg.txt
	@echo "Installing rembg and its server into $(VENV)-rembg"
	@$(BIN)/python -m venv $(VENV)-rembg
	@$(VENV)-rembg/bin/python -m pip --disable-pip-version-check install --quiet --no-deps --require-hashes -r $<
	@touch $@

$(VENV)-audit/.ready: requirements/audit.txt | $(BIN)/python
	@echo "Installing checkov and pip-audit into $(VENV)-audit"
	@$(BIN)/python -m venv $(VENV)-audit
	@$(VENV)-audit/bin/python -m pip --disable-pip-version-check install --quiet --no-deps --require-hashes -r $<
	@touch $@
