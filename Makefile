# One word for each thing to do here. PYTHON chooses the interpreter that makes .venv (3.11 to 3.13).
PYTHON ?= python3
STAMP := .venv/.installed
COMPILE := uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
  --no-emit-find-links --custom-compile-command "make lock" pyproject.toml

AUDIT := .venv/.installed-audit
BENCH := .venv/.installed-bench

.PHONY: install check test test-compose demo audit bench bench-quick quix lock

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
	.venv/bin/python -m pytest tests/compose

demo: $(STAMP) ## logins flowing through a real Apache Kafka and this pipeline
	.venv/bin/python -m tools.demo

$(AUDIT): $(STAMP) requirements-audit.lock
	.venv/bin/python -m pip install --quiet --no-compile --require-hashes --no-deps -r requirements-audit.lock
	@touch $@

audit: $(AUDIT) ## known vulnerabilities of all that is installed, where they can be asked for
	.venv/bin/python -m tools.audit

$(BENCH): $(STAMP) requirements-bench.lock
	.venv/bin/python -m pip install --quiet --no-compile --require-hashes --no-deps -r requirements-bench.lock
	@touch $@

bench: $(BENCH) ## this pipeline beside its peers, about half an hour; writes benchmarks/results
	.venv/bin/python -m benchmarks

bench-quick: $(BENCH) ## the same in under 2 minutes, for every day
	.venv/bin/python -m benchmarks --quick

quix: ## what Quix Cloud's build needs and can't reach, copied to where it can: after a change of either file
	cp pipeline.py deploy/quix/pipeline/pipeline.py
	cp requirements.lock deploy/quix/shared/requirements.lock

lock: ## needs uv; writes the lock files with hashes and without addresses
	$(COMPILE) -o requirements.lock
	$(COMPILE) --extra dev -c requirements.lock -o requirements-dev.lock
	$(COMPILE) --extra audit -c requirements-dev.lock -o requirements-audit.lock
	$(COMPILE) --extra bench -c requirements-dev.lock -o requirements-bench.lock
