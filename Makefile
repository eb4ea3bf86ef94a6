# Everything from nothing, on a machine with python3, a C++ compiler and make:
#
#   make demo    the main job: a drive through a real ROS 2 node, with overlay video and summary
#   make test    lint, types, tests
#
# PYTHON=python3.12 chooses another interpreter; `make clean` removes what was built.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# A sourced ROS 2 must not leak into the environment that the wheels make.
unexport AMENT_PREFIX_PATH CMAKE_PREFIX_PATH COLCON_PREFIX_PATH PYTHONPATH LD_LIBRARY_PATH PYTHONHOME

.PHONY: help setup demo test lint lock clean
help:
	@sed -n 's/^#   //p' Makefile

# ---- set-up: runtime only, no torch -------------------------------------------------------------
setup: $(VENV)/messages.stamp

$(VENV)/python.stamp: requirements/bootstrap.txt
	@$(PYTHON) requirements/check_system.py
	@echo "set-up 1/3: virtual environment in $(VENV)"
	@$(PYTHON) -m venv --clear $(VENV)
	@$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements/bootstrap.txt
	@touch $@

$(VENV)/run.stamp: $(VENV)/python.stamp requirements/run.txt
	@echo "set-up 2/3: runtime packages (about 220 MB)"
	@$(BIN)/uv pip install -q --python $(BIN)/python --require-hashes -r requirements/run.txt
	@touch $@

# A symlink install: the installed package is this source tree, so editing a file needs no rebuild.
$(VENV)/messages.stamp: $(VENV)/run.stamp CMakeLists.txt package.xml cmake/wheel_prefix.cmake $(wildcard msg/*.msg) $(shell find shared_encoder_perception config launch scripts -type d -not -name __pycache__)
	@echo "set-up 3/3: messages"
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python requirements/build_messages.py $(VENV) build/messages
	@touch $@

$(VENV)/test.stamp: $(VENV)/messages.stamp requirements/test.txt
	@echo "test set-up: torch and tools (several GB the first time)"
	@$(BIN)/uv pip install -q --python $(BIN)/python --require-hashes -r requirements/test.txt
	@touch $@

# ---- the two commands -----------------------------------------------------------------------------
demo: setup
	@$(BIN)/python -m shared_encoder_perception demo \
	  $(if $(VIDEO),--video "$(VIDEO)") $(if $(IMAGES),--images "$(IMAGES)") $(if $(BAG),--bag "$(BAG)") $(ARGS)

test: lint
	@$(BIN)/python -m pytest

lint: $(VENV)/test.stamp
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy

# ---- upkeep -----------------------------------------------------------------------------------------
COMPILE := $(BIN)/uv pip compile -q --universal --python-version 3.10 --generate-hashes --no-emit-index-url --custom-compile-command "make lock"
lock: $(VENV)/python.stamp
	$(COMPILE) requirements/bootstrap.in -o requirements/bootstrap.txt
	$(COMPILE) pyproject.toml --extra ros --extra build -o requirements/run.txt
	$(COMPILE) pyproject.toml --extra ros --extra build --extra train --extra test -c requirements/run.txt -o requirements/test.txt

clean:
	rm -rf $(VENV) build install log demo_output
