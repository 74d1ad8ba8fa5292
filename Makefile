# Each target works on a fresh machine with Python 3.11 and make, nothing else.
PYTHONS := python3.11 python3.12 python3.13 python3
HOME_FOLDER := $(or $(CONTROLPLANE_HOME),var)
BIN := .venv/bin
export UV_NO_CONFIG := 1
# Not requirements-rasa.lock: the stock server, whose packages Rasa pins and nothing here can raise.
AUDITED := requirements.lock requirements-dev.lock requirements-uv.lock

.PHONY: setup up demo demo-check test nightly bench screenshots check format migrations audit lock clean env

# The first of PYTHONS (or the one named: make PYTHON=…) that runs and is new enough; a pyenv shim may not run.
.venv/.installed: requirements-uv.lock requirements-dev.lock cpctl/pyproject.toml
	@test -x $(BIN)/pip || { \
		for python in $(or $(PYTHON),$(PYTHONS)); do \
			$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && break; python=; \
		done; \
		test -n "$$python" || { echo "Python 3.11 or newer is needed and was not found. Install it, or name it:" \
			"make $(or $(MAKECMDGOALS),setup) PYTHON=/path/to/python3.11"; exit 1; }; \
		$$python -m venv .venv || { rm -rf .venv; exit 1; }; }
	@$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements-uv.lock
	@$(BIN)/uv pip sync -q --require-hashes --compile-bytecode --python $(BIN)/python requirements-dev.lock
	@$(BIN)/uv pip install -q --no-deps --no-build-isolation --python $(BIN)/python --editable ./cpctl
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

# Into screenshots/, and those of the documentation into docs/images. Needs a Chromium; CHROMIUM names one that is not found by itself.
screenshots: .venv/.installed
	@DJANGO_SETTINGS_MODULE=controlplane.settings $(BIN)/python -m tests.browser.screenshots

check: .venv/.installed
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/lint-imports
	@$(BIN)/mypy
	@$(BIN)/python manage.py check --deploy --fail-level WARNING
	@$(BIN)/python manage.py makemigrations --check --dry-run
	@$(BIN)/python manage.py document_errors --check
	@$(BIN)/python manage.py document_states --check
	@$(BIN)/python manage.py spectacular --validate --fail-on-warn --file /dev/null

# For an image that is built where no package index can be reached: what any Python of this machine's kind may ask for.
wheels: .venv/.installed requirements.lock
	@rm -rf wheels.part
	@sed -E 's/ ; python[^\\]*//' requirements.lock > wheels.lock
	@$(BIN)/python -m pip download -q --disable-pip-version-check --no-deps --only-binary :all: --require-hashes \
		--dest wheels.part -r wheels.lock
	@rm -rf wheels wheels.lock && mv wheels.part wheels && touch wheels

# For docker-compose.yml. Needs neither Python nor Docker.
env:
	@deploy/env.sh

format: .venv/.installed
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

# Ends with 0 only if a vulnerability service was asked about every package of ours and knows of nothing; one that it
# could not be asked about, and a service that cannot be reached, are failures. AUDIT: further options of pip-audit.
audit: .venv/.installed
	@for lock in $(AUDITED); do \
		echo "$$lock"; $(BIN)/pip-audit --strict --require-hashes --disable-pip --progress-spinner off $(AUDIT) -r $$lock \
			|| exit 1; \
	done

lock: .venv/.installed
	@for part in "" -dev -uv; do \
		$(BIN)/uv pip compile -q --upgrade --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
			--no-emit-find-links --custom-compile-command 'make lock' requirements$$part.in -o requirements$$part.lock; \
	done
	@$(BIN)/uv pip compile -q --upgrade --universal --python-version 3.10 --generate-hashes --no-emit-index-url \
		--no-emit-find-links --custom-compile-command 'make lock' requirements-rasa.in -o requirements-rasa.lock
