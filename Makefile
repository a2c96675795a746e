# Everything a contributor runs. Each target sets up what it needs in .venv, with the versions of constraints.txt.

PYTHON ?= python3
BIN := .venv/bin
INTEGRATIONS := .venv-integrations/bin
LOWEST := .venv-lowest/bin
# A file of tests stays in one process, since tests share what its fixtures make. Python keeps what it compiles of the
# tests: with PYTHONDONTWRITEBYTECODE, each process would spend ten seconds on that.
PYTEST := PYTHONDONTWRITEBYTECODE= $(BIN)/pytest -p no:benchmark --numprocesses auto --dist loadfile --no-loadscope-reorder
SOURCES := $(shell find lehr engine handlers -name '*.py' -o -name py.typed -o -name known_types.json) pyproject.toml setup.py README.md

.PHONY: help demo docs gallery fast test checks proof integrations lowest gpu bench profile clean

help: ## list the targets
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

.venv/tools: constraints.txt pyproject.toml
	$(PYTHON) -c 'import sys; assert sys.version_info >= (3, 11), "lehr needs Python 3.11 or later"'
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt setuptools wheel
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt --no-build-isolation '.[dev]'
	@# mmengine, which the tests compare with, without what it needs to show pictures.
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps -c constraints.txt mmengine addict platformdirs termcolor yapf
	@rm -rf build
	@touch $@

# The package as its users install it, not as an editable folder: what is checked is what is shipped.
.venv/package: .venv/tools $(SOURCES)
	@rm -rf build
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --force-reinstall .
	@rm -rf build lehr.egg-info
	@touch $@

# Other trainers are large, and need versions of their own of what lehr is tested with, so they are kept apart.
.venv-integrations/tools: constraints-integrations.txt pyproject.toml
	$(PYTHON) -m venv .venv-integrations
	$(INTEGRATIONS)/pip install --quiet --disable-pip-version-check -c constraints-integrations.txt setuptools wheel
	$(INTEGRATIONS)/pip install --quiet --disable-pip-version-check -c constraints-integrations.txt \
		--no-build-isolation '.[lightning,transformers,accelerate,skorch,cli,html,tensorboard]' pytest hypothesis playwright \
		sybil
	@rm -rf build
	@touch $@

.venv-integrations/package: .venv-integrations/tools $(SOURCES)
	@rm -rf build
	$(INTEGRATIONS)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --force-reinstall .
	@rm -rf build lehr.egg-info
	@touch $@

# The lowest versions that pyproject.toml allows. CI does not run them: this torch takes 5 GB with its CUDA.
.venv-lowest/tools: constraints-lowest.txt pyproject.toml
	$(PYTHON) -m venv .venv-lowest
	$(LOWEST)/pip install --quiet --disable-pip-version-check -c constraints-lowest.txt setuptools wheel
	$(LOWEST)/pip install --quiet --disable-pip-version-check -c constraints-lowest.txt --no-build-isolation \
		'.[cli,examples,html,optimizers,pandas,yaml]' cloudpickle hypothesis pytest pytest-xdist sybil
	@rm -rf build
	@touch $@

.venv-lowest/package: .venv-lowest/tools $(SOURCES)
	@rm -rf build
	$(LOWEST)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --force-reinstall .
	@rm -rf build lehr.egg-info
	@touch $@

demo: .venv/package ## train a classifier on the digits data under a one-cycle policy, and compare schedules
	$(BIN)/python examples/lesson02_one_cycle.py

docs: .venv/package ## build the site of the documentation into docs/build/html; a warning is an error
	cd docs && ../$(BIN)/sphinx-build --jobs auto --fail-on-warning --quiet . build/html
	@echo "docs/build/html/index.html"

gallery: demo ## draw the pictures of examples/gallery and the pages that show them; record public names and types
	$(BIN)/python examples/gallery/gallery.py
	$(BIN)/python tests/registry/public_names.py
	$(BIN)/python tests/registry/recorded_types.py
	cp runs/one_cycle/schedule.png examples/gallery/digits-schedule.png
	cp runs/one_cycle/accuracy.png examples/gallery/digits-accuracy.png
	$(BIN)/python examples/lesson08_from_config.py
	cp runs/from_config/recorded.png examples/gallery/from-config-plan.png

fast: checks ## format, lint, types, layers, and the tests of schedules, targets, core and promises: half a minute
	$(PYTEST) tests/schedules tests/targets tests/core tests/registry tests/promises/test_promises.py \
		tests/promises/test_other_promises.py

test: checks ## format, lint, types, layers, tests and the examples of the docstrings: a minute
	$(PYTEST)

checks: .venv/package
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	@# From another folder, since here Python finds the folder lehr, and not the installed package.
	cd $(BIN) && ./mypy --config-file ../../pyproject.toml --cache-dir ../../.mypy_cache -p lehr
	$(BIN)/mypy examples tests/typing
	cd $(BIN) && ./lint-imports --config ../../pyproject.toml --cache-dir ../../.import_linter_cache --no-logo

proof: .venv/package ## the slow tests: whole cross products, runs that are killed, many more drawn inputs
	$(PYTEST) -m proof
	HYPOTHESIS_PROFILE=hundred $(PYTEST) -m "hypothesis and not proof"
	HYPOTHESIS_PROFILE=proof $(PYTEST) tests/promises/test_nonsense.py tests/promises/test_nonsense_for_schedules.py

integrations: .venv-integrations/package ## train in Lightning, Hugging Face, accelerate, skorch and DDP; look at pages in Chromium: four minutes
	$(INTEGRATIONS)/pytest -m integrations tests/integrations/frameworks tests/plans/test_page_in_browser.py tests/plans/test_read_log.py

# The comparisons with peers are with those of constraints.txt: this ignite has no BatchSizeScheduler, and so on.
lowest: .venv-lowest/package ## the tests with the lowest versions of torch, ignite, NumPy and matplotlib (5 GB)
	$(LOWEST)/pytest -p no:benchmark --numprocesses auto --dist loadfile --no-loadscope-reorder --ignore tests/against_peers

gpu: .venv/package ## the tests that need a CUDA device; they are skipped where there is none
	$(BIN)/pytest -p no:benchmark -m gpu

bench: .venv/package ## time it side by side with ignite, torch and mmengine, in one table; BENCH="-k resume" for a part
	$(BIN)/pytest tests/benchmarks --benchmark-quiet --quiet $(BENCH)

profile: .venv/package ## tell the nanoseconds of each statement of an event
	$(BIN)/python tests/benchmarks/profile_event.py

clean: ## remove everything that was made here
	rm -rf .venv .venv-integrations .venv-lowest build dist docs/build docs/generated lehr.egg-info runs .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .benchmarks
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
