# SPDX-License-Identifier: Apache-2.0
"""Scores of what is answered of a whole rig: ``evaluate --rigs``."""
