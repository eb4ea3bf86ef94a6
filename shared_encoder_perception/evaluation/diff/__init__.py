# SPDX-License-Identifier: Apache-2.0
"""Two models, or two versions of one, on the same input: what changed, and whether it may."""
