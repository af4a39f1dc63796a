# One obvious command each. Every target sets up what it needs: Python 3.11 to 3.13, make and git are enough.
PYTHON  ?= python3
VENV    := .venv
BIN     := $(VENV)/bin
MEMBERS := $(wildcard libs/* services/*) cli
READY   := $(VENV)/.ready
SRC     := $(addsuffix /src,$(MEMBERS))

# What runs here is many short processes: without kept bytecode (some container images ask for that) each compiles itself.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup demo up down status test soak bench bench-engine check fmt generate lock clean

help: ## show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 22

setup: $(READY) ## create .venv from requirements.lock (hash-pinned)

$(READY): requirements.lock pyproject.toml $(addsuffix /pyproject.toml,$(MEMBERS))
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if (3, 11) <= v <= (3, 13) else "Tenantkeep needs Python 3.11, 3.12 or 3.13; this is %d.%d. Run: make PYTHON=python3.12 ..." % v)'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || { echo "python3 -m venv failed: on Debian run 'apt-get install python3-venv'" >&2; exit 1; }
	@awk '/^uv==/ {on=1} on {print} on && !/\\$$/ {exit}' requirements.lock > $(VENV)/uv.lock.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r $(VENV)/uv.lock.txt
	@$(BIN)/uv pip sync --quiet --python $(BIN)/python --require-hashes requirements.lock
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation $(addprefix -e ./,$(MEMBERS))
	@touch $@

demo: $(READY) ## the main job on a fresh embedded stack; MBOX=file or MAILDIR=dir takes your own mail
	@$(BIN)/tenantkeep demo $(if $(MBOX),--mbox "$(MBOX)") $(if $(MAILDIR),--maildir "$(MAILDIR)") $(if $(MESSAGES),--generate $(MESSAGES))

up: $(READY) ## start the embedded stack and keep it running
	@$(BIN)/tenantkeep up

down: $(READY) ## stop it
	@$(BIN)/tenantkeep down

status: $(READY) ## show what runs
	@$(BIN)/tenantkeep status

test: $(READY) ## all tests at reduced sizes
	@$(BIN)/pytest -q -m "not soak" -n 3 --dist loadfile --no-loadscope-reorder

soak: $(READY) ## the long tests, at full size (hours); TENANTKEEP_SEED=n TENANTKEEP_SOAK_SECONDS=n
	@$(BIN)/pytest -q -m soak --timeout 1800

bench: $(READY) ## the main job's figures, into tests/bench/out; counters may not get worse
	@$(BIN)/python tests/bench/bench_main_job.py

bench-engine: $(READY) ## our engine against restic, into tests/bench/out; MAILS=n REPEAT=n MBOX=file RESTIC=path
	@PYTHONPATH=tests/bench $(BIN)/python -m engine_bench

check: $(READY) ## lint, types, import contracts, generated documents up to date
	@$(BIN)/ruff format --check --quiet . && $(BIN)/ruff check --quiet .
	@$(BIN)/mypy --no-error-summary $(SRC)
	@$(BIN)/lint-imports --no-cache
	@$(BIN)/python tests/architecture/generate.py --check
	@echo "check: ok"

fmt: $(READY) ## format and fix what can be fixed
	@$(BIN)/ruff format . && $(BIN)/ruff check --fix .

generate: $(READY) ## write JSON Schema, OpenAPI and the settings reference
	@$(BIN)/python tests/architecture/generate.py

lock: ## renew requirements.lock (needs uv)
	uv lock --upgrade && uv export --format requirements.txt --no-emit-workspace --all-groups --all-extras -q -o requirements.lock

clean: ## remove the virtual environment, caches and generated output (never your state)
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis tests/bench/out tests/soak/out
