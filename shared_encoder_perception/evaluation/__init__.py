# SPDX-License-Identifier: Apache-2.0
"""Scoring: one set of numpy metrics for training and comparison. Needs neither ROS nor torch."""
