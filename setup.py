# SPDX-License-Identifier: Apache-2.0
"""A shim for tools that look for it; all metadata is in pyproject.toml."""

from setuptools import setup

setup()
