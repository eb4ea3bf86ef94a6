# SPDX-License-Identifier: Apache-2.0
"""The rows of the parameter table, one file for each group of names."""
