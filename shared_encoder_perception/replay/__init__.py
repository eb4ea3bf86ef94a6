# SPDX-License-Identifier: Apache-2.0
"""Bags replayed through the model, in process: every image, no middleware, always the same."""
