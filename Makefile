# One word for each thing to do here. PYTHON chooses the interpreter that makes .venv (3.11 to 3.14).
PYTHON ?= python3
STAMP := .venv/.installed
AUDIT := .venv/.installed-audit
BENCH := .venv/.installed-bench
BROWSER := .venv/.installed-browser
INSTALL := .venv/bin/python -m pip install --quiet --no-compile --require-hashes --no-deps
# The lock files' first lines keep this command, for Renovate to repeat: with options that it knows, written with "=",
# and file by file in the order of their names, each held to the versions of the one before.
COMPILE := uv pip compile --quiet --universal --python-version=3.11 --generate-hashes pyproject.toml

# What production runs imports nothing that only an extra declares.
WITHOUT_EXTRAS := --optional-dependencies-dev-groups dev,bench,audit,browser --ignore DEP002 \
	--extend-exclude '^(tests|benchmarks|faults|tools/(broker|demo|vulnerabilities)|transforms/testing|deploy/observability)'

.PHONY: help install check test test-long test-planted test-browser test-compose demo audit bench bench-quick bench-engines faults \
	quix dashboard lock

help: ## print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: $(STAMP) ## install all that the tests need into .venv

$(STAMP): requirements/dev.lock
	$(PYTHON) -m venv .venv
	$(INSTALL) -r requirements/dev.lock
	@touch $@

check: $(STAMP) ## check style, types and declared dependencies, within 10 s
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/deptry .
	.venv/bin/deptry . $(WITHOUT_EXTRAS)

test: $(STAMP) ## test each promise against a real Apache Kafka, in 4 minutes
	.venv/bin/python -m pytest -m "not long and not planted"

test-long: $(STAMP) ## test what takes long, starts its own brokers, or needs Go or Node, in 14 minutes
	.venv/bin/python -m pytest -m long

test-planted: $(STAMP) ## test that the checks of `make faults` find deliberately planted bugs
	.venv/bin/python -m pytest -m planted tests/faults

$(BROWSER): $(STAMP) requirements/browser.lock
	$(INSTALL) -r requirements/browser.lock
	@touch $@

test-browser: $(BROWSER) ## test the status page in this machine's Chromium or Chrome, in 2 minutes
	.venv/bin/python -m pytest --numprocesses=0 tests/browser

test-compose: $(STAMP) ## test the image and docker compose, with the Docker engine of this machine, in 3 minutes
	docker compose build --quiet
	.venv/bin/python -m pytest tests/compose

demo: $(STAMP) ## show logins flowing through a real Apache Kafka and this pipeline
	.venv/bin/python -m tools.demo

faults: $(STAMP) ## inject every fault under load, for hours; ROW=1 N=300 SEED=7 repeats one row with 300 faults
	.venv/bin/python -m faults $(if $(ROW),--row $(ROW)) $(if $(N),--n $(N)) $(if $(SEED),--seed $(SEED)) $(FAULTS)

$(AUDIT): $(STAMP) requirements/audit.lock
	$(INSTALL) -r requirements/audit.lock
	@touch $@

audit: $(AUDIT) ## look up known vulnerabilities of all locked packages, if the network allows, in 1 minute
	.venv/bin/python -m tools.vulnerabilities

$(BENCH): $(STAMP) requirements/bench.lock
	$(INSTALL) -r requirements/bench.lock
	@touch $@

bench: $(BENCH) ## compare this pipeline with its peers, in 50 minutes; writes benchmarks/results
	.venv/bin/python -m benchmarks

bench-quick: $(BENCH) ## the same with fewer runs, in 2 minutes; also tests the charts
	.venv/bin/python -m benchmarks --quick
	.venv/bin/python -m pytest --numprocesses=0 tests/benchmarks/test_draw.py

bench-engines: $(BENCH) ## compare with Kafka Streams, Flink, franz-go, Bento and FastStream, in 25 minutes; builds them first
	.venv/bin/python -m benchmarks --engines

quix: ## copy pipeline.py to where Quix Cloud's build can see it; run it after each change
	cp pipeline.py deploy/quix/pipeline/pipeline.py

dashboard: $(STAMP) ## write the Grafana dashboard; run it after each change of deploy/observability/dashboard.py
	.venv/bin/python deploy/observability/dashboard.py

lock: ## resolve all dependencies again and write requirements/*.lock; needs uv
	$(COMPILE) --extra=audit --output-file=requirements/audit.lock
	$(COMPILE) --extra=bench --constraint=requirements/audit.lock --output-file=requirements/bench.lock
	$(COMPILE) --extra=browser --constraint=requirements/bench.lock --output-file=requirements/browser.lock
	$(COMPILE) --extra=dev --constraint=requirements/browser.lock --output-file=requirements/dev.lock
	$(COMPILE) --constraint=requirements/dev.lock --output-file=requirements/pipeline.lock
