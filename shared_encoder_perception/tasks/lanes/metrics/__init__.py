# SPDX-License-Identifier: Apache-2.0
"""How lane lines are scored: by the benchmarks' rules, across, along, and over time."""
