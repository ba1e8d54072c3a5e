.DEFAULT_GOAL := help
.PHONY: bench-peers bootstrap check clean demo help lock programs servers test

BIN := .venv/bin

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

bootstrap: ## Make .venv from the lock (needs only Python 3.11 or 3.12)
	@sh deploy/bootstrap.sh
	@$(BIN)/python -m deploy.native

servers: bootstrap ## Bring the servers' files into the cache (once, about 340 MB)
	@$(BIN)/orderstream doctor --fetch

programs: bootstrap ## Bring the programs that tests drive: Chromium, promtool (as root on Debian)
	@$(BIN)/python -m deploy.programs

demo: bootstrap ## Start everything, run orders through it, show what happened
	@$(BIN)/orderstream demo

test: servers programs ## Run all tests, on real servers
	@$(BIN)/pytest

bench-peers: servers ## Measure this engine beside Faust, Quix Streams and Kafka Streams (10 minutes)
	@$(BIN)/python -m tests.bench.peers

check: bootstrap ## Format, lint, types, import rules and unit tests, in under a minute
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/pytest -q -m "not slow" tests/unit $(wildcard tests/laws)

lock: ## Resolve requirements.lock anew from pyproject.toml (needs uv)
	uv pip compile --quiet --upgrade --universal --generate-hashes --python-version 3.11 \
		--extra dev --no-emit-index-url --no-emit-find-links --no-header \
		--output-file requirements.lock pyproject.toml

clean: ## Remove what was made here; the cache of servers stays
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache build dist
	find . -name __pycache__ -type d -not -path './.git/*' -exec rm -rf {} +
