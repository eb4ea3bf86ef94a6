# SPDX-License-Identifier: Apache-2.0
"""Labelled rigs on disk: ``rigs.jsonl``, one line for each moment that all cameras saw.

docs/rigs_format.md is its specification; ``lines`` and ``cameras`` are that specification as code.
"""
