# SPDX-License-Identifier: Apache-2.0
"""Bags with the cameras of a rig, replayed through the model: every moment, always the same."""
