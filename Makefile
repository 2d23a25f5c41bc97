# make demo and make test need Python 3.11 to 3.13 and make; nothing else.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: setup demo test lint bench calibrate lock clean

setup: .venv/ready

# The lock names packages and hashes; the package itself is installed in place.
.venv/ready: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if (3, 11) <= v <= (3, 13) else \
	  f"Python {v[0]}.{v[1]} was found as $(PYTHON); 3.11 to 3.13 is needed: make PYTHON=python3.12 …")'
	@echo "Setting up .venv from requirements.lock (once, a few minutes) …"
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

demo: .venv/ready
	@$(BIN)/lgm demo

test: .venv/ready
	@$(BIN)/python -m pytest $(OPTIONS)

lint: .venv/ready
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

# Seconds per submission against nbgrader's own autograde on the same notebooks.
bench: .venv/ready
	@$(BIN)/python tests/autograder/measure_speed.py

# Measures the guarantees of the hidden checks and writes calibration.json beside them: an hour per
# assignment on two cores, or minutes if only single files of checks have changed.
calibrate: .venv/ready
	@$(BIN)/python -m autograder.verify.calibrate

# After a change of the dependencies in pyproject.toml; needs uv.
lock:
	@uv pip compile --universal --python-version 3.11 --extra develop --generate-hashes \
	  --no-header --no-annotate --quiet pyproject.toml -o requirements.lock
