# `make` lists the targets. Each makes .venv first where it needs it: see tools/make_venv.sh.
#
#   make train ARGS='--batch_size=32 --max_steps=100'      further flags of the program
#   make train TRAIN_DIR=runs/seed_1 ARGS=--seed=1         a run of its own
#   make venv PYTHON=/opt/python3.11/bin/python3           an interpreter of your own

ARGS ?=
TRAIN_DIR ?= runs/digits_vgg16
PACKAGE ?= training
SAMPLE ?= 75
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
help:  ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' Makefile | \
	  while IFS='|' read -r target text; do printf '%-18s %s\n' "$$target" "$$text"; done

.PHONY: venv
venv:  ## .venv with the exact versions of requirements_lock.txt
	@tools/make_venv.sh

.PHONY: train
train: venv  ## train the small reference network, evaluate it, say where the curves are
	$(RUN) vgg_slim.commands.train --flagfile=recipes/digits_vgg16.flags $(ARGS) --train_dir=$(TRAIN_DIR)
	$(RUN) vgg_slim.commands.evaluate --train_dir=$(TRAIN_DIR) --split=validation
	@echo 'Curves: .venv/bin/tensorboard --logdir=$(dir $(TRAIN_DIR))'

.PHONY: test
test: venv  ## all tests, with pytest on every core; ARGS='-k vgg' picks some
	$(RUN) pytest -n auto --dist loadfile $(ARGS)

.PHONY: mutants
mutants: venv  ## share of small faults that the tests notice; PACKAGE=data SAMPLE=75 SEED=0
	$(RUN) tests.mutation --package=$(PACKAGE) --sample=$(SAMPLE) --seed=$(SEED) $(ARGS)

.PHONY: lint
lint: venv buildifier  ## ruff, import-linter and buildifier; changes nothing
	$(RUN) ruff format --check .
	$(RUN) ruff check .
	.venv/bin/lint-imports --no-logo
	$(if $(BUILDIFIER),$(BUILDIFIER) -mode=check -lint=warn -r $(BAZEL_FILES),@echo '$(NO_BUILDIFIER)')

.PHONY: format
format: venv buildifier  ## lay out Python and BUILD files, mend what ruff can mend
	$(RUN) ruff check --fix-only .
	$(RUN) ruff format .
	$(if $(BUILDIFIER),$(BUILDIFIER) -r $(BAZEL_FILES),@echo '$(NO_BUILDIFIER)')

.PHONY: docs
docs: venv  ## the pages as a site in build/site; a warning is an error
	$(RUN) mkdocs build --quiet --strict
	@echo 'build/site/index.html'

.PHONY: notebook
notebook: venv  ## run docs/notebook.ipynb and keep what it shows
	.venv/bin/python docs/notebook.py

.PHONY: buildifier
buildifier:
	@$(if $(BUILDIFIER),:,if command -v npm >/dev/null; then \
	  echo 'Fetching buildifier $(BUILDIFIER_VERSION) into node_modules ...'; \
	  npm install --no-save --silent @bazel/buildifier@$(BUILDIFIER_VERSION) </dev/null; fi)

.PHONY: screenshots
screenshots: venv  ## docs/images of TensorBoard anew; LOGDIR=runs/digits_vgg16 is the run it shows
	$(RUN) tests.screenshots $(or $(LOGDIR),$(TRAIN_DIR))

.PHONY: lock
lock: venv  ## resolve requirements_lock.txt from pyproject.toml; ARGS=--upgrade for newer versions
	@set -e; folder=$$(mktemp -d); trap 'rm -rf "$$folder"' EXIT; \
	echo 'Resolving with uv in a throw-away environment ...'; \
	.venv/bin/python -m venv "$$folder/venv"; \
	"$$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check uv; \
	cp requirements_lock.txt "$$folder/lock.txt"; \
	"$$folder/venv/bin/uv" pip compile --quiet --universal --python-version 3.10 --extra dev \
	  --no-annotate --no-header $(ARGS) --output-file "$$folder/lock.txt" pyproject.toml; \
	{ sed -n 1p requirements_lock.txt; cat "$$folder/lock.txt"; } >"$$folder/new.txt"; \
	cp "$$folder/new.txt" requirements_lock.txt; git --no-pager diff --stat requirements_lock.txt

.PHONY: clean
clean:  ## remove caches and build outputs; never .venv, data/ or runs/
	rm -rf build dist node_modules *.egg-info .pytest_cache .ruff_cache .import_linter_cache bazel-*
	find vgg_slim tools tests -name __pycache__ -prune -exec rm -rf {} +
