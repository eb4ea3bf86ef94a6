# SPDX-License-Identifier: Apache-2.0
"""Makes `auto` choose one engine, in every Python process below a test run that asks for it.

``AUTO_ENGINE=openvino make test`` runs the suite as on a machine where `auto` takes OpenVINO: no
test may take another one for granted. ``conftest`` puts this folder on PYTHONPATH; Python imports
it at its start.
"""

import os
import sys
from importlib.machinery import PathFinder

CHOICE = "shared_encoder_perception.backends.choice"


class ChosenEngine:
    """Finds the module that chooses, and lets it choose the one that was asked for."""

    def __init__(self, name):
        self._name = name

    def find_spec(self, module, path=None, target=None):
        if module != CHOICE:
            return None
        spec = PathFinder.find_spec(module, path, target)
        load = spec.loader.exec_module

        def exec_module(choice):
            load(choice)
            candidates = choice.candidates

            def first(options):
                found = sorted(candidates(options), key=lambda one: one.name != self._name)
                return iter(found)

            choice.candidates = first

        spec.loader.exec_module = exec_module
        return spec


if name := os.environ.get("AUTO_ENGINE"):
    sys.meta_path.insert(0, ChosenEngine(name))
