# SPDX-License-Identifier: Apache-2.0
"""Other people's data sets, one module for each format."""
