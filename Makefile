# SPDX-License-Identifier: Apache-2.0
# Everything from nothing, on a machine with make, python3 and a C++ compiler:
#
#   make demo    the main job: a rendered drive through two real ROS 2 nodes, all they say in one video, and a summary;
#                lanes and mask of your own drive: VIDEO=drive.mp4 or IMAGES=folder or BAG=rosbag2
#                TASKS=semantic draws just that, by a shipped model that answers it
#                TASKS=surround: four cameras through a town, and the map of the ground around
#   make test    lint, types, tests (fetches torch)
#                AUTO_ENGINE=torch (or openvino, onnxruntime): as where `auto` chooses that engine
#   make test-tensorrt   the tests of TensorRT, by its wheel for RTX cards (225 MB more)
#   make test-ubuntu-24.04   the tests that need no torch, with numpy, OpenCV and others as old as Ubuntu
#                24.04's, in an environment of their own (Python 3.10 to 3.12)
#   make fuzz    20 000 random cases for each thing that reads other people's data (CASES=, minutes to hours)
#   make setup   only the environment: runtime packages and messages, no torch
#   make lint    only ruff and mypy
#   make package   wheel and source archive into build/dist
#   make check-package   each of them in an empty environment: installed, run, what it brings (minutes)
#   make docs    the pages as a site with search and reference, every link checked: build/site/index.html
#   make lock    resolve the dependencies of pyproject.toml into requirements/*.txt again
#   make clean   remove what was built
#
#   PYTHON=python3.12 chooses another interpreter (3.10 to 3.13).

PYTHON ?= python3
VENV := .venv
LOCK := requirements/run.txt
BIN := $(VENV)/bin

# A sourced ROS 2 must not leak into the environment that the wheels make. The wheels set the last two
# for their own children, which need both or none.
unexport AMENT_PREFIX_PATH CMAKE_PREFIX_PATH COLCON_PREFIX_PATH PYTHONPATH PYTHONHOME
unexport ROS_DISTRO RMW_IMPLEMENTATION VIRTUAL_ENV
unexport LD_LIBRARY_PATH _ROS_WHEELS_BOOTSTRAP_COMPLETE

.PHONY: help setup demo test test-runtime test-tensorrt test-ubuntu-24.04 fuzz lint package check-package docs lock clean
help:
	@sed -n 's/^#   //p' Makefile

ifneq ($(word 2,$(foreach name,VIDEO IMAGES BAG,$(if $($(name)),$(name)))),)
$(error give only one of VIDEO=, IMAGES= and BAG=)
endif

# ---- set-up ---------------------------------------------------------------------------------------
# The environment starts over when this folder was moved, its interpreter is gone, an installation was
# interrupted (the file `unfinished` is there and nobody holds its lock), or PYTHON= asks for another.
version = $(shell $(1) -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)
made := $(file <$(VENV)/python.stamp)
wanted := $(CURDIR) $(if $(filter file,$(origin PYTHON)),$(lastword $(made)),$(call version,$(PYTHON)))
interrupted := $(shell test -e $(VENV)/unfinished && flock -n $(VENV)/unfinished true && echo yes)
ifneq ($(made)$(interrupted)$(if $(realpath $(BIN)/python),,gone),$(wanted))
.PHONY: $(VENV)/python.stamp
endif
# Wheels only. The two exceptions have none: they are built with tools that are pinned by their hashes, too.
WHEELS := --only-binary :all: --no-binary empy --no-binary tensorrt-rtx-cu12
# Compiled at once, half a minute: where Python may not write later (PYTHONDONTWRITEBYTECODE, another
# user's or a container's read-only folder) every process would compile its imports anew, torch's for seconds.
install = @flock $(VENV)/unfinished $(BIN)/uv pip install -q --compile-bytecode --python $(BIN)/python $(WHEELS) \
  --build-constraints requirements/build_tools.txt --require-hashes -r $(1) && rm -f $(VENV)/unfinished

setup: $(VENV)/messages.stamp

$(VENV)/python.stamp: requirements/bootstrap.txt
	@command -v $(PYTHON) >/dev/null || { echo "error: this system lacks $(PYTHON). Install with: sudo apt-get install $(notdir $(PYTHON)) $(notdir $(PYTHON))-dev $(notdir $(PYTHON))-venv" >&2; exit 1; }
	@$(PYTHON) requirements/check_system.py
	@echo "set-up 1/3: virtual environment in $(VENV)"
	@$(PYTHON) -m venv --clear $(VENV)
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --only-binary :all: --require-hashes -r requirements/bootstrap.txt
	@echo '$(CURDIR) $(call version,$(PYTHON))' > $@

$(VENV)/run.stamp: $(VENV)/python.stamp $(LOCK)
	@echo "set-up 2/3: runtime packages (about 700 MB on disk)"
	$(call install,$(LOCK))
	@touch $@

# Only messages and files beside the code: Python runs from this source tree, so editing it needs no build.
$(VENV)/messages.stamp: $(VENV)/run.stamp CMakeLists.txt package.xml cmake/wheel_prefix.cmake \
  requirements/build_messages.py msg $(wildcard msg/*.msg) config scripts
	@echo "set-up 3/3: messages"
	@flock $(VENV)/run.stamp $(BIN)/python requirements/build_messages.py $(VENV)
	@touch $@

$(VENV)/test.stamp: $(VENV)/run.stamp requirements/test.txt
	@echo "test set-up: torch and tools (about 5 GB on disk)"
	$(call install,requirements/test.txt)
	@touch $@

# ---- the two commands -----------------------------------------------------------------------------
demo: setup
	@$(BIN)/python -m shared_encoder_perception demo \
	  $(if $(TASKS),--tasks $(TASKS)) $(if $(VIDEO),--video "$(VIDEO)") $(if $(IMAGES),--images "$(IMAGES)") $(if $(BAG),--bag "$(BAG)") $(ARGS)

test: lint
	@$(BIN)/python -m pytest -n 3 --no-loadscope-reorder

# Without torch: what needs it skips itself.
test-runtime: setup
	@$(BIN)/python -m pytest -n 2 --no-loadscope-reorder

test-ubuntu-24.04:
	@$(MAKE) --no-print-directory VENV=.venv-ubuntu-24.04 LOCK=requirements/ubuntu-24.04.txt test-runtime

# Parser and builder of TensorRT run without a GPU (225 MB more); the rest of its tests needs one.
test-tensorrt: setup $(VENV)/test.stamp
	$(call install,requirements/tensorrt.txt)
	@$(BIN)/python -m pytest test/backends/test_tensorrt.py test/backends/test_tensorrt_graph.py test/backends/test_tensorrt_plan.py test/backends/test_cuda_memory.py

# Hypothesis draws the cases; a failing one is shrunk to the smallest and printed.
CASES ?= 20000
fuzz: setup $(VENV)/test.stamp
	@FUZZ_CASES=$(CASES) $(BIN)/python -m pytest -q --timeout 0 $(shell grep -rl --include='test_*.py' 'from fuzzing import' test)

lint: setup $(VENV)/test.stamp
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy

# ---- packages -------------------------------------------------------------------------------------
# The wheel is built from the source archive, so that this is known to hold all that it must.
package: $(VENV)/run.stamp
	@rm -rf build/dist
	@$(BIN)/uv build -q --out-dir build/dist --build-constraints requirements/build_tools.txt --require-hashes
	@rm -rf shared_encoder_perception.egg-info  # would tell a version wherever Python runs in this tree
	@ls build/dist/*

check-package: package
	@$(BIN)/python requirements/check_package.py build/dist

# ---- documentation --------------------------------------------------------------------------------
# Its tools have an environment of their own: nothing of the package is imported.
DOCS := .venv-docs
docs: $(DOCS)/docs.stamp
	@$(DOCS)/bin/python docs/site/build.py

$(DOCS)/docs.stamp: $(VENV)/python.stamp requirements/docs.txt
	@$(BIN)/uv venv -q --clear --python $(BIN)/python $(DOCS)
	@$(BIN)/uv pip install -q --python $(DOCS)/bin/python --only-binary :all: --require-hashes -r requirements/docs.txt
	@touch $@

# ---- upkeep ---------------------------------------------------------------------------------------
COMPILE := $(BIN)/uv pip compile -q --universal --python-version 3.10 --generate-hashes --no-emit-index-url --custom-compile-command "make lock"
RUN := --extra ros --extra build --extra openvino --extra report
lock: $(VENV)/python.stamp
	@cp -p requirements/bootstrap.txt $(VENV)/bootstrap.before
	$(COMPILE) requirements/bootstrap.in -o requirements/bootstrap.txt
	@if cmp -s requirements/bootstrap.txt $(VENV)/bootstrap.before; then \
	  touch -r $(VENV)/bootstrap.before requirements/bootstrap.txt; fi  # else .venv would start over
	$(COMPILE) pyproject.toml $(RUN) -o requirements/run.txt
	$(COMPILE) pyproject.toml $(RUN) --extra train --extra test --extra lint -c requirements/run.txt -o requirements/test.txt
	$(COMPILE) requirements/build_tools.in -c requirements/test.txt -o requirements/build_tools.txt
	$(COMPILE) pyproject.toml requirements/ubuntu-24.04.in --extra ros --extra build -o requirements/ubuntu-24.04.txt
	$(COMPILE) pyproject.toml --extra test-tensorrt -c requirements/test.txt -o requirements/tensorrt.txt
	$(COMPILE) --group docs -o requirements/docs.txt

clean:
	rm -rf $(VENV) $(DOCS) .venv-ubuntu-24.04 build install log demo_output
