# Each target works on a fresh machine with Python 3.11 and make, nothing else.
PYTHONS := python3.11 python3.12 python3.13 python3
HOME_FOLDER := $(or $(CONTROLPLANE_HOME),var)
BIN := .venv/bin
export UV_NO_CONFIG := 1

.PHONY: setup up demo demo-check test nightly bench screenshots check format migrations audit lock clean

# The first of PYTHONS (or the one named: make PYTHON=…) that runs and is new enough; a pyenv shim may not run.
.venv/.installed: requirements-uv.lock requirements-dev.lock
	@test -x $(BIN)/pip || { \
		for python in $(or $(PYTHON),$(PYTHONS)); do \
			$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && break; python=; \
		done; \
		test -n "$$python" || { echo "Python 3.11 or newer is needed and was not found. Install it, or name it:" \
			"make $(or $(MAKECMDGOALS),setup) PYTHON=/path/to/python3.11"; exit 1; }; \
		$$python -m venv .venv || { rm -rf .venv; exit 1; }; }
	@$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements-uv.lock
	@$(BIN)/uv pip sync -q --require-hashes --python $(BIN)/python requirements-dev.lock
	@touch $@

# The database, the keys and the administrator; deleting the folder makes them anew.
$(HOME_FOLDER)/.prepared: .venv/.installed $(wildcard */migrations/*.py) $(wildcard environments.yml)
	@$(BIN)/python manage.py prepare
	@touch $@

setup: .venv/.installed $(HOME_FOLDER)/.prepared

up: setup
	@$(BIN)/python manage.py up

demo: .venv/.installed
	@$(BIN)/python manage.py demo

demo-check: .venv/.installed
	@$(BIN)/python manage.py demo --check

test: .venv/.installed
	@$(BIN)/pytest

# What depends on chance, at length.
nightly: .venv/.installed
	@NIGHTLY=1 $(BIN)/pytest -m nightly

bench: .venv/.installed
	@$(BIN)/python -m tests.bench

# Into docs/images. Needs a Chromium; CHROMIUM names one that is not found by itself.
screenshots: .venv/.installed
	@DJANGO_SETTINGS_MODULE=controlplane.settings $(BIN)/python -m tests.browser.screenshots

check: .venv/.installed
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/lint-imports
	@$(BIN)/mypy
	@$(BIN)/python manage.py makemigrations --check --dry-run
	@$(BIN)/python manage.py document_errors --check
	@$(BIN)/python manage.py document_states --check
	@$(BIN)/python manage.py spectacular --validate --fail-on-warn --file /dev/null

format: .venv/.installed
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

audit: .venv/.installed
	@for lock in requirements.lock requirements-dev.lock requirements-uv.lock; do \
		$(BIN)/pip-audit --strict --require-hashes --disable-pip -r $$lock || exit 1; \
	done

lock: .venv/.installed
	@for part in "" -dev -uv; do \
		$(BIN)/uv pip compile -q --upgrade --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
			--no-emit-find-links --custom-compile-command 'make lock' requirements$$part.in -o requirements$$part.lock; \
	done
	@$(BIN)/uv pip compile -q --upgrade --universal --python-version 3.10 --generate-hashes --no-emit-index-url \
		--no-emit-find-links --custom-compile-command 'make lock' requirements-rasa.in -o requirements-rasa.lock
