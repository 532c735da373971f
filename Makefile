# One word for each thing to do here. PYTHON chooses the interpreter that makes .venv (3.11 to 3.13).
PYTHON ?= python3
STAMP := .venv/.installed

.PHONY: install check test demo lock

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

demo: $(STAMP) ## logins flowing through a real Apache Kafka and this pipeline
	.venv/bin/python -m tools.demo

lock: ## needs uv; writes both lock files with hashes and without addresses
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --no-emit-find-links --custom-compile-command "make lock" pyproject.toml -o requirements.lock
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --no-emit-find-links --custom-compile-command "make lock" --extra dev -c requirements.lock pyproject.toml -o requirements-dev.lock
