# `make` lists the targets. Each installs what it needs into .venv first, and skips what is up to date.
#   PYTHON=…  the interpreter .venv is made with (3.11 to 3.13); by default the first fitting one on the PATH
#   VENV=…    an environment that is already there (a GPU machine without a network); nothing is installed if it has what is needed
#   BROWSER=… a Chromium or Chrome for the page tests; BROWSER=none leaves them out
#   FIREFOX=… a Firefox for them; FIREFOX=none leaves these out

SHELL := /bin/sh
.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help setup book lab test check study bench bench-compare screenshots soak clean

ifdef VENV
override VENV := $(abspath $(VENV))
READY := environment
else
override VENV := $(CURDIR)/.venv
READY := .venv/.ready
endif
PY := $(VENV)/bin/python3
export PYTHON BROWSER FIREFOX
export PATH := $(VENV)/bin:$(PATH)
export PYTHONPATH := $(CURDIR)/src
# One kernel at a time, whose debugger is off: its frozen-modules warning would stand in the log.
export PYDEVD_DISABLE_FILE_VALIDATION := 1

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' $(firstword $(MAKEFILE_LIST)) | expand -t 22

setup: $(READY) ## make .venv and install the tested versions into it

book: $(READY) ## build the book: run every notebook, write book/_build/html
	@$(PY) tools/build.py

lab: $(READY) ## open the notebooks in JupyterLab, on the GPU if there is one
	@$(PY) -m jupyterlab --notebook-dir=book $(if $(filter 0,$(shell id -u)),--allow-root)

test: $(READY) system check book ## run everything: lint, book, unit tests, notebooks, pages in a browser
	@GENNOTES_DEVICE=cpu $(PY) -m pytest --nbval-lax tests book

check: $(READY) ## check the style of code and notebooks, in seconds
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .

study: $(READY) ## measure at length and write book/measurements: make study NAME=…
	@$(PY) -m gennotes.studies $(NAME)

bench: $(READY) ## time the package against plain loops, on a quiet machine, in about an hour: make bench [CASES=…]
	@$(PY) -m benchmarks $(CASES)

bench-compare: $(READY) ## say what got slower between two files of bench: make bench-compare OLD=… NEW=…
	@$(PY) -m benchmarks compare $(OLD) $(NEW)

screenshots: $(READY) system book ## take pictures of every page, as phone, tablet and desktop show it, light and dark
	@$(PY) tools/screenshots.py

soak: $(READY) ## the long form of the tests that have one: 200 runs killed, 100,000 mutilated files
	@GENNOTES_DEVICE=cpu $(PY) -m pytest --soak -s tests/test_survival.py tests/data/test_fuzz.py

clean: ## remove the built book, caches of tools and .venv
	rm -rf book/_build .pytest_cache .ruff_cache .hypothesis .coverage .venv

.PHONY: environment system
environment:
	@sh tools/setup.sh check $(VENV)

.venv/.ready: requirements.txt pyproject.toml
	@sh tools/setup.sh install $(VENV)
	@touch $@

# What the tests need of the system: browsers, and Debian's copy of Fashion-MNIST.
system:
	@sh tools/system.sh
