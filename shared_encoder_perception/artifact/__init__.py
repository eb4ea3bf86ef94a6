# SPDX-License-Identifier: Apache-2.0
"""The model artifact: read, write, check, quantise, store, publish, build."""
