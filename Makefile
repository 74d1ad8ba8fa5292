# Each target works on a fresh machine with Python 3.11 and make, nothing else.
PYTHON ?= python3.11
BIN := .venv/bin
export UV_NO_CONFIG := 1

.PHONY: setup test check format migrations lock clean

.venv/.installed: requirements-uv.lock requirements-dev.lock
	@command -v $(PYTHON) >/dev/null || { echo "Python 3.11 is needed: install it, or say PYTHON=/path/to/python3.11 (or newer)"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/pip install -q --disable-pip-version-check --require-hashes -r requirements-uv.lock
	@$(BIN)/uv pip sync -q --require-hashes --python $(BIN)/python requirements-dev.lock
	@touch $@

setup: .venv/.installed

test: setup
	@$(BIN)/pytest

check: setup
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/lint-imports
	@$(BIN)/mypy
	@$(BIN)/python manage.py makemigrations --check --dry-run

format: setup
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

lock: setup
	@for part in "" -dev -uv; do \
		$(BIN)/uv pip compile -q --upgrade --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
			--no-emit-find-links --custom-compile-command 'make lock' requirements$$part.in -o requirements$$part.lock; \
	done
	@$(BIN)/uv pip compile -q --upgrade --universal --python-version 3.10 --generate-hashes --no-emit-index-url \
		--no-emit-find-links --custom-compile-command 'make lock' requirements-rasa.in -o requirements-rasa.lock
