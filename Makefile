# `make` lists the targets. Targets that need .venv create it first: see tools/make_venv.sh.
#
#   make train ARGS='--batch_size=32 --max_steps=100'      passes further flags to the program
#   make train TRAIN_DIR=runs/seed_1 ARGS=--seed=1         trains in a folder of its own
#   make venv PYTHON=/opt/python3.11/bin/python3           chooses the interpreter

ARGS ?=
# Not the folder of tools/train without --data_dir, whose run has other settings.
TRAIN_DIR ?= runs/digits
PACKAGE ?= training
SAMPLE ?= 75
KILLS ?=
EXECUTIONS ?= 20000
SCALE ?= 1
SEED ?= 0
PYTHON ?=
RUN := .venv/bin/python -m
BUILDIFIER_VERSION := 8.2.1
BUILDIFIER = $(or $(shell command -v buildifier),$(wildcard node_modules/.bin/buildifier))
BAZEL_FILES := BUILD MODULE.bazel WORKSPACE benchmarks tests third_party tools vgg_slim
NO_BUILDIFIER := buildifier: not found, and no npm to fetch it; BUILD files were NOT checked.

export PYTHON
export NO_MKDOCS_2_WARNING := 1

.PHONY: help
help:  ## lists the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' Makefile | \
	  while IFS='|' read -r target text; do printf '%-18s %s\n' "$$target" "$$text"; done

.PHONY: venv
venv:  ## creates .venv with the exact versions in requirements_lock.txt
	@tools/make_venv.sh

.PHONY: train
train: venv  ## trains the small reference network, evaluates it, says where the curves are
	@echo 'tools/train --recipe=digits_vgg16 $(if $(ARGS),$(ARGS) )--train_dir=$(TRAIN_DIR)'
	@$(RUN) vgg_slim.commands.train --flagfile=recipes/digits_vgg16.flags $(ARGS) --train_dir=$(TRAIN_DIR)
	@echo 'tools/evaluate --train_dir=$(TRAIN_DIR)'
	@$(RUN) vgg_slim.commands.evaluate --train_dir=$(TRAIN_DIR) --split=validation
	@echo 'Curves: .venv/bin/tensorboard --logdir=$(dir $(TRAIN_DIR))'

.PHONY: test
test: venv  ## runs all tests on every core; ARGS='-k vgg' selects some
	$(RUN) pytest -n auto --dist loadfile --no-loadscope-reorder $(ARGS)

.PHONY: coverage
coverage: venv  ## lines that no test runs, as a table; commands in processes of their own do not count
	$(RUN) pytest -n auto --dist loadfile --cov=vgg_slim --cov-report=term:skip-covered $(ARGS)

.PHONY: mutants
mutants: venv  ## measures how many small faults the tests notice; PACKAGE=data SAMPLE=75 SEED=0
	$(RUN) tests.mutation --package=$(PACKAGE) --sample=$(SAMPLE) --seed=$(SEED) $(ARGS)

.PHONY: kills
kills: venv  ## kill training at random moments, compare its ends; KILLS=80 SEED=0
	$(RUN) tests.kills --kills=$(or $(KILLS),80) --seed=$(SEED) $(ARGS)

.PHONY: faults
faults: venv  ## kill every command, fill its disk and more, check its outputs; KILLS=500 SEED=0
	$(RUN) tests.faults --kills=$(or $(KILLS),500) --accidents=2 --seed=$(SEED) $(ARGS)

.PHONY: gpu-check
gpu-check: venv  ## proves or refutes on this machine's GPU that all of it works, in ten minutes
	$(RUN) benchmarks.gpu_check $(ARGS)

.PHONY: soak
soak: venv  ## trains, evaluates and predicts for a quarter of an hour, and measures what grows; SCALE=1
	$(RUN) tests.soak --scale=$(SCALE) $(ARGS)

.PHONY: fuzz
fuzz: venv  ## feeds damaged files to every reader; EXECUTIONS=20000 SEED=0, SECONDS=60 for each
	$(RUN) tests.fuzz --executions=$(EXECUTIONS) --seed=$(SEED) $(if $(SECONDS),--seconds=$(SECONDS)) $(ARGS)

.PHONY: lint
lint: venv buildifier  ## runs ruff, mypy, import-linter and buildifier; changes nothing
	$(RUN) ruff format --check .
	$(RUN) ruff check .
	$(RUN) mypy vgg_slim benchmarks tests
	.venv/bin/lint-imports --no-logo
	$(if $(BUILDIFIER),$(BUILDIFIER) -mode=check -lint=warn -r $(BAZEL_FILES),@echo '$(NO_BUILDIFIER)')

.PHONY: format
format: venv buildifier  ## formats Python and BUILD files, fixes what ruff can fix
	$(RUN) ruff check --fix-only .
	$(RUN) ruff format .
	$(if $(BUILDIFIER),$(BUILDIFIER) -r $(BAZEL_FILES),@echo '$(NO_BUILDIFIER)')

.PHONY: docs
docs: venv  ## builds the pages as a site in build/site; a warning is an error
	$(RUN) mkdocs build --quiet --strict
	@echo 'build/site/index.html'

.PHONY: results
results: venv  ## writes docs/results.md and its curves; ADD=runs/x adds a run, with flags in ARGS
	$(RUN) $(if $(ADD),tests.results_add $(ADD) $(ARGS),tests.results)

.PHONY: notebook
notebook: venv  ## runs docs/notebook.ipynb and saves its outputs
	.venv/bin/python docs/notebook.py

.PHONY: buildifier
buildifier:
	@$(if $(BUILDIFIER),:,if command -v npm >/dev/null; then \
	  echo 'Fetching buildifier $(BUILDIFIER_VERSION) into node_modules ...'; \
	  npm install --no-save --silent @bazel/buildifier@$(BUILDIFIER_VERSION) </dev/null; fi)

.PHONY: screenshots
screenshots: venv  ## takes the TensorBoard images of docs/images again, of the run LOGDIR=runs/digits
	$(RUN) tests.screenshots $(or $(LOGDIR),$(TRAIN_DIR))

.PHONY: lock
lock: venv  ## resolves the locks, with hashes, from pyproject.toml; ARGS=--upgrade takes newer versions
	@set -e; folder=$$(mktemp -d); trap 'rm -rf "$$folder"' EXIT; \
	echo 'Resolving with uv in a throw-away environment ...'; \
	.venv/bin/python -m venv "$$folder/venv"; \
	"$$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check uv; \
	compile() { \
	  file=$$1; shift; cp "$$file" "$$folder/lock.txt"; \
	  "$$folder/venv/bin/uv" pip compile --quiet --universal --generate-hashes \
	    --no-annotate --no-header $(ARGS) --output-file "$$folder/lock.txt" "$$@"; \
	  { sed -n 1p "$$file"; cat "$$folder/lock.txt"; } >"$$folder/new.txt"; cp "$$folder/new.txt" "$$file"; }; \
	compile requirements_lock.txt --python-version 3.10 --extra dev pyproject.toml; \
	compile third_party/requirements/extras.txt --python-version 3.11 --no-deps third_party/requirements/extras.in; \
	compile third_party/requirements/beam.txt --python-version 3.10 third_party/requirements/beam.in; \
	for python in 3.10 3.11 3.12; do \
	  file=third_party/requirements/linux_$$(echo $$python | tr . _).txt; \
	  "$$folder/venv/bin/uv" pip compile --quiet --python-version $$python --python-platform linux --extra dev \
	    --no-annotate --no-header --constraint requirements_lock.txt --output-file "$$folder/one.txt" pyproject.toml; \
	  { echo "# requirements_lock.txt for Python $$python on Linux. Made by \`make lock\`; do not edit."; \
	    cat "$$folder/one.txt"; } >"$$file"; rm "$$folder/one.txt"; \
	done; git --no-pager diff --stat requirements_lock.txt third_party/requirements

.PHONY: licenses
licenses: venv  ## writes docs/licenses.md from the installed packages
	$(RUN) tests.licenses

.PHONY: sbom
sbom: venv  ## writes build/sbom.json, a CycloneDX bill of materials of the installed packages
	@set -e; folder=$$(mktemp -d); trap 'rm -rf "$$folder"' EXIT; mkdir -p build; \
	.venv/bin/python -m venv "$$folder/venv"; \
	"$$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check cyclonedx-bom==7.5.0; \
	"$$folder/venv/bin/cyclonedx-py" environment --pyproject pyproject.toml --output-reproducible \
	  --output-file build/sbom.json .venv/bin/python; echo build/sbom.json

.PHONY: clean
clean:  ## removes caches and build outputs, but never .venv, data/ or runs/
	rm -rf build dist node_modules *.egg-info .pytest_cache .ruff_cache .import_linter_cache bazel-*
	find benchmarks vgg_slim tests -name __pycache__ -prune -exec rm -rf {} +
