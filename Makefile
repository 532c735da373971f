# One word for each thing to do here. PYTHON chooses the interpreter that makes .venv (3.11 to 3.13).
PYTHON ?= python3
STAMP := .venv/.installed
# The lock files' first lines keep this command, for Renovate to repeat: with options that it knows, written with "=",
# and file by file in the order of their names, each held to the versions of the one before.
COMPILE := uv pip compile --quiet --universal --python-version=3.11 --generate-hashes pyproject.toml

AUDIT := .venv/.installed-audit
BENCH := .venv/.installed-bench

.PHONY: install check test test-planted test-compose demo audit bench bench-quick faults quix lock

install: $(STAMP)

$(STAMP): requirements-dev.lock
	$(PYTHON) -m venv .venv
	.venv/bin/python -m pip install --quiet --no-compile --require-hashes --no-deps -r requirements-dev.lock
	@touch $@

check: $(STAMP) ## style and types, within 10 s
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy

test: $(STAMP) ## everything, against a real Apache Kafka
	.venv/bin/python -m pytest

test-compose: $(STAMP) ## the image and both set-ups of docker compose, on the Docker engine that is there
	docker compose build --quiet
	.venv/bin/python -m pytest tests/compose

demo: $(STAMP) ## logins flowing through a real Apache Kafka and this pipeline
	.venv/bin/python -m tools.demo

$(AUDIT): $(STAMP) requirements-audit.lock
	.venv/bin/python -m pip install --quiet --no-compile --require-hashes --no-deps -r requirements-audit.lock
	@touch $@

audit: $(AUDIT) ## known vulnerabilities of all that is installed, where they can be asked for
	.venv/bin/python -m tools.vulnerabilities

$(BENCH): $(STAMP) requirements-bench.lock
	.venv/bin/python -m pip install --quiet --no-compile --require-hashes --no-deps -r requirements-bench.lock
	@touch $@

bench: $(BENCH) ## this pipeline beside its peers, some 25 minutes; writes benchmarks/results
	.venv/bin/python -m benchmarks

bench-quick: $(BENCH) ## the same in under 2 minutes, for every day
	.venv/bin/python -m benchmarks --quick

quix: ## what Quix Cloud's build needs and can't reach, copied to where it can: after a change of either file
	cp pipeline.py deploy/quix/pipeline/pipeline.py
	cp requirements.lock deploy/quix/shared/requirements.lock

test-planted: $(STAMP) ## that the checks of the next find bugs that are planted
	.venv/bin/python -m pytest -m planted tests/faults

faults: $(STAMP) ## every fault under load, for hours; ROW=1 N=300 SEED=7 for one row, so many faults, the same again
	.venv/bin/python -m faults $(if $(ROW),--row $(ROW)) $(if $(N),--n $(N)) $(if $(SEED),--seed $(SEED)) $(FAULTS)

lock: ## needs uv; writes the lock files with hashes and without addresses
	$(COMPILE) --extra=audit --output-file=requirements-audit.lock
	$(COMPILE) --extra=bench --constraint=requirements-audit.lock --output-file=requirements-bench.lock
	$(COMPILE) --extra=dev --constraint=requirements-bench.lock --output-file=requirements-dev.lock
	$(COMPILE) --constraint=requirements-dev.lock --output-file=requirements.lock
