# The commands of the project. `make run` and `make test` need Python 3.11 or newer, git and make.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet --no-deps --require-hashes

.PHONY: setup run test check format lock messages bench

.venv/.ok: requirements.lock
	$(PYTHON) -m venv .venv
	$(PIP) -r requirements.lock
	touch $@

# npm brings the message centre of the SMPP tests; without it they skip, and say so.
.venv/.dev: requirements-dev.lock .venv/.ok tests/smsc/package-lock.json
	$(PIP) -r requirements-dev.lock
	if command -v npm >/dev/null; then npm ci --prefix tests/smsc --no-audit --no-fund --loglevel=error; fi
	touch $@

setup: .venv/.ok

run: setup
	$(BIN)/python manage.py serve

test: .venv/.dev
	$(BIN)/python -m pytest

check: .venv/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy .
	$(BIN)/lint-imports
	$(BIN)/djlint --lint --quiet templates
	$(BIN)/python manage.py makemigrations --check --dry-run
	$(BIN)/python -m tests.house.deploy_check
	$(BIN)/python -m pytest -n 2 -m "not live and not browser" --cov --cov-report=
	$(BIN)/python -m pytest -n 2 --dist loadfile -m "live or browser" --cov --cov-append --cov-report=term:skip-covered --cov-fail-under=90

format: .venv/.dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lock: .venv/.dev
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes pyproject.toml -o requirements.lock
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --extra dev pyproject.toml -o requirements-dev.lock

messages: .venv/.dev
	$(BIN)/python -m tests.house.catalogue

bench: .venv/.dev
	$(BIN)/python -m bench
